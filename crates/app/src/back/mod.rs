//! Back ends, and the bundle that everything is written to.

pub(crate) use autoneural_engines::back::{codes, encodings, evidence, onnx, qnn};

pub mod bundle;
