//! Passes: small functions from graph to graph. [`lower`] runs them in order; after it the graph never changes.

mod fold_constants;
mod fold_scales;
mod legalize;
mod merge_moves;
mod prune;
mod rewrite;

pub use fold_constants::fold_constants;
pub use fold_scales::fold_scales;
pub use legalize::legalize;
pub use merge_moves::merge_moves;
pub use prune::prune;

use crate::error::Result;
use crate::ir::{Graph, validate};

/// Brings a graph of the front end into the form that targets take. Validates after every pass.
///
/// # Errors
/// A graph that breaks a promise, which is a defect of the front end or of a pass.
pub fn lower(graph: &Graph) -> Result<Graph> {
    validate(graph)?;
    let mut graph = graph.clone();
    for pass in [fold_constants, fold_scales, legalize, merge_moves, prune] {
        graph = pass(&graph)?;
        validate(&graph)?;
    }
    Ok(graph)
}
