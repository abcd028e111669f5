//! Steps: single runs of graphs, on any engine, while a driver runs samples through a program.

use super::partition::Partition;
use crate::engine::Tensor;
use autoneural_base::error::Result;

/// One run of one graph.
pub struct Step<'a> {
    /// Position of the graph in the program.
    pub partition: usize,
    /// The inputs, as the engine got them: real numbers or codes.
    pub inputs: &'a [Tensor],
    /// The outputs, as the engine gave them: real numbers or codes.
    pub outputs: &'a [Tensor],
    /// Its place in a sequence of tokens; `None` if it belongs to no sequence.
    pub tokens: Option<Tokens>,
    /// Whether it is the last of the steps that belong together for this graph: tokens that are taken in at once may
    /// need several steps.
    pub is_last: bool,
    /// Number of the sample, from 0.
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
