//! More axes than the NPU counts, as a picture that is cut into windows has them.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};

use crate::common::numbers;
use crate::common::tower::{self, figure};

fn constant(b: &mut Builder, name: &str, shape: &[usize], seed: usize) -> autoneural::ir::ValueId {
    let values = numbers(shape.iter().product(), seed).into_iter().map(|number| number * 0.5).collect();
    b.constant(name, Constant::from_values(values, shape.to_vec())).unwrap()
}

/// Attention within windows: six axes from the cut to the join, with positions of rows and of columns that are added to
/// what the heads look at.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 8, 8, 16], ElementType::F32).unwrap();
    let cut = b.node("cut", ops::Reshape { shape: vec![1, 2, 4, 2, 4, 16] }, &[x]).unwrap();
    let windows = b.node("windows", ops::Transpose { perm: vec![0, 1, 3, 2, 4, 5] }, &[cut]).unwrap();
    let [gamma, bias] = [("gamma", 11), ("bias", 12)].map(|(name, seed)| constant(&mut b, name, &[16], seed));
    let norm = b.node("norm", ops::LayerNorm { epsilon: 1e-5 }, &[windows, gamma, bias]).unwrap();
    let weights = constant(&mut b, "qkv.w", &[16, 48], 13);
    let all = b.node("qkv", ops::MatMul, &[norm, weights]).unwrap();
    let heads = b.node("heads", ops::Reshape { shape: vec![1, 4, 16, 3, 2, 8] }, &[all]).unwrap();
    let turned = b.node("turned", ops::Transpose { perm: vec![3, 0, 1, 4, 2, 5] }, &[heads]).unwrap();
    let names = ["query", "key", "value"].map(String::from).to_vec();
    let parts = b.node_of(names, ops::Split { axis: 0, parts: 3 }, &[turned]).unwrap();
    let key = b.node("key.turned", ops::Transpose { perm: vec![0, 1, 2, 3, 5, 4] }, &parts[1..2]).unwrap();
    let seen = b.node("seen", ops::MatMul, &[parts[0], key]).unwrap();
    let grid = b.node("grid", ops::Reshape { shape: vec![4, 2, 16, 1, 4, 4] }, &[seen]).unwrap();
    let mut placed = grid;
    for (name, shape, seed) in [("rows", [1, 2, 1, 1, 4, 1], 14), ("columns", [1, 2, 1, 1, 1, 4], 15)] {
        let added = constant(&mut b, &format!("{name}.c"), &shape, seed);
        placed = b.node(name, ops::Add, &[placed, added]).unwrap();
    }
    let flat = b.node("flat", ops::Reshape { shape: vec![1, 1, 4, 2, 16, 16] }, &[placed]).unwrap();
    let weighed = b.node("weighed", ops::Softmax { axis: 5 }, &[flat]).unwrap();
    let made = b.node("made", ops::MatMul, &[weighed, parts[2]]).unwrap();
    let joined = b.node("joined", ops::Transpose { perm: vec![0, 1, 2, 4, 3, 5] }, &[made]).unwrap();
    let back = b.node("back", ops::Reshape { shape: vec![1, 2, 2, 4, 4, 16] }, &[joined]).unwrap();
    let picture = b.node("picture", ops::Transpose { perm: vec![0, 1, 3, 2, 4, 5] }, &[back]).unwrap();
    let y = b.node("y", ops::Reshape { shape: vec![1, 8, 8, 16] }, &[picture]).unwrap();
    b.finish(vec![y])
}

#[test]
fn six_axes_are_computed_on_the_npu() {
    let folder = tower::written(model(), &[1, 8, 8, 16], |at| numbers(8 * 8 * 16, 60 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "products = \"split\"");
    let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join("out"));
    let partition = &report["partitions"][0];
    assert_eq!(partition["npu_nodes"], partition["nodes"], "{partition}");
    let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
    assert!(npu > 35.0 && (npu - simulated).abs() < 3.0, "{simulated} dB, NPU {npu} dB");
}
