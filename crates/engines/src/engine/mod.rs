//! Engines that carry out partitions: the float reference, and ONNX Runtime.

#[cfg(test)]
mod agrees;
mod ort_session;
mod reference;

pub use autoneural_core::engine::{Data, Engine, EngineKind, Tensor};
pub use ort_session::{OrtSession, SegmentSession};
pub use reference::Reference;
