//! Scales of float8 weights. A weight is the stored number times its scale: one for the tensor, one for each output
//! channel, or one for each block, as DeepSeek and transformers (`…_scale_inv`), compressed-tensors, FBGEMM and
//! ModelOpt (`…_scale`) store them.

use std::sync::Arc;

use super::opened::{Checkpoint, TensorInfo};
use super::place::unmarked;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::Shape;

/// Side of a block where nothing else is said and the scales are as many as that makes.
const USUAL_BLOCK: usize = 128;
/// Largest number of either format of float8.
const LARGEST_FLOAT8: f32 = 57344.0;
/// What a scale of 8 bits of exponent is 1 at.
const EXPONENT_BIAS: i32 = 127;

/// What tensors of quantized weights are called by those who do not store them as float8.
const QUANTIZED: [&str; 6] = ["qweight", "weight_packed", "weight.absmax", "SCB", "weight_quantized", "blocks"];

/// Names that the scale of a weight may have.
fn names(weight: &str) -> Vec<String> {
    let mut made = vec![format!("{weight}_scale_inv"), format!("{weight}_scale")];
    // ComfyUI turns the words around.
    made.extend(weight.strip_suffix("weight").map(|layer| format!("{layer}scale_weight")));
    made
}

/// The tensor that holds the scales of a weight of float8.
pub fn beside<'a>(checkpoint: &'a Checkpoint, weight: &str, info: &TensorInfo) -> Option<&'a str> {
    if !info.dtype.starts_with("f8_") {
        return None;
    }
    let found = names(weight).into_iter().find_map(|name| checkpoint.tensors.get_key_value(&name));
    found.map(|(name, _)| name.as_str())
}

/// A tensor beside a missing one that says that the weights are quantized in a way that is not read.
pub fn quantized_otherwise(checkpoint: &Checkpoint, name: &str) -> Option<String> {
    let layer = name.strip_suffix("weight")?;
    QUANTIZED.iter().map(|part| format!("{layer}{part}")).find(|other| checkpoint.find(other).is_some())
}

/// Shape of the blocks of a weight that share a scale, and the scales, row-major.
///
/// # Errors
/// There are no scales, or they are not finite, or fit no blocks of the weight.
pub fn of(checkpoint: &Checkpoint, weight: &str, info: &TensorInfo, place: &str) -> Result<(Shape, Arc<[f32]>)> {
    let Some(name) = beside(checkpoint, weight, info) else {
        let names = names(unmarked(weight)).join("` or `");
        let message = format!("is {} without a scale: there is no tensor `{names}`", info.dtype);
        return Err(Error::input(place, message)
            .help("float8 weights are read with their scales; else f32, f16 or bf16 is wanted"));
    };
    let scales = &checkpoint.tensors[name];
    let place = format!("{}: `{}`", scales.file.display(), unmarked(name));
    let values = values(checkpoint, scales, &place)?;
    let is_usable = |scale: f32| (scale * LARGEST_FLOAT8).is_finite();
    if let Some(scale) = values.iter().find(|scale| !is_usable(**scale)) {
        return Err(Error::input(place, format!("holds the scale {scale}; scales must be finite, and not as large")));
    }
    let config = checkpoint.sources[info.source].files.block_size();
    match blocks(&info.shape, &scales.shape, &config) {
        Some(block) => Ok((block, values.into())),
        None => {
            let message = format!("of shape {:?} has no scale for each block of {:?}", scales.shape, info.shape);
            Err(Error::input(place, message)
                .help("one scale is wanted for the tensor, each output channel, or each block"))
        }
    }
}

fn values(checkpoint: &Checkpoint, info: &TensorInfo, place: &str) -> Result<Vec<f32>> {
    // Powers of two, of which the exponent alone is stored.
    if matches!(info.dtype.as_str(), "u8" | "f8_e8m0") {
        let count: usize = info.shape.iter().product();
        let bytes = &checkpoint.maps[&info.file][info.start..info.start + count];
        // All bits set is NaN.
        let scale = |&bits: &u8| if bits == 255 { f32::NAN } else { 2f32.powi(i32::from(bits) - EXPONENT_BIAS) };
        return Ok(bytes.iter().map(scale).collect());
    }
    if info.dtype.starts_with("f8_") {
        return Err(Error::input(
            place,
            format!("is {}; scales are f32, f16, bf16 or exponents of 8 bits", info.dtype),
        ));
    }
    let view = checkpoint.view(info, place)?;
    Ok(autoneural_core::ir::Constant::from_view(view, info.shape.clone()).to_f32())
}

/// The shape of blocks of which there are as many as scales; `config` is what the checkpoint's configuration says of
/// it.
fn blocks(weight: &[usize], scales: &[usize], config: &[usize]) -> Option<Shape> {
    if scales.iter().product::<usize>() == 1 {
        return Some(weight.iter().map(|&size| size.max(1)).collect());
    }
    // One for each output channel, with or without the other axes.
    let channels = scales.iter().rposition(|&size| size != 1).map_or(0, |last| last + 1);
    if channels == 1 && scales.len() != weight.len() {
        let (first, others) = weight.split_first()?;
        return (scales[0] == *first).then(|| [&[1], others].concat());
    }
    if scales.len() != weight.len() {
        return None;
    }
    // Blocks of the configuration are of the last axes.
    let stated = |axis: usize| (axis + config.len()).checked_sub(weight.len()).map(|at| config[at]);
    let fit = |chosen: &dyn Fn(usize) -> Option<usize>| -> Option<Shape> {
        let one = |(axis, (&size, &count)): (usize, (&usize, &usize))| match count {
            1 => Some(size),
            _ if count == size => Some(1),
            _ => chosen(axis).filter(|&block| block > 0 && size.div_ceil(block) == count),
        };
        weight.iter().zip(scales).enumerate().map(one).collect()
    };
    let even =
        |axis: usize| weight[axis].is_multiple_of(scales[axis].max(1)).then(|| weight[axis] / scales[axis].max(1));
    fit(&stated).or_else(|| fit(&|_| Some(USUAL_BLOCK))).or_else(|| fit(&even))
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn scales_are_for_the_tensor_a_channel_or_a_block() {
        type Sizes = &'static [usize];
        let cases: [(Sizes, Sizes, Sizes, Option<Sizes>); 14] = [
            (&[256, 384], &[], &[], Some(&[256, 384])),
            (&[256, 384], &[1], &[], Some(&[256, 384])),
            (&[256, 384], &[1, 1], &[], Some(&[256, 384])),
            (&[256, 384], &[256], &[], Some(&[1, 384])),
            (&[256, 384], &[256, 1], &[], Some(&[1, 384])),
            (&[256, 384], &[2, 3], &[], Some(&[128, 128])),
            // The last block is shorter.
            (&[200, 300], &[2, 3], &[], Some(&[128, 128])),
            (&[200, 300], &[2, 3], &[100, 100], Some(&[100, 100])),
            (&[256, 384], &[256, 12], &[], Some(&[1, 32])),
            (&[64, 96], &[2, 3], &[], Some(&[32, 32])),
            (&[64, 3, 3, 3], &[64, 1, 1, 1], &[], Some(&[1, 3, 3, 3])),
            (&[64, 3, 3, 3], &[64, 1], &[], Some(&[1, 3, 3, 3])),
            (&[256, 384], &[384], &[], None),
            (&[200, 300], &[7, 3], &[], None),
        ];
        for (weight, scales, config, wanted) in cases {
            assert_eq!(blocks(weight, scales, config).as_deref(), wanted, "{weight:?} {scales:?} {config:?}");
        }
    }
}
