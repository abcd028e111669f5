//! The projector: linear, GELU, linear; with a normalization before it where the definition says so.

use super::{Sight, Vision, Weights};
use autoneural_base::error::Result;
use autoneural_core::ir::{Builder, ElementType, Graph, ops};

/// Names that a family of checkpoints gives to the parts.
struct Names {
    norm: &'static str,
    linear_1: &'static str,
    linear_2: &'static str,
}

/// LFM2-VL and LLaVA: `multi_modal_projector.…`.
const NAMED: Names = Names { norm: "layer_norm", linear_1: "linear_1", linear_2: "linear_2" };
/// InternVL, whose projector is a list: `mlp1.…`.
const NUMBERED: Names = Names { norm: "0", linear_1: "1", linear_2: "3" };
const NAMED_FIRST: &str = "linear_1.weight";
const NUMBERED_FIRST: &str = "1.weight";

/// Tensors of which one shows the prefix and how the others are named, and what that naming is; the usual one beside
/// this vision encoder first.
pub(crate) fn namings(vision: &Vision) -> [(&'static str, &'static str); 2] {
    let (named, numbered) = ((NAMED_FIRST, "linear_1, linear_2"), (NUMBERED_FIRST, "InternVL2's numbers"));
    match vision {
        Vision::MobileNetV5(_) => [named, numbered],
        Vision::InternVit(_) => [numbered, named],
    }
}

/// Builds the projector: `features [1,T,C]` to `embeds [1,T,hidden]`, the width of the language model.
///
/// # Errors
/// A tensor is missing or has another shape than the definition states, or sizes do not fit each other.
pub(crate) fn build(sight: &Sight, hidden: usize, weights: &Weights) -> Result<Graph> {
    let Sight { vision, projector } = sight;
    let names = if weights.first() == NAMED_FIRST { NAMED } else { NUMBERED };
    let (channels, middle) = (vision.channels(), projector.hidden);
    let mut b = Builder::new("projector");
    let mut x = b.input("features", vec![1, vision.tokens(), channels], ElementType::F32)?;
    if let Some(epsilon) = projector.norm_eps {
        let mut inputs = vec![x];
        for part in ["weight", "bias"] {
            let tensor = weights.get(&format!("{}.{part}", names.norm), &[channels])?;
            inputs.push(b.constant(format!("norm.{part}"), tensor)?);
        }
        x = b.node("norm", ops::LayerNorm { epsilon }, &inputs)?;
    }
    let sizes = [("linear_1", names.linear_1, channels, middle), ("linear_2", names.linear_2, middle, hidden)];
    for (layer, stored, input, output) in sizes {
        let weight =
            b.constant(format!("{layer}.weight"), weights.linear(&format!("{stored}.weight"), input, output)?)?;
        let bias = b.constant(format!("{layer}.bias"), weights.bias(&format!("{stored}.bias"), output)?)?;
        let product = b.node(format!("{layer}.product"), ops::MatMul, &[x, weight])?;
        let last = layer == "linear_2";
        x = b.node(if last { "embeds" } else { layer }, ops::Add, &[product, bias])?;
        if !last {
            x = b.node("act", ops::Gelu { kind: projector.activation.kind() }, &[x])?;
        }
    }
    Ok(b.finish(vec![x]))
}
