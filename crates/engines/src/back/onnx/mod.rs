//! ONNX emission: one walk over the graph for float models, one for quantized ones, the nodes themselves in common.

mod check;
mod data;
mod float;
mod gelu;
mod names;
mod nodes;
mod pair;
mod proto;
mod qdq;
mod split;
mod wide;

pub use autoneural_onnx::{encode, encode_as, read as decode};
pub use check::{check_context, check_float, check_quantized};
pub use data::DataWriter;
pub use float::{ConstantPlace, emit_as_built, emit_float, float_bytes};
pub(crate) use proto::{DataType, axis, node, value_info};
pub use proto::{op_counts, summary};
pub use qdq::emit_qdq;

/// The messages of the format.
pub use autoneural_onnx as pb;
