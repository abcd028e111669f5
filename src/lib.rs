//! `autoneural` turns a vision-language checkpoint into what a car NPU loads, and proves what it made.
//!
//! A model is a [`ir::Graph`] that never changes once [`passes::freeze`] is done with it, and a [`quantize::Table`] of
//! encodings beside it. The [`stages`] lead from one to the other through a [`bundle::Bundle`] on disk. The crates of
//! the workspace stand on floors; this one has the command line and gathers the others.

pub use autoneural_app::{
    calibrate, demo, diff, drivers, evaluate, golden, report, runner, samples, shards, stages, synth, target_check,
    tune, verify,
};
pub use autoneural_base::{
    Error, Result, contain, cut_off, error, files, folder, json, limits, machine, map, progress, shown, text,
    utf8_path, version, warning,
};
pub use autoneural_bundle as bundle;
pub use autoneural_core::{
    closeness, encoding, evidence, goals, ir, partition, passes, program, quantize, recipe, segment, sqnr, target,
};
pub use autoneural_engines::engine;
pub use autoneural_front as front;
pub use autoneural_host as host;
pub use autoneural_views::{drawing, gate, page};

/// Back ends: what is written for others to read.
pub mod back {
    pub use autoneural_engines::back::{codes, encodings, evidence, onnx, qnn};
}
