//! Operators that become several others, by what those compute.

use super::tests::{int, ints, longs, model, node, operators, read, reals, run};
use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::{AttributeProto, NodeProto, TensorProto};

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}

/// What a model of these nodes makes of numbers of a shape.
fn made(shape: &[i64], constants: Vec<TensorProto>, nodes: Vec<NodeProto>, x: &[f32]) -> Vec<f32> {
    run(&read(&model(shape, constants, nodes)).unwrap().graph, x)
}

#[test]
fn real_numbers_are_compared_by_the_sign_of_their_difference() {
    let x = [-1.5, -0.25, 0.0, 0.25, 0.5, 3.0];
    for (op, wanted) in [
        ("Greater", [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]),
        ("GreaterOrEqual", [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("Less", [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ("LessOrEqual", [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]),
        ("Equal", [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
    ] {
        let nodes = vec![node(&format!("{op} x limit -> t"), vec![]), node("Cast t -> y", vec![int("to", 1)])];
        assert_eq!(made(&[6], vec![reals("limit", &[1], &[0.25])], nodes, &x), wanted, "{op}");
    }
    let nodes = vec![node("Cast x -> t", vec![int("to", 9)]), node("Cast t -> y", vec![int("to", 1)])];
    assert_eq!(made(&[6], vec![], nodes, &x), [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    // A choice by a comparison.
    let nodes = vec![node("Less x limit -> t", vec![]), node("Where t limit x -> y", vec![])];
    assert_eq!(made(&[6], vec![reals("limit", &[1], &[0.25])], nodes, &x), [0.25, 0.25, 0.25, 0.25, 0.5, 3.0]);
}

#[test]
fn integers_of_real_numbers_have_no_fractions() {
    let nodes = vec![node("Cast x -> t", vec![int("to", 7)]), node("Cast t -> y", vec![int("to", 1)])];
    assert_eq!(made(&[4], vec![], nodes, &[-1.75, -0.5, 0.5, 2.25]), [-1.0, 0.0, 0.0, 2.0]);
    let rest = |fmod: i64| {
        let nodes = vec![node("Mod x b -> y", vec![int("fmod", fmod)])];
        made(&[4], vec![reals("b", &[1], &[2.0])], nodes, &[-3.5, -2.0, 3.5, 5.0])
    };
    assert_eq!(rest(0), [0.5, 0.0, 1.5, 1.0]);
    assert_eq!(rest(1), [-1.5, 0.0, 1.5, 1.0]);
}

#[test]
fn integers_are_computed_with_as_the_real_numbers_that_inputs_become() {
    let mut mask = model(
        &[1, 2],
        vec![longs("one", &[1])],
        vec![node("Sub one x -> rest", vec![]), node("Cast rest -> y", vec![int("to", 1)])],
    );
    let input = mask.graph.as_mut().unwrap();
    input.input[0] = super::tests::port("x", 7, &[1, 2]);
    let made = read(&mask).unwrap();
    assert!(made.notes[0].contains("taken as float32"), "{:?}", made.notes);
    assert_eq!(run(&made.graph, &[1.0, 0.0]), [0.0, 1.0]);
}

#[test]
fn normalizations_are_standardized_first_and_learned_factors_come_behind() {
    let channels = |name, values: &[f32]| reals(name, &[2], values);
    let constants = || vec![channels("gain", &[2.0, 0.5]), channels("bias", &[1.0, -1.0])];
    let norm = |text: &str, attributes, constants| {
        let made = read(&model(&[1, 2, 2, 2], constants, vec![node(text, attributes)])).unwrap().graph;
        let found = run(&made, &[1.0, -1.0, 1.0, -1.0, 3.0, 5.0, 5.0, 3.0]);
        let rounded: Vec<f32> = found.into_iter().map(|value| (value * 100.0).round() / 100.0).collect();
        (operators(&made), rounded)
    };
    let (found, values) = norm("InstanceNormalization x gain bias -> y", vec![], constants());
    assert_eq!(found, ["InstanceNormalization", "Mul", "Add"]);
    assert_eq!(values, [3.0, -1.0, 3.0, -1.0, -1.5, -0.5, -0.5, -1.5]);
    // What changes nothing is left out.
    let idle = vec![channels("gain", &[1.0, 1.0]), channels("bias", &[0.0, 0.0])];
    let (found, values) = norm("InstanceNormalization x gain bias -> y", vec![], idle);
    assert_eq!(found, ["InstanceNormalization"]);
    assert_eq!(values, [1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0]);
    let one = "GroupNormalization x gain bias -> y";
    let mut model = model(&[1, 2, 2, 2], constants(), vec![node(one, vec![int("num_groups", 1)])]);
    model.opset_import[0].version = 21;
    let made = read(&model).unwrap().graph;
    assert_eq!(operators(&made), ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]);
    // Mean 2, variance 5.
    let found = run(&made, &[1.0, -1.0, 1.0, -1.0, 3.0, 5.0, 5.0, 3.0]);
    assert!((found[0] - (1.0 - 2.0 / 5f32.sqrt())).abs() < 1e-3, "{found:?}");
    let axes = ints("axes", &[0, 2, 3]);
    let (_, values) = norm("MeanVarianceNormalization x -> y", vec![axes], vec![]);
    assert_eq!(values, [1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0]);
}

#[test]
fn a_constant_that_hides_hides_by_a_finite_number() {
    let mask = vec![reals("mask", &[3], &[0.0, f32::NEG_INFINITY, -3.4e38])];
    let nodes = vec![node("Add x mask -> s", vec![]), node("Softmax s -> y", vec![])];
    assert_eq!(made(&[1, 3], mask, nodes, &[5.0, 6.0, 7.0]), [1.0, 0.0, 0.0]);
    // Low numbers that are none of a mask stay.
    let low = vec![reals("low", &[2], &[-20000.0, 1.0])];
    assert_eq!(made(&[1, 2], low, vec![node("Add low x -> y", vec![])], &[1.0, 1.0]), [-19999.0, 2.0]);
}

#[test]
fn activations_and_reductions_compute_what_they_stand_for() {
    let x: [f32; 4] = [-2.0, -0.25, 0.5, 2.0];
    let near = |found: Vec<f32>, wanted: [f32; 4]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
    let axis = || vec![ints("axes", &[1]), int("keepdims", 0)];
    let sum: f32 = x.iter().map(|x| x.exp()).sum();
    let length = x.iter().map(|x| x * x).sum::<f32>().sqrt();
    let cases: [(&str, Vec<AttributeProto>, [f32; 4]); 6] = [
        ("ThresholdedRelu x -> y", vec![float("alpha", 0.5)], [0.0, 0.0, 0.0, 2.0]),
        ("Shrink x -> y", vec![float("lambd", 0.5), float("bias", 0.25)], [-1.75, 0.0, 0.0, 1.75]),
        (
            "Celu x -> y",
            vec![float("alpha", 2.0)],
            [2.0 * ((-1f32).exp() - 1.0), 2.0 * ((-0.125f32).exp() - 1.0), 0.5, 2.0],
        ),
        ("ReduceLogSumExp x -> y", axis(), [sum.ln(); 4]),
        ("LpNormalization x -> y", vec![], x.map(|x| x / length)),
        ("IsInf x -> y", vec![], [0.0; 4]),
    ];
    for (text, attributes, wanted) in cases {
        let mut nodes = vec![node(text, attributes)];
        if text.starts_with("IsInf") {
            nodes = vec![node("IsInf x -> t", vec![]), node("Where t x zero -> y", vec![])];
        }
        let found = made(&[1, 4], vec![reals("zero", &[1], &[0.0])], nodes, &x);
        assert!(near(found.clone(), wanted), "{text}: {found:?}, {wanted:?}");
    }
    let nodes = vec![node("Pow x two -> y", vec![])];
    assert_eq!(made(&[1, 4], vec![longs("two", &[2])], nodes, &x), [4.0, 0.0625, 0.25, 4.0]);
    let nodes = vec![node("LRN x -> y", vec![int("size", 3), float("alpha", 3.0), float("beta", 1.0)])];
    // Each divided by one and the squares of itself and its neighbours.
    let found = made(&[1, 4, 1, 1], vec![], nodes, &x);
    let wanted = [-2.0 / 5.0625, -0.25 / 5.3125, 0.5 / 5.3125, 2.0 / 5.25];
    assert!(near(found.clone(), wanted), "{found:?}, {wanted:?}");
}
