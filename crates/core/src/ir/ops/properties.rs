//! What holds of every operator of the list.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::ir::{Graph, sample_graph, validate};

/// Numbers that choices are made from.
fn entropy() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 40)
}

/// A random case of an operator, as a graph with its inputs.
fn drawn(kind: &OpKind, entropy: &[u32]) -> (Graph, Vec<Constant>) {
    let mut numbers = entropy.iter().copied().chain(std::iter::repeat(0));
    let mut next = || numbers.next().unwrap_or_default();
    let sample = (kind.draw)(&mut Chance::new(&mut next));
    numbers_of(&sample)
}

fn numbers_of(sample: &Sample<Op>) -> (Graph, Vec<Constant>) {
    let mut at = 0u32;
    let numbers = |count: usize, deviation: f32| {
        let mut next = || {
            at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (at >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next() * deviation).collect()
    };
    sample_graph(sample, numbers).unwrap()
}

/// All inputs of the one node: what is given, and constants.
fn operands(graph: &Graph, given: &[Constant]) -> Vec<Constant> {
    let given: Vec<_> = graph.inputs().iter().copied().zip(given).collect();
    let of = |id| match given.iter().find(|(input, _)| *input == id) {
        Some((_, constant)) => (*constant).clone(),
        None => graph.value(id).constant().unwrap().clone(),
    };
    graph.nodes()[0].inputs.iter().map(|&id| of(id)).collect()
}

#[test]
fn names_are_unique_and_inputs_stand_where_target_files_state_them() {
    let names: BTreeSet<&str> = OPERATORS.iter().map(|kind| kind.signature.name).collect();
    assert_eq!(names.len(), OPERATORS.len());
    let onnx: Vec<&str> = OPERATORS.iter().filter_map(|kind| kind.signature.onnx).collect();
    assert_eq!(onnx.iter().collect::<BTreeSet<_>>().len(), onnx.len());
    for signature in OPERATORS.iter().map(|kind| &kind.signature) {
        for kind in [InputKind::Weight, InputKind::Gain] {
            assert!([None, Some(1)].contains(&signature.position(kind)), "{}", signature.name);
        }
        assert!([None, Some(2)].contains(&signature.position(InputKind::Bias)), "{}", signature.name);
        assert!(signature.inputs.len() > signature.optional, "{}", signature.name);
    }
}

#[test]
fn samples_are_valid_graphs_of_their_operator() {
    for kind in OPERATORS {
        for (weights, bias) in [(false, false), (true, false), (true, true)] {
            let samples = (kind.samples)(Constants { weights, bias });
            assert!(!samples.is_empty(), "{}", kind.signature.name);
            let always_bias = kind.signature.position(InputKind::Bias).is_some() && kind.signature.optional == 0;
            for sample in samples.iter().filter(|_| bias || !always_bias) {
                assert_eq!(sample.operator.signature(), &kind.signature);
                validate(&numbers_of(sample).0).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_reference_makes_what_inference_says(entropy in entropy()) {
        for kind in OPERATORS {
            let (graph, given) = drawn(kind, &entropy);
            let node = &graph.nodes()[0];
            validate(&graph).unwrap();
            prop_assert_eq!(node.op.axis().is_some(), kind.signature.has_axis);
            let made = node.op.evaluate(&operands(&graph, &given)).unwrap();
            let of_made: Vec<_> = made.iter().map(|made| (made.shape().clone(), made.element_type())).collect();
            let inferred = node.outputs.iter().map(|&id| graph.value(id));
            let inferred: Vec<_> = inferred.map(|value| (value.shape.clone(), value.element)).collect();
            prop_assert_eq!(of_made, inferred, "{:?}", node.op);
            for made in &made {
                prop_assert_eq!(made.to_f32().len(), made.shape().iter().product::<usize>());
                prop_assert!(made.to_f32().iter().all(|value| value.is_finite()), "{:?}", node.op);
            }
        }
    }

    #[test]
    fn weights_have_the_axes_that_the_operator_says(entropy in entropy()) {
        for kind in OPERATORS.iter().filter(|kind| kind.signature.has_weights()) {
            let (graph, _) = drawn(kind, &entropy);
            let node = &graph.nodes()[0];
            let (weights, result) = (&graph.value(node.inputs[1]).shape, &graph.value(node.outputs[0]).shape);
            let axes = node.op.weight_axes(weights.len()).unwrap();
            prop_assert!(axes.input < weights.len());
            if let (Some(output), Some(scaled)) = (axes.output, node.op.scaled_axis(result.len())) {
                prop_assert_eq!(weights[output], result[scaled], "{:?} {:?} {:?}", node.op, weights, result);
            }
        }
    }

    #[test]
    fn factors_on_constants_are_factors_on_the_result(entropy in entropy()) {
        for kind in OPERATORS {
            let (graph, given) = drawn(kind, &entropy);
            let (node, operands) = (&graph.nodes()[0], operands(&graph, &given));
            let rank = graph.value(node.outputs[0]).shape.len();
            let Some(axis) = node.op.scaled_axis(rank) else { continue };
            let channels = graph.value(node.outputs[0]).shape[axis];
            let factors: Vec<f32> = (1..=channels).map(|factor| factor as f32).collect();
            let scaled = operands.iter().enumerate().map(|(at, operand)| {
                let axis = node.op.channel_axis(at, operand.shape().len());
                axis.map_or(operand.clone(), |axis| operand.scaled(axis, factors.clone().into()))
            });
            let inside = node.op.evaluate(&scaled.collect::<Vec<_>>()).unwrap().swap_remove(0).to_f32();
            let outside = node.op.evaluate(&operands).unwrap().swap_remove(0).scaled(axis, factors.into()).to_f32();
            for (inside, outside) in inside.iter().zip(&outside) {
                let close = (inside - outside).abs() <= 1e-4 * (1.0 + outside.abs());
                prop_assert!(close, "{:?}: {} {}", node.op, inside, outside);
            }
        }
    }

    #[test]
    fn json_comes_back_as_it_was(entropy in entropy()) {
        for kind in OPERATORS {
            let op = drawn(kind, &entropy).0.nodes()[0].op.clone();
            let text = serde_json::to_string(&op).unwrap();
            prop_assert_eq!(serde_json::from_str::<Op>(&text).unwrap(), op, "{}", text);
        }
    }

    #[test]
    fn onnx_comes_back_as_it_was(entropy in entropy()) {
        for kind in OPERATORS {
            let (graph, given) = drawn(kind, &entropy);
            let (node, operands) = (&graph.nodes()[0], operands(&graph, &given));
            let shapes: Vec<&Shape> = operands.iter().map(Constant::shape).collect();
            let Some(form) = node.op.to_onnx(&shapes) else { continue };
            prop_assert_eq!(Some(form.op_type), kind.signature.onnx);
            let read = made_of(form, &operands, node.outputs.len());
            let back = (kind.from_onnx)(&read).unwrap();
            prop_assert_eq!(&back.operator, &node.op);
            prop_assert_eq!(back.inputs, (0..operands.len()).collect::<Vec<_>>());
            // What is not understood is refused, not passed over.
            let mut other = read.clone();
            other.attributes.push(("unheard_of".into(), Attribute::Int(1)));
            prop_assert!((kind.from_onnx)(&other).is_err(), "{:?}", node.op);
        }
    }
}

/// The node of a model that a form becomes.
fn made_of(form: OnnxForm, operands: &[Constant], outputs: usize) -> OnnxNode {
    let input = |constant: &Constant, is_known: bool| OnnxInput {
        shape: constant.shape().clone(),
        element: constant.element_type(),
        constant: is_known.then(|| constant.clone()),
    };
    let mut inputs: Vec<_> = operands.iter().map(|operand| Some(input(operand, false))).collect();
    inputs.extend(form.extra.into_iter().map(|extra| match extra {
        Extra::Absent => None,
        Extra::Real(_, value) => Some(input(&Constant::from_values(vec![value], vec![]), true)),
        Extra::Integers(_, values) => {
            let shape = vec![values.len()];
            Some(input(&Constant::from_integers(ElementType::I64, values, shape), true))
        }
    }));
    let attributes = form.attributes.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    OnnxNode { op_type: form.op_type.into(), opset: 23, attributes, inputs, outputs }
}
