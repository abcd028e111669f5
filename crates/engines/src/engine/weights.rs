//! Weights of float models for tract: read where they stand in the data file, in the type that they have there. A large
//! model's weights can stay there, and become float32 only while the layer that reads them is computed.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use autoneural_onnx::{DataFiles, GraphProto, ModelProto, NodeProto, encode};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, Op, StaticName, TypedOp, as_op, not_out_of_plan, op_as_typed_op,
};
use tract_onnx::tract_core::ops::konst::Const;

use super::panels::in_panels;
use crate::back::onnx::{DataType, decode, value_info};
use autoneural_core::ir::{Constant, ElementType, Shape, StoredType, View};

/// Elements of a weight that is worth reading late.
const LARGE: usize = 1 << 18;

/// A weight, which becomes numbers whenever it is computed. The optimizer cannot put them in its place.
#[derive(Clone)]
struct Weight {
    name: String,
    constant: Constant,
}

impl std::fmt::Debug for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Weight({})", self.name)
    }
}

impl PartialEq for Weight {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Weight {}

impl Op for Weight {
    fn name(&self) -> StaticName {
        "Weight".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Weight {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, _: TVec<TValue>) -> TractResult<TVec<TValue>> {
        Ok(tvec!(tensor(&self.constant)?.into_tvalue()))
    }
}

impl TypedOp for Weight {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(self.constant.shape())))
    }

    as_op!();
}

