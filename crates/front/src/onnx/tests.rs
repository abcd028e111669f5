//! Small models, from the messages of a file to a graph and its numbers.

use std::path::Path;

use super::import::{Imported, import_model};
use super::shapes::StatedShape;
use autoneural_base::error::Result;
use autoneural_core::ir::{Constant, Graph, ValueId};
use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_shape_proto::{Dimension, dimension};
use autoneural_onnx::{
    AttributeProto, DataFiles, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A tensor of numbers.
pub fn reals(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        data_type: 1,
        dims: dims.to_vec(),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

pub fn longs(name: &str, values: &[i64]) -> TensorProto {
    let dims = vec![values.len() as i64];
    TensorProto { name: name.into(), data_type: 7, dims, int64_data: values.to_vec(), ..Default::default() }
}

/// An input or output; -1 is an axis without a size.
pub fn port(name: &str, data_type: i32, sizes: &[i64]) -> ValueInfoProto {
    let axis = |&size: &i64| Dimension {
        value: Some(match size {
            -1 => dimension::Value::DimParam("N".into()),
            size => dimension::Value::DimValue(size),
        }),
        ..Default::default()
    };
    let shape = Some(TensorShapeProto { dim: sizes.iter().map(axis).collect() });
    let tensor = type_proto::Tensor { elem_type: data_type, shape };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() }),
        ..Default::default()
    }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

/// A node from `op a b -> c d`.
pub fn node(text: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    let (left, right) = text.split_once(" -> ").unwrap();
    let mut words = left.split(' ').map(String::from);
    let op_type = words.next().unwrap();
    // A dot stands for an input that is left out.
    let input = words.map(|word| if word == "." { String::new() } else { word }).collect();
    let output = right.split(' ').map(String::from).collect();
    NodeProto { op_type, input, output, attribute, ..Default::default() }
}

/// A model with the input `x` and the output `y`.
pub fn model(x: &[i64], initializer: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
    let graph = GraphProto {
        name: "g".into(),
        node: nodes,
        initializer,
        input: vec![port("x", 1, x)],
        output: vec![port("y", 1, &[])],
        ..Default::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    ModelProto { ir_version: 8, opset_import, graph: Some(graph), ..Default::default() }
}

pub fn read(model: &ModelProto) -> Result<Imported> {
    import_model(model, &mut DataFiles::beside(Path::new("/nowhere")), &[])
}

/// What a graph of one input and one output makes of numbers.
pub fn run(graph: &Graph, x: &[f32]) -> Vec<f32> {
    let mut known: Vec<Option<Constant>> = graph.values().map(|(_, value)| value.constant().cloned()).collect();
    let input = graph.inputs()[0];
    known[input.index()] = Some(Constant::from_values(x.to_vec(), graph.value(input).shape.clone()));
    for node in graph.nodes() {
        let inputs: Vec<Constant> = node.inputs.iter().map(|id: &ValueId| known[id.index()].clone().unwrap()).collect();
        for (id, made) in node.outputs.iter().zip(node.op.evaluate(&inputs).unwrap()) {
            known[id.index()] = Some(made);
        }
    }
    known[graph.outputs()[0].index()].as_ref().unwrap().to_f32()
}

pub fn operators(graph: &Graph) -> Vec<&'static str> {
    graph.nodes().iter().map(|node| node.op.name()).collect()
}

#[test]
fn shapes_that_a_model_computes_vanish() {
    let constants = vec![longs("first", &[0]), longs("open", &[-1])];
    let nodes = vec![
        node("Shape x -> shape", vec![]),
        node("Gather shape first -> batch", vec![]),
        node("Concat batch open -> wanted", vec![int("axis", 0)]),
        node("Reshape x wanted -> flat", vec![]),
        node("Identity flat -> same", vec![]),
        node("Sigmoid same -> y", vec![]),
    ];
    let made = read(&model(&[-1, 2, 3], constants, nodes)).unwrap();
    assert_eq!(operators(&made.graph), ["Reshape", "Sigmoid"]);
    assert_eq!(made.graph.value(made.graph.outputs()[0]).shape, [1, 6]);
    assert!(made.notes[0].contains("axis 0"), "{:?}", made.notes);
}

