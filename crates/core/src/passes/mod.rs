//! Passes: small functions from graph to graph, each a file and an entry in [`PASSES`]. They all run before the freeze:
//! what [`freeze`] gives never changes again.
//!
//! A pass of any [`Kind`] keeps the function of the graph, within rounding. A pass of the kind [`Kind::Form`] brings
//! the graph into a form that ONNX and the target have. A pass of the kind [`Kind::Rewrite`] computes the same in
//! another way that loses less in integers.

mod add_to_parts;
mod constant_last;
mod detours;
mod fewer_axes;
mod fold_biases;
mod fold_constants;
mod fold_pads;
pub(crate) mod fold_scales;
mod frozen;
mod give_biases;
mod join_pads;
mod last_axis;
mod legalize;
mod merge_moves;
mod outer_products;
mod pick_first;
mod prune;
pub mod rewrite;
#[cfg(test)]
mod run;
mod skip_neutral;
mod skip_repeats;

use add_to_parts::add_to_parts;
use constant_last::constant_last;
use fewer_axes::fewer_axes;
use fold_biases::fold_biases;
use fold_constants::fold_constants;
pub use fold_constants::worth_folding;
use fold_pads::fold_pads;
use fold_scales::fold_scales;
pub use frozen::Frozen;
use give_biases::give_biases;
use join_pads::join_pads;
use last_axis::last_axis;
use legalize::legalize;
use merge_moves::merge_moves;
use outer_products::outer_products;
use pick_first::pick_first;
pub use prune::prune;
use skip_neutral::skip_neutral;
use skip_repeats::skip_repeats;

use crate::ir::{Graph, validate};
use crate::target::Target;
use autoneural_base::error::{Error, Result};

/// What passes are given beside the graph.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The chip that the graph is meant for.
    pub target: &'a Target,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It brings the graph into the form that ONNX and the target take.
    Form,
    /// It changes how the function is computed, so that less is lost in integers.
    Rewrite,
}

/// A function from graph to graph.
pub struct Pass {
    /// Its name, which is that of its file.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    /// What it is for.
    pub kind: Kind,
    apply: fn(&Graph, Context) -> Result<Graph>,
}

const FOLD_BIASES: Pass = Pass {
    name: "fold_biases",
    what: "moves what is added to channels, or taken from them, into the bias before it",
    kind: Kind::Rewrite,
    apply: |graph, _| fold_biases(graph),
};

/// All passes in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "fold_constants",
        what: "computes what depends on constants only",
        kind: Kind::Form,
        apply: |graph, _| fold_constants(graph),
    },
    Pass {
        name: "pick_first",
        what: "moves what integers pick, and not the integers",
        kind: Kind::Form,
        apply: |graph, _| pick_first(graph),
    },
    Pass {
        name: "skip_neutral",
        what: "leaves out sums with zeros and products with ones",
        kind: Kind::Form,
        apply: |graph, _| skip_neutral(graph),
    },
    Pass {
        name: "skip_repeats",
        what: "reads what a broadcast repeats before it is repeated",
        kind: Kind::Form,
        apply: |graph, _| skip_repeats(graph),
    },
    Pass {
        name: "fold_pads",
        what: "moves padding into the convolution or pooling behind it",
        kind: Kind::Form,
        apply: |graph, _| fold_pads(graph),
    },
    Pass {
        name: "join_pads",
        what: "joins what is padded for a matrix product with a constant",
        kind: Kind::Form,
        apply: |graph, _| join_pads(graph),
    },
    FOLD_BIASES,
    Pass {
        name: "fold_scales",
        what: "moves constant factors into the weights before them",
        kind: Kind::Rewrite,
        apply: |graph, _| fold_scales(graph),
    },
    // What a normalization adds behind its factors.
    FOLD_BIASES,
    Pass {
        name: "add_to_parts",
        what: "adds constants to the parts of a join, not to the whole",
        kind: Kind::Rewrite,
        apply: |graph, _| add_to_parts(graph),
    },
    Pass {
        name: "legalize",
        what: "spells out what ONNX has no operator for",
        kind: Kind::Form,
        apply: |graph, _| legalize(graph),
    },
    Pass {
        name: "constant_last",
        what: "turns products whose first factor is constant",
        kind: Kind::Form,
        apply: |graph, _| constant_last(graph),
    },
    Pass {
        name: "give_biases",
        what: "gives convolutions without a bias one of zeros",
        kind: Kind::Rewrite,
        apply: |graph, _| give_biases(graph),
    },
    Pass {
        name: "last_axis",
        what: "turns what the target takes on the last axis only to that axis",
        kind: Kind::Form,
        apply: |graph, context| last_axis(graph, context.target),
    },
    Pass {
        name: "fewer_axes",
        what: "joins axes where there are more than the target takes",
        kind: Kind::Form,
        apply: |graph, context| fewer_axes(graph, context.target),
    },
    Pass {
        name: "merge_moves",
        what: "joins transposes that follow each other, and reshapes",
        kind: Kind::Form,
        apply: |graph, _| merge_moves(graph),
    },
    Pass {
        name: "outer_products",
        what: "turns a factor of outer products, which are wrong without",
        kind: Kind::Form,
        apply: |graph, _| outer_products(graph),
    },
    Pass { name: "prune", what: "drops what nobody reads", kind: Kind::Form, apply: |graph, _| prune(graph) },
];

impl Pass {
    /// The graph that the pass makes of another one.
    ///
    /// # Errors
    /// The graph that comes out is not valid, which is a defect of the pass.
    pub fn apply(&self, graph: &Graph, context: Context) -> Result<Graph> {
        let made = (self.apply)(graph, context)?;
        let broken =
            |error: Error| Error { message: format!("{} behind the pass {}", error.message, self.name), ..error };
        validate(&made).map_err(broken)?;
        Ok(made)
    }
}

/// Runs all passes on a graph of a front end, and freezes what comes out.
///
/// # Errors
/// A graph is not valid, which is a defect of the front end or of a pass.
///
/// ```
/// use autoneural_core::ir::{Builder, Constant, ElementType, ops};
/// use autoneural_core::passes::{Context, freeze};
/// use autoneural_core::target::Target;
///
/// # fn main() -> Result<(), autoneural_base::error::Error> {
/// let mut b = Builder::new("linear");
/// let x = b.input("x", vec![1, 3], ElementType::F32)?;
/// let w = b.constant("w", Constant::from_values(vec![1.0; 6], vec![3, 2]))?;
/// let y = b.node("y", ops::MatMul, &[x, w])?;
/// b.node("unused", ops::MatMul, &[x, w])?;
/// let (target, _text) = Target::find("sa8295p")?;
/// let frozen = freeze(&b.finish(vec![y]), Context { target: &target })?;
/// assert_eq!(frozen.nodes().len(), 1); // what nobody reads is gone
/// # Ok(())
/// # }
/// ```
pub fn freeze(graph: &Graph, context: Context) -> Result<Frozen> {
    validate(graph)?;
    Frozen::new(PASSES.iter().try_fold(graph.clone(), |graph, pass| pass.apply(&graph, context))?)
}

/// A graph of a front end that is only legalized, and not rewritten. The frozen graph is compared with it.
///
/// # Errors
/// The graph is not valid, which is a defect of the front end.
pub fn as_built(graph: &Graph) -> Result<Frozen> {
    validate(graph)?;
    Frozen::new(legalize(graph)?)
}
