//! The intermediate representation: an arena of values and nodes in topological order, with typed operators.
//!
//! In comes what the front end builds; out goes a graph that no later stage changes. Numbers about the graph
//! (statistics, encodings) live in tables beside it, keyed by the names of values.

mod build;
mod compare;
mod constant;
mod float8;
mod graph;
pub mod ops;
mod print;
mod sample_graph;
mod types;
mod validate;

pub use build::Builder;
pub use constant::{Constant, Identity, StoredType, View, index_of, le_bytes, permute};
pub use graph::{Graph, Node, Origin, Value, ValueId};
pub use ops::{GeluKind, Interpolation, Op};
pub use sample_graph::sample_graph;
pub use types::{ElementType, Shape};
pub use validate::validate;
