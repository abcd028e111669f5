//! ONNX emission: one emitter walks the graph, a [`Dialect`] decides how values and constants appear.

mod data;
mod float;
mod nodes;
mod proto;
mod qdq;

pub use data::DataWriter;
pub use float::{ConstantPlace, emit_float};
pub use proto::{decode, op_counts, summary};
pub use qdq::emit_qdq;

/// ONNX operator set of everything emitted: the first with `RMSNormalization`.
const OPSET: i64 = 23;
/// ONNX IR version that belongs to it.
const IR_VERSION: i64 = 11;
