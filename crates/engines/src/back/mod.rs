//! Back ends: what is written for others to read.

pub mod codes;
pub mod encodings;
pub mod evidence;
pub mod onnx;
pub mod qnn;
