//! What bad input gets where the toolkit runs.

mod limits;
mod onnx;
mod system;
