//! A small model of one input, `tower`, with eight samples of it and a recipe.

use std::path::{Path, PathBuf};

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::Graph;
use autoneural::passes::Frozen;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;
use tempfile::TempDir;

use super::{json, succeed};

/// Samples that calibrate; two more judge.
pub const CALIBRATING: usize = 6;

/// `tower.onnx` and its samples in a folder; `sample` gives the numbers of the input `x` of this shape.
pub fn written(graph: Graph, shape: &[usize], sample: impl Fn(usize) -> Vec<f32>) -> TempDir {
    let folder = TempDir::new().unwrap();
    let partition = partition("tower", Frozen::new(graph).unwrap()).unwrap();
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &folder.path().join("tower.onnx"), &mut data).unwrap();
    data.finish().unwrap();
    for at in 0..CALIBRATING + 2 {
        let bytes: Vec<u8> = sample(at).into_iter().flat_map(f32::to_le_bytes).collect();
        let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        std::fs::write(folder.path().join(format!("{at}.safetensors")), serialize([("x", view)], None).unwrap())
            .unwrap();
    }
    folder
}

/// A recipe of these integers of weights and activations, with more lines.
pub fn recipe(folder: &Path, [weights, activations]: [&str; 2], lines: &str) -> PathBuf {
    let mut text = format!(
        "schema = 2\nname = \"samples\"\n\
         [recipe.tower]\nweights = \"{weights}\"\nactivations = \"{activations}\"\nobserver = \"min-max\"\n{lines}\n"
    );
    for at in 0..CALIBRATING + 2 {
        let list = if at < CALIBRATING { "calibration" } else { "verification" };
        text.push_str(&format!("[[{list}]]\ntensors = \"{at}.safetensors\"\n"));
    }
    let path = folder.join("recipe.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Compiles the model, and gives the report.
pub fn compile(folder: &Path, recipe: &Path, more: &[&str], out: &Path) -> Value {
    let model = folder.join("tower.onnx");
    let [model, recipe, to] = [&*model, recipe, out].map(|path| path.to_str().unwrap());
    let arguments = ["compile", model, "--calibration", recipe, "--target", "sa8295p", "--out", to, "-q"];
    succeed(&[&arguments[..], more].concat());
    json(&out.join("report.json"))
}

/// SQNR of the first output on an engine, in dB.
pub fn figure(report: &Value, engine: &str) -> f64 {
    let found = &report["partitions"][0]["outputs"][0]["sqnr_db"][engine];
    found.as_f64().unwrap_or_else(|| panic!("{engine}: {report}"))
}