/// The numbers of a constant.
fn tensor(constant: &Constant) -> TractResult<Tensor> {
    let shape = constant.shape().as_slice();
    match constant.element_type() {
        ElementType::F32 => {
            // SAFETY: every place is written to before anything reads it.
            let mut made = unsafe { Tensor::uninitialized::<f32>(shape)? };
            constant.write_f32(made.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
            Ok(made)
        }
        ElementType::I32 => {
            let values: Vec<i32> = constant.to_i64().into_iter().map(|value| value as i32).collect();
            Tensor::from_shape(shape, &values)
        }
        ElementType::I64 => Tensor::from_shape(shape, &constant.to_i64()),
        ElementType::Bool => {
            let values: Vec<bool> = constant.to_i64().into_iter().map(|value| value != 0).collect();
            Tensor::from_shape(shape, &values)
        }
    }
}

/// The model of a file, before it is optimized. Large weights that are at least `late_from` bytes of float32 together are
/// read in each run anew.
///
/// # Errors
/// tract refuses it, or its weights are not where it says.
pub(super) fn load(path: &Path, late_from: Option<usize>) -> TractResult<TypedModel> {
    let failed = |said: String| TractError::msg(said);
    let mut proto = decode(path).map_err(|error| failed(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let graph = proto.graph.get_or_insert_default();
    let constants = taken(graph, &mut DataFiles::beside(folder)).map_err(failed)?;
    let late = late_from.map_or_else(HashSet::new, |bytes| late(graph, &constants, bytes));
    let (left, constants): (Vec<_>, Vec<_>) = constants.into_iter().partition(|(name, _)| late.contains(name));
    let left = in_panels(graph, left);
    let mut model = parsed(&proto)?;
    for (name, constant) in constants {
        let id = model.node_id_by_name(&name)?;
        let value = tensor(&constant)?.into_arc_tensor();
        model.set_outlet_fact(id.into(), InferenceFact::try_from(&value)?)?;
        model.node_mut(id).op = Box::new(Const::new(value)?);
        model.inputs.retain(|input| input.node != id);
    }
    let mut model = model.into_typed()?;
    for (name, constant) in left {
        let id = model.node_id_by_name(&name)?;
        model.node_mut(id).op = Box::new(Weight { name, constant });
        model.inputs.retain(|input| input.node != id);
    }
    Ok(model)
}

/// What is outside of a model's file, by the names of the float32 values or indices that nodes read. The model gets inputs
/// in their places, and loses the casts.
fn taken(graph: &mut GraphProto, data: &mut DataFiles) -> Result<Vec<(String, Constant)>, String> {
    let (mut made, mut kept) = (vec![], vec![]);
    let casts = graph.node.iter().filter(|node| node.op_type == "Cast" && node.input.len() == 1);
    let casts: HashMap<String, String> =
        casts.filter_map(|node| Some((node.input[0].clone(), node.output.first()?.clone()))).collect();
    let mut gone = HashSet::new();
    for tensor in std::mem::take(&mut graph.initializer) {
        let within = |what: &str| format!("the constant `{}` {what}", tensor.name);
        let Some(bytes) = data.bytes(&tensor).map_err(|what| within(&what))? else {
            kept.push(tensor);
            continue;
        };
        let shape = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Shape>>();
        let counted = shape.and_then(|shape| {
            let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
            Some((shape, count))
        });
        let (shape, count) = counted.ok_or_else(|| within("has a shape that cannot be"))?;
        let stored =
            DataType(tensor.data_type).stored().ok_or_else(|| within("has a type that float models do not have"))?;
        let view = View::new(bytes.map, bytes.start, count, stored).ok_or_else(|| within("is not in its data file"))?;
        let is_cast = stored != StoredType::of(stored.element());
        let name = if is_cast { casts.get(&tensor.name).cloned() } else { Some(tensor.name.clone()) };
        let name = name.ok_or_else(|| within("is read by no Cast"))?;
        if is_cast {
            gone.insert(name.clone());
        }
        graph.input.push(value_info(&name, DataType::of_element(stored.element()), &shape));
        made.push((name, Constant::from_view(view, shape)));
    }
    graph.initializer = kept;
    graph.node.retain(|node| !(node.op_type == "Cast" && node.output.first().is_some_and(|name| gone.contains(name))));
    Ok(made)
}

/// Names of the large weights that nothing but products and convolutions reads, if they are so many bytes together.
fn late(graph: &GraphProto, constants: &[(String, Constant)], from: usize) -> HashSet<String> {
    let is_weight = |node: &NodeProto, at: usize| at == 1 && matches!(node.op_type.as_str(), "MatMul" | "Conv");
    let read_by_others: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().enumerate().filter(|(at, _)| !is_weight(node, *at)))
        .map(|(_, name)| name.as_str())
        .collect();
    let elements = |constant: &Constant| constant.shape().iter().product::<usize>();
    let found: Vec<_> = constants
        .iter()
        .filter(|(name, constant)| constant.element_type().is_real() && !read_by_others.contains(name.as_str()))
        .filter(|(_, constant)| elements(constant) >= LARGE)
        .collect();
    let bytes: usize = found.iter().map(|(_, constant)| 4 * elements(constant)).sum();
    if bytes < from { HashSet::new() } else { found.into_iter().map(|(name, _)| name.clone()).collect() }
}

/// A model as tract parses it.
fn parsed(proto: &ModelProto) -> TractResult<InferenceModel> {
    let onnx = tract_onnx::onnx();
    let proto = onnx.proto_model_for_read(&mut encode(proto).as_slice())?;
    onnx.model_for_proto_model(&proto)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::back::onnx::{DataWriter, check_float, emit_float};
    use autoneural_base::map::Map;
    use autoneural_core::ir::{Builder, ops};
    use autoneural_core::partition::{Partition, Port};
    use autoneural_core::passes::Frozen;
    use autoneural_core::program::Group;

    const SIDE: usize = 512;

    /// A product with a matrix of so many rows and columns that a checkpoint has as the transpose of this one in bfloat16,
    /// and an addition; the folder has its float model.
    fn product(folder: &Path, rows: usize, columns: usize) -> Partition {
        let bits =
            (0..rows * columns).map(|at| u16::try_from(0x3c00 + at * 7 % 0x300).unwrap() | ((at % 2) as u16) << 15);
        let path = folder.join("checkpoint");
        std::fs::write(&path, bits.flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
        let map = std::sync::Arc::new(Map::open(&path).unwrap());
        let view = View::new(map, 0, rows * columns, StoredType::Bf16).unwrap();
        let matrix = Constant::from_view(view, vec![columns, rows]).permuted(&[1, 0]);
        let mut b = Builder::new("product");
        let x = b.input("x", vec![3, rows], ElementType::F32).unwrap();
        let matrix = b.constant("matrix", matrix).unwrap();
        let bias = b.constant("bias", Constant::from_values(vec![0.5; columns], vec![columns])).unwrap();
        let y = b.node("y", ops::MatMul, &[x, matrix]).unwrap();
        let z = b.node("z", ops::Add, &[y, bias]).unwrap();
        let graph = Frozen::new(b.finish(vec![z])).unwrap();
        let port = |name: &str| vec![Port::plain(name.into())];
        let group = Group::fixed("product");
        let made = Partition { name: "product".into(), group, graph, inputs: port("x"), outputs: port("z") };
        let mut data = DataWriter::create(folder, &made.group).unwrap();
        emit_float(&made, &folder.join("product.onnx"), &mut data).unwrap();
        data.finish().unwrap();
        made
    }

    fn run(model: TypedModel) -> Vec<u32> {
        run_on(model, &[3, SIDE])
    }

    /// The bits of what a model makes of an input of this shape.
    fn run_on(model: TypedModel, shape: &[usize]) -> Vec<u32> {
        let x: Vec<f32> = (0..shape.iter().product()).map(|at: usize| (at as f32 * 0.37).sin()).collect();
        let x = Tensor::from_shape(shape, &x).unwrap();
        let made = model.into_optimized().unwrap().into_runnable().unwrap().run(tvec!(x.into_tvalue())).unwrap();
        made[0].to_plain_array_view::<f32>().unwrap().iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn a_large_matrix_keeps_its_type_in_the_file_and_its_numbers_in_tract_whenever_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (partition, path) = (product(folder.path(), SIDE, SIDE), folder.path().join("product.onnx"));
        check_float(&partition, &path).unwrap();
        let stored = decode(&path).unwrap().graph.unwrap().initializer;
        assert_eq!(stored.iter().find(|tensor| tensor.name == "matrix/stored").unwrap().data_type, 16);
        let bytes = std::fs::metadata(folder.path().join("product.data")).unwrap().len() as usize;
        assert_eq!(bytes, 2 * SIDE * SIDE + 4 * SIDE);
        let is_late = |model: &TypedModel| model.nodes().iter().any(|node| node.op_is::<Weight>());
        let [once, each_run] = [None, Some(4 * SIDE * SIDE)].map(|late_from| load(&path, late_from).unwrap());
        assert!(!is_late(&once) && is_late(&each_run));
        assert!(!is_late(&load(&path, Some(4 * SIDE * SIDE + 1)).unwrap()));
        // As if the file had float32.
        let whole = [("matrix", true), ("bias", false)].map(|(name, transposes)| {
            let value = partition.graph.values().find(|(_, value)| value.name == name).unwrap().1;
            assert_eq!(value.shape.len() == 2, transposes);
            value.constant().unwrap().to_f32()
        });
        let found = run(once);
        assert_eq!(found, run(each_run));
        let x = |row: usize, at: usize| f64::from(((row * SIDE + at) as f32 * 0.37).sin());
        for (place, bits) in found.iter().enumerate() {
            let (row, column) = (place / SIDE, place % SIDE);
            let sum: f64 = (0..SIDE).map(|at| x(row, at) * f64::from(whole[0][at * SIDE + column])).sum();
            assert!((sum + f64::from(whole[1][column]) - f64::from(f32::from_bits(*bits))).abs() < 1e-4);
        }
    }

    #[test]
    fn matrices_that_are_read_late_in_panels_give_the_same_numbers() {
        let folder = tempfile::tempdir().unwrap();
        // Panels of 256 columns, the last of which has 188.
        product(folder.path(), 4096, 700);
        let path = folder.path().join("product.onnx");
        let late = load(&path, Some(0)).unwrap();
        assert_eq!(late.nodes().iter().filter(|node| node.op_is::<Weight>()).count(), 3);
        assert_eq!(run_on(load(&path, None).unwrap(), &[3, 4096]), run_on(late, &[3, 4096]));
    }

    #[test]
    fn kernels_that_are_read_late_give_the_same_numbers() {
        for (shape, groups, side) in
            [([512, 512, 1, 1], 1, 1), ([256, 128, 3, 3], 1, 5), ([512, 256, 1, 2], 2, 4), ([65536, 1, 2, 2], 65536, 2)]
        {
            let folder = tempfile::tempdir().unwrap();
            let inputs = vec![1, shape[1] * groups, side, side];
            let count = shape.iter().product::<usize>();
            let kernel = Constant::from_values((0..count).map(|at| (at as f32 * 0.7).sin()).collect(), shape.to_vec());
            let mut b = Builder::new("kernel");
            let x = b.input("x", inputs.clone(), ElementType::F32).unwrap();
            let kernel = b.constant("kernel", kernel).unwrap();
            let op = ops::Conv { strides: [1, 1], pads: [0; 4], groups, dilations: [1, 1] };
            let y = b.node("y", op, &[x, kernel]).unwrap();
            let graph = Frozen::new(b.finish(vec![y])).unwrap();
            let port = |name: &str| vec![Port::plain(name.into())];
            let group = Group::fixed("kernel");
            let made = Partition { name: "kernel".into(), group, graph, inputs: port("x"), outputs: port("y") };
            let path = folder.path().join("kernel.onnx");
            let mut data = DataWriter::create(folder.path(), &made.group).unwrap();
            emit_float(&made, &path, &mut data).unwrap();
            data.finish().unwrap();
            let late = load(&path, Some(0)).unwrap();
            assert!(late.nodes().iter().any(|node| node.op_is::<Weight>()));
            assert_eq!(run_on(load(&path, None).unwrap(), &inputs), run_on(late, &inputs), "{shape:?}");
        }
    }

    #[test]
    fn weights_that_are_not_there_are_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        product(folder.path(), SIDE, SIDE);
        let path = folder.path().join("product.onnx");
        let refused = |change: &dyn Fn(&mut GraphProto)| {
            let mut proto = decode(&path).unwrap();
            change(proto.graph.as_mut().unwrap());
            let changed = folder.path().join("changed.onnx");
            std::fs::write(&changed, encode(&proto)).unwrap();
            format!("{:#}", load(&changed, None).unwrap_err())
        };
        let said = refused(&|graph| graph.node.retain(|node| node.op_type != "Cast"));
        assert!(said.contains("`matrix/stored` is read by no Cast"), "{said}");
        let said = refused(&|graph| graph.initializer[0].dims[0] *= 2);
        assert!(said.contains("`matrix/stored` is not in its data file"), "{said}");
        let said = refused(&|graph| graph.initializer[0].data_type = 11);
        assert!(said.contains("`matrix/stored` has a type"), "{said}");
        std::fs::remove_file(folder.path().join("product.data")).unwrap();
        assert!(refused(&|_| ()).contains("product.data"));
    }
}
