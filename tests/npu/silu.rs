//! SiLU behind a convolution, which the vendor's compiler fuses.

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, Constant, ElementType, ops};
use autoneural::passes::as_built;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

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
