//! Back ends, and the bundle that everything is written to.

pub use autoneural_bundle as bundle;
pub(crate) use autoneural_engines::back::{codes, encodings, evidence, onnx, qnn};
