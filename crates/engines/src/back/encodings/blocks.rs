//! Encodings in blocks: in a table their scales lie as the tensor does, in a file output channels are outermost.

use super::axes::channel_axes;
use autoneural_core::encoding::Encoding;
use autoneural_core::ir::{Graph, permute};

/// How the scales of a weight lie.
struct Layout {
    /// Sizes of the tensor's axes, with the number of blocks in place of the input channels.
    shape: Vec<usize>,
    /// The order of the axes in a file.
    order: Vec<usize>,
    /// The axis of input channels.
    input: usize,
}

impl Layout {
    fn of(graph: &Graph, name: &str, block: usize) -> Result<Self, String> {
        let value = graph.find(name).map(|id| graph.value(id));
        let found = value
            .zip(channel_axes(graph, name))
            .filter(|(value, [output, input])| output != input && (*output).max(*input) < value.shape.len());
        let Some((value, [output, input])) = found else {
            return Err("is encoded in blocks, and is no weight with input channels".into());
        };
        let mut shape = value.shape.clone();
        if block == 0 || !shape[input].is_multiple_of(block) {
            return Err(format!("blocks of {block} do not divide its {} input channels", shape[input]));
        }
        shape[input] /= block;
        let order = std::iter::once(output).chain((0..shape.len()).filter(|axis| *axis != output)).collect();
        Ok(Layout { shape, order, input })
    }
}

/// The encoding with its scales in the order of a file.
///
/// # Errors
/// In words: it is of no weight, or of another shape.
pub(crate) fn to_file(encoding: &Encoding, graph: &Graph, name: &str) -> Result<Encoding, String> {
    let layout = Layout::of(graph, name, encoding.block.unwrap_or(0))?;
    refuse_unfit(encoding, &layout)?;
    Ok(Encoding {
        scale: permute(&encoding.scale, &layout.shape, &layout.order),
        zero_point: permute(&encoding.zero_point, &layout.shape, &layout.order),
        ..encoding.clone()
    })
}

/// The encoding of an entry, whose scales are in the order of a file.
///
/// # Errors
/// As for [`to_file`].
pub(crate) fn of_file(entry: &Encoding, graph: &Graph, name: &str) -> Result<Encoding, String> {
    let layout = Layout::of(graph, name, entry.block.unwrap_or(0))?;
    refuse_unfit(entry, &layout)?;
    let in_file: Vec<usize> = layout.order.iter().map(|&axis| layout.shape[axis]).collect();
    let mut back = vec![0; layout.order.len()];
    layout.order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    Ok(Encoding {
        scale: permute(&entry.scale, &in_file, &back),
        zero_point: permute(&entry.zero_point, &in_file, &back),
        axis: Some(layout.input),
        ..entry.clone()
    })
}

fn refuse_unfit(encoding: &Encoding, layout: &Layout) -> Result<(), String> {
    let count: usize = layout.shape.iter().product();
    match encoding.scale.len() == count && encoding.zero_point.len() == count {
        true => Ok(()),
        false => Err(format!("has {} scales, its blocks are {:?}", encoding.scale.len(), layout.shape)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use autoneural_core::encoding::{Encoding, IntegerType};
    use autoneural_core::ir::ops::{Conv, MatMul};
    use autoneural_core::ir::{Builder, Constant, ElementType, Graph, Op};
    use autoneural_core::quantize::Table;

    /// A matrix product and a convolution with weights in blocks, and their table.
    fn model() -> (Graph, Table) {
        let (mut b, mut table) = (Builder::new("g"), Table::default());
        let (x, y) = (b.input("x", vec![1, 4], ElementType::F32).unwrap(), vec![1, 4, 3, 3]);
        let y = b.input("y", y, ElementType::F32).unwrap();
        let mut outputs = Vec::new();
        let conv = Op::from(Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] });
        for (name, data, op, shape, axis) in
            [("m", x, Op::from(MatMul), vec![4, 3], 0), ("c", y, conv, vec![5, 4, 2, 1], 1)]
        {
            let values: Vec<f32> = (0..shape.iter().product()).map(|at: usize| 1.0 + at as f32).collect();
            let weight = format!("{name}.weight");
            let (count, step) = (shape.iter().product::<usize>() / 2, shape[axis + 1..].iter().product::<usize>());
            let scale = (0..count).map(|at| values[at / step * 2 * step + step + at % step] / 7.0).collect();
            let zero_point = vec![0; count];
            let encoding = Encoding { integer: IntegerType::Int4, scale, zero_point, axis: Some(axis), block: Some(2) };
            table.params.insert(weight.clone(), encoding);
            let id = b.constant(weight, Constant::from_values(values, shape)).unwrap();
            outputs.extend(b.node_outputs(name, op, &[data, id]).unwrap());
        }
        for name in ["x", "y", "m", "c"] {
            table.activations.insert(name.into(), Encoding::of_range(IntegerType::Uint16, -1.0, 1.0));
        }
        (b.finish(outputs), table)
    }

    #[test]
    fn blocks_come_back_as_they_were_written() {
        let (folder, (graph, table)) = (tempfile::tempdir().unwrap(), model());
        let path = folder.path().join("encodings.json");
        super::super::write(&table, &graph, &path).unwrap();
        let text = std::fs::read(&path).unwrap();
        assert_eq!(super::super::read(&text, &path, &graph).unwrap(), table);
        // AIMET's order: the blocks of the first output channel, then those of the next.
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let entry =
            file["param_encodings"].as_array().unwrap().iter().find(|entry| entry["name"] == "m.weight").unwrap();
        assert_eq!(
            (&entry["enc_type"], &entry["block_size"], &entry["bw"]),
            (&"PER_BLOCK".into(), &2.into(), &4.into())
        );
        let scales: Vec<f32> =
            entry["scale"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap() as f32 * 7.0).collect();
        let wanted = [4.0, 10.0, 5.0, 11.0, 6.0, 12.0];
        assert!(scales.iter().zip(wanted).all(|(scale, wanted)| (scale - wanted).abs() < 1e-5), "{scales:?}");
        // To look at, it needs no graph.
        assert_eq!(super::super::look(&text, &path).unwrap().params["m.weight"].scale.len(), 6);
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused() {
        let (graph, table) = model();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encodings.json");
        super::super::write(&table, &graph, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let said = |from: &str, to: &str| {
            assert!(text.contains(from));
            let changed = text.replace(from, to);
            super::super::read(changed.as_bytes(), Path::new("e.json"), &graph).unwrap_err().to_string()
        };
        for (size, word) in [
            ("3", "blocks of 3 do not divide its 4 input channels"),
            ("4", "scales, its blocks are"),
            ("0", "enc_type PER_BLOCK needs a block_size above 0"),
            ("18446744073709551615", "do not divide"),
        ] {
            let said = said("\"block_size\": 2", &format!("\"block_size\": {size}"));
            assert!(said.contains("e.json: `") && said.contains(word), "{size}: {said}");
        }
    }
}
