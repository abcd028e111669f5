//! Checkpoints as people have them: in what folders, under what names, in what numbers, beside what else.

mod changes;
mod configuration;
mod files;
mod float8;
mod names;
mod outliers;
mod statistics;

use std::collections::BTreeMap;
use std::process::Output;

use safetensors::Dtype;
use serde_json::Value;

use crate::common::bench::{Bench, EXPORT, Tensor, contents};
use crate::common::{stderr, warnings_of};

pub const EMBED: &str = "model.embed_tokens.weight";

/// An export of other weights than the bench's.
pub fn export(bench: &Bench, weights: &str) -> Output {
    let mut args = EXPORT;
    args[3] = weights;
    bench.run(&args)
}

/// The models that an export makes, by file; the bundle is taken away again.
pub fn models(bench: &Bench, case: &str, weights: &str) -> BTreeMap<String, Vec<u8>> {
    let output = export(bench, weights);
    assert!(output.status.success(), "{case}: {}", stderr(&output));
    let made = contents(&bench.path("out/bundle/model"));
    std::fs::remove_dir_all(bench.path("out/bundle")).expect("the bundle");
    made
}

/// What an export warns of, as the bundle keeps it; the bundle is taken away again.
pub fn warnings(bench: &Bench, case: &str) -> Vec<String> {
    let output = bench.export();
    assert!(output.status.success(), "{case}: {}", stderr(&output));
    let manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).expect("the manifest");
    std::fs::remove_dir_all(bench.path("out/bundle")).expect("the bundle");
    warnings_of(&manifest)
}

/// A tensor of f32.
pub fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { dtype: Dtype::F32, shape: shape.to_vec(), data }
}
