//! Products of every element with every other, as linear attention adds them up.

use autoneural::ir::{Builder, ElementType, Graph, ops};

use crate::common::numbers;
use crate::common::tower::{self, figure};

/// Keys and values of one shape, `[8, 16]`, and of each pair the product.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 8, 32], ElementType::F32).unwrap();
    let names = ["key", "value"].map(String::from).to_vec();
    let parts = b.node_of(names, ops::Split { axis: 2, parts: 2 }, &[x]).unwrap();
    let key = b.node("key.relu", ops::Relu, &parts[..1]).unwrap();
    let column = b.node("column", ops::Reshape { shape: vec![1, 8, 16, 1] }, &[key]).unwrap();
    let row = b.node("row", ops::Reshape { shape: vec![1, 8, 1, 16] }, &[parts[1]]).unwrap();
    let y = b.node("y", ops::Mul, &[column, row]).unwrap();
    b.finish(vec![y])
}

#[test]
fn each_element_is_multiplied_with_each() {
    let folder = tower::written(model(), &[1, 8, 32], |at| numbers(8 * 32, 80 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "");
    let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join("out"));
    let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
    assert!(npu > 60.0 && (npu - simulated).abs() < 6.0, "{simulated} dB, NPU {npu} dB");
}