#[test]
fn batch_normalization_goes_into_the_convolution_before_it() {
    let channels = |name, values: &[f32]| reals(name, &[2], values);
    let constants = || {
        vec![
            reals("w", &[2, 1, 1, 1], &[2.0, 3.0]),
            channels("b", &[1.0, -1.0]),
            channels("scale", &[2.0, 0.5]),
            channels("bias", &[0.25, 0.5]),
            channels("mean", &[1.0, 2.0]),
            channels("variance", &[4.0, 0.25]),
        ]
    };
    let norm = "BatchNormalization c scale bias mean variance -> y";
    let nodes = vec![node("Conv x w b -> c", vec![]), node(norm, vec![])];
    let made = read(&model(&[1, 1, 1, 2], constants(), nodes)).unwrap().graph;
    assert_eq!(operators(&made), ["Conv"]);
    let wanted = |x: f32| [(2.0 * x + 1.0 - 1.0) + 0.25, (3.0 * x - 1.0 - 2.0) + 0.5];
    let is_near = |found: &[f32]| {
        let all = [wanted(1.0)[0], wanted(-2.0)[0], wanted(1.0)[1], wanted(-2.0)[1]];
        found.iter().zip(all).for_each(|(found, wanted)| assert!((found - wanted).abs() < 1e-3, "{found} {wanted}"));
    };
    is_near(&run(&made, &[1.0, -2.0]));
    // Where somebody else reads the convolution, it stays.
    let nodes = vec![
        node("Conv x w b -> c", vec![]),
        node(&norm.replace("-> y", "-> n"), vec![]),
        node("Add n c -> y", vec![]),
    ];
    let made = read(&model(&[1, 1, 1, 2], constants(), nodes)).unwrap().graph;
    assert_eq!(operators(&made), ["Conv", "Mul", "Add", "Add"]);
}

