//! Graphs in graphs: functions of the model where they are called, choices that are known.

use super::tests::{ints, longs, model, node, read, reals, run};
use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto,
};

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}

/// A function `own.NAME` of `a` that makes `b`, with the attribute `alpha`, which is 0.5 where it is not stated.
fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: name.into(),
        domain: "own".into(),
        input: vec!["a".into()],
        output: vec!["b".into()],
        attribute_proto: vec![float("alpha", 0.5)],
        node: nodes,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        ..Default::default()
    }
}

fn call(text: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto { domain: "own".into(), ..node(text, attributes) }
}

fn with(functions: Vec<FunctionProto>, nodes: Vec<NodeProto>) -> ModelProto {
    ModelProto { functions, ..model(&[1, 2], vec![], nodes) }
}

#[test]
fn a_function_stands_in_the_place_of_each_call() {
    let alpha =
        AttributeProto { ref_attr_name: "alpha".into(), r#type: AttributeType::Float as i32, ..float("alpha", 0.0) };
    let leak = function("Leak", vec![node("LeakyRelu a -> c", vec![alpha]), node("Neg c -> b", vec![])]);
    // It calls another one, and hands on what it reads.
    let twice = function("Twice", vec![call("Leak a -> c", vec![float("alpha", 0.25)]), call("Same c -> b", vec![])]);
    let same = FunctionProto { output: vec!["a".into()], ..function("Same", vec![]) };
    let nodes = vec![call("Twice x -> c", vec![]), call("Leak c -> y", vec![])];
    let made = read(&with(vec![leak, twice, same], nodes)).unwrap().graph;
    // -leaky(0.25), -leaky(0.5)
    assert_eq!(run(&made, &[2.0, -4.0]), [1.0, -1.0]);
}

#[test]
fn functions_that_cannot_be_are_told() {
    let circle = function("Leak", vec![call("Leak a -> b", vec![])]);
    let mut bomb: Vec<FunctionProto> = (0..40)
        .map(|at| {
            let inner = format!("F{} a -> c", at + 1);
            function(&format!("F{at}"), vec![call(&inner, vec![]), call(&inner.replace("-> c", "-> b"), vec![])])
        })
        .collect();
    bomb.push(function("F40", vec![node("Neg a -> b", vec![])]));
    // Nothing is made, by calls that double.
    let mut idle = bomb.clone();
    idle[40].node.clear();
    let long = function("Long", vec![NodeProto { name: "n".repeat(1 << 20), ..node("Neg a -> b", vec![]) }]);
    let heavy = function("Leak", (0..300).map(|_| call("Long a -> c", vec![])).collect());
    let old = FunctionProto {
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 12 }],
        ..function("Leak", vec![node("Neg a -> b", vec![])])
    };
    for (functions, called, words) in [
        (vec![circle], "Leak", "functions that call each other"),
        (bomb, "F0", "more than 262144 nodes and calls in all"),
        (idle, "F0", "more than 262144 nodes and calls in all"),
        (vec![long, heavy], "Leak", "copies of more than 256 MiB in all"),
        (vec![old], "Leak", "function `Leak`: is of operator set 12; its model is of 17"),
        (vec![function("Leak", vec![node("Neg nothing -> b", vec![])])], "Leak", "reads `nothing`"),
    ] {
        let nodes = vec![call(&format!("{called} x -> y"), vec![])];
        let error = read(&with(functions, nodes)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// `If condition -> y` between graphs of these nodes, each of which makes `z`.
fn choice(condition: &str, then: Vec<NodeProto>, other: Vec<NodeProto>) -> NodeProto {
    let graph = |name: &str, nodes: Vec<NodeProto>| AttributeProto {
        name: name.into(),
        r#type: AttributeType::Graph as i32,
        g: Some(GraphProto {
            name: name.into(),
            node: nodes,
            initializer: vec![reals("w", &[1], &[3.0])],
            output: vec![ValueInfoProto { name: "z".into(), ..Default::default() }],
            ..Default::default()
        }),
        ..Default::default()
    };
    node(&format!("If {condition} -> y"), vec![graph("then_branch", then), graph("else_branch", other)])
}

#[test]
fn a_choice_that_follows_from_shapes_is_made_when_the_model_is_read() {
    let made = |size: &[i64]| {
        // Whether the second axis has three elements. Names of the graphs hide those around them.
        let nodes = vec![
            node("Sigmoid x -> s", vec![]),
            choice(
                "same",
                vec![node("Mul x w -> z", vec![])],
                vec![node("Neg s -> z", vec![]), node("NonZero s -> w2", vec![])],
            ),
            node("Shape x -> shape", vec![]),
            node("Gather shape one -> size", vec![]),
            node("Equal size three -> same", vec![]),
        ];
        let constants = vec![longs("one", &[1]), longs("three", &[3]), reals("w", &[1], &[7.0])];
        read(&model(size, constants, nodes)).unwrap().graph
    };
    assert_eq!(run(&made(&[1, 3]), &[1.0, 2.0, -1.0]), [3.0, 6.0, -3.0]);
    assert_eq!(run(&made(&[1, 2]), &[0.0, 0.0]), [-0.5, -0.5]);
}

#[test]
fn a_choice_by_data_is_told_with_the_way_round() {
    let nodes = vec![
        node("ReduceMax x -> most", vec![ints("axes", &[0, 1])]),
        node("Cast most -> is", vec![AttributeProto { i: 9, r#type: AttributeType::Int as i32, ..float("to", 0.0) }]),
        choice("is", vec![node("Neg x -> z", vec![])], vec![node("Abs x -> z", vec![])]),
    ];
    let error = read(&model(&[1, 2], vec![], nodes)).map(|_| ()).unwrap_err().to_string();
    for words in ["If (`y`)", "a condition that is computed of the data", "control flow"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let broken = vec![choice("c", vec![node("Neg nothing -> z", vec![])], vec![])];
    let mut broken = model(&[1, 2], vec![longs("c", &[1])], broken);
    let error = read(&broken).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("reads `nothing`"), "{error}");
    broken.graph.as_mut().unwrap().node[0].attribute.clear();
    assert!(read(&broken).map(|_| ()).unwrap_err().to_string().contains("If (`y`)"));
}
