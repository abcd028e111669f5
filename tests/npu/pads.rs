//! What is padded for a matrix product, as linear attention counts its keys by a column of ones.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};

use crate::common::numbers;
use crate::common::tower::{self, figure};

/// Heads, places and features of a head.
const SIZES: [usize; 3] = [8, 16, 16];

fn model() -> Graph {
    let [heads, places, features] = SIZES;
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 8, 4, 4], ElementType::F32).unwrap();
    let channels = heads * 3 * features;
    let weights = numbers(channels * 8, 3).into_iter().map(|number| number * 0.6).collect();
    let weights = b.constant("w", Constant::from_values(weights, vec![channels, 8, 1, 1])).unwrap();
    let op = ops::Conv { strides: [1; 2], pads: [0; 4], groups: 1, dilations: [1; 2] };
    let made = b.node("made", op, &[x, weights]).unwrap();
    let rows = b.node("rows", ops::Reshape { shape: vec![1, heads, 3 * features, places] }, &[made]).unwrap();
    let turned = b.node("turned", ops::Transpose { perm: vec![0, 1, 3, 2] }, &[rows]).unwrap();
    let names = ["query", "key", "value"].map(String::from).to_vec();
    let parts = b.node_of(names, ops::Split { axis: 3, parts: 3 }, &[turned]).unwrap();
    let query = b.node("query.relu", ops::Relu, &parts[..1]).unwrap();
    let key = b.node("key.relu", ops::Relu, &parts[1..2]).unwrap();
    let pad = ops::Pad { before: vec![0; 4], after: vec![0, 0, 0, 1], padding: ops::Padding::Constant(1.0) };
    let padded = b.node("padded", pad, &parts[2..]).unwrap();
    let key = b.node("key.turned", ops::Transpose { perm: vec![0, 1, 3, 2] }, &[key]).unwrap();
    let seen = b.node("seen", ops::MatMul, &[key, padded]).unwrap();
    let y = b.node("y", ops::MatMul, &[query, seen]).unwrap();
    b.finish(vec![y])
}

#[test]
fn what_a_product_reads_padded_is_what_the_simulation_makes() {
    let folder = tower::written(model(), &[1, 8, 4, 4], |at| numbers(8 * 4 * 4, 30 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "products = \"split\"");
    let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join("out"));
    let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
    assert!(npu > 35.0 && (npu - simulated).abs() < 1.5, "{simulated} dB, NPU {npu} dB");
}
