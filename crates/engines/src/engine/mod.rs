//! Engines that carry out partitions: the float reference, and ONNX Runtime.

#[cfg(test)]
mod agrees;
mod array;
mod ort_session;
mod panels;
mod reference;
mod threads;
mod weights;

pub use array::{Array, Elements};
pub(crate) use array::{of_ort, to_ort};
pub use autoneural_core::engine::{Data, Engine, EngineKind, Tensor};
pub use ort_session::{OrtSession, SegmentSession};
pub use reference::Reference;
