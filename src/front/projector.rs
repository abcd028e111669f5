//! The projector: linear, GELU, linear, without normalization.

use super::{Definition, Weights};
use crate::error::Result;
use crate::ir::{Builder, ElementType, Graph, Op};

/// Tensor whose presence shows the prefix.
pub const FIRST_TENSOR: &str = "linear_1.weight";

/// Builds the projector: `features [1,T,C]` to `embeds [1,T,hidden]`.
pub fn build(definition: &Definition, weights: &Weights) -> Result<Graph> {
    let (channels, middle) = (definition.vision.msfa.channels, definition.projector.hidden);
    let mut b = Builder::new("projector");
    let mut x = b.input("features", vec![1, definition.vision.tokens(), channels], ElementType::F32)?;
    for (layer, input, output) in [("linear_1", channels, middle), ("linear_2", middle, definition.language.hidden)] {
        let weight =
            b.constant(format!("{layer}.weight"), weights.linear(&format!("{layer}.weight"), input, output)?)?;
        let bias = b.constant(format!("{layer}.bias"), weights.get(&format!("{layer}.bias"), &[output])?)?;
        let product = b.node(format!("{layer}.product"), Op::MatMul, &[x, weight])?;
        let last = layer == "linear_2";
        x = b.node(if last { "embeds" } else { layer }, Op::Add, &[product, bias])?;
        if !last {
            x = b.node("act", Op::Gelu { kind: definition.projector.activation.kind() }, &[x])?;
        }
    }
    Ok(b.finish(vec![x]))
}