#[test]
fn a_gemm_is_a_product_and_a_sum() {
    let constants = vec![reals("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), reals("b", &[1, 2], &[10.0, 20.0])];
    let alpha =
        AttributeProto { name: "alpha".into(), r#type: AttributeType::Float as i32, f: 2.0, ..Default::default() };
    let nodes = vec![node("Gemm x w b -> y", vec![int("transB", 1), alpha])];
    let made = read(&model(&[1, 3], constants, nodes)).unwrap().graph;
    assert_eq!(operators(&made), ["MatMul", "Add"]);
    assert_eq!(run(&made, &[1.0, 0.0, -1.0]), [2.0 * (1.0 - 3.0) + 10.0, 2.0 * (4.0 - 6.0) + 20.0]);
    assert_eq!(made.value(made.nodes()[1].inputs[1]).shape, [2]);
}

#[test]
fn cuts_and_parts_of_any_size_are_read() {
    let constants = vec![
        longs("starts", &[1, -1]),
        longs("ends", &[3, i64::MIN]),
        longs("axes", &[1, 2]),
        longs("steps", &[1, -2]),
        longs("parts", &[1, 1]),
        longs("place", &[1]),
    ];
    let nodes = vec![
        node("Slice x starts ends axes steps -> cut", vec![]),
        node("Split cut parts -> a b", vec![int("axis", 1)]),
        node("Concat b a -> turned", vec![int("axis", 1)]),
        node("Squeeze place -> one", vec![]),
        node("Gather turned one -> y", vec![int("axis", 2)]),
    ];
    let made = read(&model(&[1, 3, 4], constants, nodes)).unwrap().graph;
    assert_eq!(made.value(made.outputs()[0]).shape, [1, 2]);
    let x: Vec<f32> = (0..12).map(|at| at as f32).collect();
    // Rows 1 and 2, columns 3 and 1; then the second row first, and its second column.
    assert_eq!(run(&made, &x), [9.0, 5.0]);
}

#[test]
fn an_output_has_its_name_even_where_its_node_vanishes() {
    let made = read(&model(&[2], vec![], vec![node("Identity x -> y", vec![])])).unwrap().graph;
    assert_eq!(made.value(made.outputs()[0]).name, "y");
    let mut two = model(&[2], vec![], vec![node("Sigmoid x -> s", vec![]), node("Dropout s -> y", vec![])]);
    two.graph.as_mut().unwrap().output.push(port("s", 1, &[]));
    let made = read(&two).unwrap().graph;
    let names: Vec<&str> = made.outputs().iter().map(|&id| made.value(id).name.as_str()).collect();
    assert_eq!(names, ["y", "s"]);
}

#[test]
fn integers_that_are_numbers_become_real_and_indices_short() {
    let mut tokens = model(
        &[1, 2],
        vec![reals("table", &[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])],
        vec![
            node("Gather table ids -> rows", vec![]),
            node("Unsqueeze mask last -> wide", vec![]),
            node("Cast wide -> real", vec![int("to", 1)]),
            node("Mul rows real -> masked", vec![]),
            node("Mul masked x -> y", vec![]),
        ],
    );
    let graph = tokens.graph.as_mut().unwrap();
    graph.initializer.push(longs("last", &[-1]));
    graph.input.extend([port("ids", 7, &[1, 4]), port("mask", 7, &[1, 4])]);
    let made = read(&tokens).unwrap();
    let elements: Vec<&str> = made.graph.inputs().iter().map(|&id| made.graph.value(id).element.name()).collect();
    assert_eq!(elements, ["f32", "i32", "f32"]);
    assert!(made.notes.iter().any(|note| note.contains("`ids` is taken as int32")), "{:?}", made.notes);
}

#[test]
fn constants_of_every_type_are_read() {
    let halves = TensorProto { data_type: 10, dims: vec![1], int32_data: vec![0x3e00], ..reals("y", &[], &[]) };
    let doubles = TensorProto { data_type: 11, dims: vec![2], double_data: vec![0.5, -1.5], ..reals("y", &[], &[]) };
    let bytes = TensorProto { data_type: 3, dims: vec![2], raw_data: vec![255, 7], ..reals("y", &[], &[]) };
    let truths = TensorProto { data_type: 9, dims: vec![2], raw_data: vec![1, 0], ..reals("y", &[], &[]) };
    let long = TensorProto { name: "y".into(), ..longs("", &[i64::MIN, 3]) };
    for (tensor, wanted) in [
        (halves, vec![1.5]),
        (doubles, vec![0.5, -1.5]),
        (bytes, vec![-1.0, 7.0]),
        (truths, vec![1.0, 0.0]),
        (long, vec![i64::MIN as f32, 3.0]),
    ] {
        let made = read(&model(&[1], vec![tensor], vec![])).unwrap().graph;
        assert_eq!(made.value(made.outputs()[0]).constant().unwrap().to_f32(), wanted);
    }
}

fn sum() -> ModelProto {
    model(&[2, 3], vec![reals("c", &[3], &[1.0, 2.0, 3.0])], vec![node("Add x c -> y", vec![])])
}

#[test]
fn what_cannot_be_read_is_named() {
    type Damage = fn(&mut ModelProto);
    fn graph(model: &mut ModelProto) -> &mut GraphProto {
        model.graph.as_mut().unwrap()
    }
    let damages: [(Damage, &str); 20] = [
        (|m| graph(m).node[0].output[0] = "x".into(), "two values are named `x`"),
        (|m| graph(m).node[0].op_type = "Loop".into(), "operators that are not supported: Loop (`y`)"),
        (|m| graph(m).node[0].domain = "com.microsoft".into(), "not supported: com.microsoft.Add"),
        (|m| graph(m).node[0].input[1] = "nothing".into(), "reads `nothing`"),
        (|m| graph(m).node[0].input[0] = "y".into(), "wait for each other"),
        (|m| graph(m).node[0].output[0] = "z".into(), "output `y`: is made by no node"),
        (|m| graph(m).node[0].output.clear(), "has no output"),
        (|m| graph(m).node[0].input.truncate(1), "Add"),
        (|m| graph(m).initializer[0].dims = vec![1 << 40, 1 << 40], "which is too large"),
        (|m| graph(m).initializer[0].dims = vec![1 << 40, 0], "which is too large"),
        (|m| graph(m).initializer[0].dims = vec![-1], "has the shape [-1]"),
        (|m| graph(m).initializer[0].dims = vec![4], "has 3 elements for the shape [4]"),
        (|m| graph(m).initializer[0].data_type = 8, "elements of the type 8"),
        (|m| graph(m).initializer[0].data_type = 7, "has 0 elements for the shape [3]"),
        (|m| graph(m).input[0] = port("x", 8, &[2, 3]), "input `x`: has elements of the type 8"),
        (|m| graph(m).input[0] = port("x", 1, &[2, -1]), "input `x`: axis 1 (N) has no size"),
        (|m| graph(m).input[0] = port("x", 1, &[1 << 40, 1 << 40]), "would have the shape"),
        (|m| graph(m).output.clear(), "has no output"),
        (|m| m.opset_import[0].version = 6, "is of operator set 6; 7 to 28 are read"),
        (|m| m.ir_version = 99, "is of IR version 99"),
    ];
    for (damage, message) in damages {
        let mut model = sum();
        damage(&mut model);
        let error = read(&model).map(|_| ()).expect_err(message).to_string();
        assert!(error.contains(message), "{message}: {error}");
    }
    assert!(read(&sum()).is_ok());
}

#[test]
fn all_that_is_not_supported_is_told_at_once() {
    let nodes = vec![
        node("NonZero x -> a", vec![]),
        node("Sigmoid a -> b", vec![]),
        node("Loop x -> c", vec![]),
        node("Transpose x -> d", vec![ints("perm", &[0, 7])]),
        node("Concat b c d -> y", vec![int("axis", 0)]),
    ];
    let error = read(&model(&[2, 2], vec![], nodes)).map(|_| ()).unwrap_err().to_string();
    for words in ["Loop (`c`)", "NonZero (`a`)", "Transpose (`d`)", "control flow"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(!error.contains("Sigmoid"), "{error}");
}

#[test]
fn a_few_bytes_do_not_become_gigabytes() {
    let shape = |sizes: &[i64]| vec![longs("shape", sizes), longs("zero", &[0])];
    for (sizes, nodes) in [
        (&[1 << 40, 1 << 40][..], vec![node("ConstantOfShape shape -> y", vec![])]),
        (&[1 << 30, 0], vec![node("ConstantOfShape shape -> y", vec![])]),
        (&[1 << 33], vec![node("Expand zero shape -> y", vec![])]),
        (&[1 << 33], vec![node("Tile zero shape -> y", vec![])]),
        (&[1 << 33], vec![node("Expand x shape -> y", vec![])]),
    ] {
        assert!(read(&model(&[1], shape(sizes), nodes)).is_err(), "{sizes:?}");
    }
    // Many that are small each.
    let mut nodes: Vec<NodeProto> = (0..9).map(|at| node(&format!("ConstantOfShape shape -> a{at}"), vec![])).collect();
    nodes.push(node("Concat a0 a1 a2 a3 a4 a5 a6 a7 a8 -> y", vec![int("axis", 0)]));
    let error = read(&model(&[1], shape(&[1 << 23]), nodes)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("elements"), "{error}");
}

#[test]
fn data_outside_of_the_folder_is_not_read() {
    let mut model = sum();
    let tensor = &mut model.graph.as_mut().unwrap().initializer[0];
    tensor.float_data.clear();
    tensor.external_data = vec![StringStringEntryProto { key: "location".into(), value: "../../etc/passwd".into() }];
    let error = read(&model).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("initializer `c`: its data file"), "{error}");
}

#[test]
fn shapes_are_stated_by_option() {
    let model = model(&[-1, -1], vec![], vec![node("Sigmoid x -> y", vec![])]);
    let stated = [StatedShape::parse("x=5,5").unwrap()];
    let made = import_model(&model, &mut DataFiles::beside(Path::new("/nowhere")), &stated).unwrap();
    assert_eq!(made.graph.value(made.graph.outputs()[0]).shape, [5, 5]);
}

#[test]
fn axes_that_are_all_called_a_question_mark_are_not_one() {
    let mut model = model(&[-1, -1], vec![], vec![node("Sigmoid x -> y", vec![])]);
    let Some(type_proto::Value::TensorType(tensor)) =
        &mut model.graph.as_mut().unwrap().input[0].r#type.as_mut().unwrap().value
    else {
        panic!("the input is a tensor");
    };
    for axis in &mut tensor.shape.as_mut().unwrap().dim {
        axis.value = Some(dimension::Value::DimParam("?".into()));
    }
    let stated = [StatedShape::parse("x=5,7").unwrap()];
    let made = import_model(&model, &mut DataFiles::beside(Path::new("/nowhere")), &stated).unwrap();
    assert_eq!(made.graph.value(made.graph.outputs()[0]).shape, [5, 7]);
}

#[test]
fn an_output_that_is_another_value_gives_that_its_name() {
    let nodes = vec![node("Sigmoid x -> inner", vec![]), node("Identity inner -> y", vec![])];
    let made = read(&model(&[1, 2], vec![], nodes)).unwrap().graph;
    assert_eq!(operators(&made), ["Sigmoid"]);
    assert_eq!((made.nodes()[0].name.as_str(), made.value(made.outputs()[0]).name.as_str()), ("y", "y"));
    // One value cannot be two outputs, nor an input one.
    let nodes = vec![node("Sigmoid x -> y", vec![]), node("Identity y -> same", vec![])];
    let mut two = model(&[1, 2], vec![], nodes);
    two.graph.as_mut().unwrap().output.push(port("same", 1, &[1, 2]));
    assert_eq!(operators(&read(&two).unwrap().graph), ["Sigmoid", "Reshape"]);
    let made = read(&model(&[1, 2], vec![], vec![node("Identity x -> y", vec![])])).unwrap().graph;
    assert_eq!(operators(&made), ["Reshape"]);
}

#[test]
fn indices_that_are_computed_are_named() {
    let picks = node("GatherElements x x -> y", vec![]);
    let error = read(&model(&[2, 2], vec![], vec![picks])).err().unwrap().to_string();
    assert!(error.contains("picks by indices that are computed"), "{error}");
}
