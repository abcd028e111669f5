//! Steps: single runs of graphs, on any engine, as whoever runs samples through a program takes them.

use super::partition::Partition;
use crate::engine::Tensor;
use autoneural_base::error::Result;

/// One run of one graph.
pub struct Step<'a> {
    /// Position of the graph in the program.
    pub partition: usize,
    /// What went in, as it crossed the border.
    pub inputs: &'a [Tensor],
    /// What came out, as it crossed the border.
    pub outputs: &'a [Tensor],
    /// Where it stands in a sequence of tokens; none where it is of no sequence.
    pub tokens: Option<Tokens>,
    /// Whether the sample has no further step for this graph right behind it.
    pub is_last: bool,
    /// Number of the sample, where there are several.
    pub sample: usize,
}

/// The tokens of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens of the sequence before the step.
    pub position: usize,
    /// Tokens of the step that count; the rest is padding.
    pub count: usize,
}

/// Called after every run.
pub type Visit<'v> = dyn FnMut(Step) -> Result<()> + 'v;

/// Loads the engine of a graph.
pub type Load<'a, E> = dyn FnMut(&Partition) -> Result<E> + 'a;
