//! What a pattern finds: an operator, and what it reads.

use autoneural_core::ir::{Constant, Op, ValueId};

/// What an operator that was found reads.
pub enum Source {
    /// A value of the graph.
    Value(ValueId),
    /// A constant that is not in the graph in this form; what it is called behind the name of the node.
    Constant(&'static str, Constant),
}

/// An operator that gives what a node gives.
pub struct Found {
    /// The operator.
    pub op: Op,
    /// What it reads, in its order.
    pub inputs: Vec<Source>,
}
