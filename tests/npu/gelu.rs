//! GELUs that are written as what they are made of.

use autoneural::ir::ops::GeluKind;
use autoneural::ir::{Builder, ElementType, Graph, ops};

use crate::common::{numbers, tower};

const SIZE: usize = 4096;

fn model(kind: GeluKind) -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, SIZE], ElementType::F32).unwrap();
    let y = b.node("y", ops::Gelu { kind }, &[x]).unwrap();
    b.finish(vec![y])
}

#[test]
fn a_spelled_gelu_is_nearer_to_float_than_the_npus_own() {
    for kind in [GeluKind::Erf, GeluKind::Tanh] {
        // Far beyond where its sigmoid has reached its ends.
        let sample = |at| numbers(SIZE, 60 + at).into_iter().map(|number| 15.0 * number).collect();
        let folder = tower::written(model(kind), &[1, SIZE], sample);
        let figures = |lines: &str| {
            let recipe = tower::recipe(folder.path(), ["int8", "uint16"], lines);
            let out = folder.path().join(if lines.is_empty() { "whole" } else { "spelled" });
            let report = tower::compile(folder.path(), &recipe, &["--layers", "none", "--require-npu"], &out);
            let partition = &report["partitions"][0];
            assert_eq!(partition["npu_nodes"], partition["nodes"], "{partition}");
            ["simulated", "npu"].map(|engine| tower::figure(&report, engine))
        };
        let ([_, whole], [simulated, spelled]) = (figures(""), figures("gelu = \"spelled\"\n"));
        assert!(simulated > 80.0 && spelled > 80.0 && spelled > whole + 8.0, "{kind:?}: {whole} {simulated} {spelled}");
    }
}
