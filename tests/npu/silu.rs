//! SiLU, which the vendor's compiler fuses: behind a convolution, and behind other operators.

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural::passes::as_built;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::tower::{self, figure};
use crate::common::{json, numbers, succeed};

/// Numbers of rows on both sides of those that the compiler gets wrong.
#[test]
fn images_of_any_number_of_rows_are_right_on_the_npu() {
    for rows in [8, 9, 10, 12, 13] {
        let folder = TempDir::new().unwrap();
        let shape = vec![1, 3, rows, 12];
        let mut b = Builder::new("swish");
        let x = b.input("x", shape.clone(), ElementType::F32).unwrap();
        let weight = b.constant("weight", Constant::from_values(numbers(96, 3), vec![32, 3, 1, 1])).unwrap();
        let bias = b.constant("bias", Constant::from_values(numbers(32, 4), vec![32])).unwrap();
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let hidden = b.node("hidden", conv, &[x, weight, bias]).unwrap();
        let y = b.node("y", ops::Silu, &[hidden]).unwrap();
        let partition = partition("swish", as_built(&b.finish(vec![y])).unwrap()).unwrap();
        let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
        emit_float(&partition, &folder.path().join("swish.onnx"), &mut data).unwrap();
        data.finish().unwrap();
        let samples = folder.path().join("samples");
        std::fs::create_dir(&samples).unwrap();
        for at in 0..8 {
            let bytes: Vec<u8> = numbers(3 * rows * 12, 50 + at).iter().flat_map(|value| value.to_le_bytes()).collect();
            let view = TensorView::new(Dtype::F32, shape.clone(), &bytes).unwrap();
            std::fs::write(samples.join(format!("{at}.safetensors")), serialize([("x", view)], None).unwrap()).unwrap();
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let [model, samples, out] = ["swish.onnx", "samples", "out"].map(path);
        let args = ["compile", &model, "--calibration", &samples, "--target", "sa8295p", "--out", &out, "-q"];
        succeed(&args);
        let report = json(&folder.path().join("out/report.json"));
        let found = report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
        assert!(found > 40.0, "{rows} rows: {found}");
    }
}

/// SiLU of as many rows behind other operators, which the compiler fuses in another way.
fn behind(maker: &str, rows: usize) -> Graph {
    let mut b = Builder::new("tower");
    let shape = vec![1, 16, rows, 6];
    let x = b.input("x", shape.clone(), ElementType::F32).unwrap();
    let added = b.constant("added", Constant::from_values(numbers(16, 5), vec![16, 1, 1])).unwrap();
    let made = match maker {
        "sum" => b.node("made", ops::Add, &[x, added]).unwrap(),
        "leaky" => b.node("made", ops::LeakyRelu { alpha: 0.1 }, &[x]).unwrap(),
        _ => {
            let groups = b.node("groups", ops::Reshape { shape: vec![1, 4, 4 * rows * 6] }, &[x]).unwrap();
            let [gamma, bias] = [("gamma", 1.0), ("bias", 0.0)]
                .map(|(name, number)| b.constant(name, Constant::from_values(vec![number; 4], vec![4])).unwrap());
            let norm = b.node("norm", ops::InstanceNorm { epsilon: 1e-5 }, &[groups, gamma, bias]).unwrap();
            let back = b.node("back", ops::Reshape { shape: shape.clone() }, &[norm]).unwrap();
            b.node("made", ops::Add, &[back, added]).unwrap()
        }
    };
    let gate = b.node("gate", ops::Sigmoid, &[made]).unwrap();
    let hidden = b.node("hidden", ops::Mul, &[made, gate]).unwrap();
    let y = b.node("y", ops::MaxPool { kernel: [1, 2], strides: [1, 2], pads: [0; 4] }, &[hidden]).unwrap();
    b.finish(vec![y])
}

#[test]
fn few_rows_are_right_behind_any_operator() {
    for (maker, rows) in [("sum", 1), ("sum", 6), ("leaky", 8), ("group norm", 6), ("group norm", 10), ("sum", 14)] {
        let folder = tower::written(behind(maker, rows), &[1, 16, rows, 6], |at| numbers(16 * rows * 6, 70 + at));
        let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "");
        let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join("out"));
        let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
        assert!(npu > 40.0, "{maker}, {rows} rows: {simulated} dB, NPU {npu} dB");
    }
}
