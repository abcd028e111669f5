//! Moves multiplications by constants into the weights before them: LayerScale into the normalization or convolution
//! that it follows, the scale of an attention into the layer that makes the query. This leaves fewer nodes, and one
//! rounding less on the NPU.

use std::collections::HashMap;
use std::sync::Arc;

use super::rewrite::{Links, Rewrite};
use crate::ir::{Constant, Graph, Node, Op, ValueId, ops};
use autoneural_base::error::Result;

/// What the pass does with a node.
enum Plan {
    /// Its weights are multiplied by factors per output channel; its result gets this name.
    Scale { factors: Arc<[f32]>, name: String },
    /// It only multiplied; its input stands for its output.
    Drop { input: ValueId },
    /// An attention whose scale went into the query.
    ScaleFolded,
}

/// The graph with constant factors folded into weights.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn fold_scales(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut plans: HashMap<usize, Plan> = HashMap::new();
    for (position, node) in graph.nodes().iter().enumerate() {
        match node.op {
            Op::Mul(_) => plan_product(graph, &links, position, node, &mut plans),
            Op::Attention(ops::Attention { scale }) if scale != 1.0 => {
                plan_attention(graph, &links, position, node, scale, &mut plans)
            }
            _ => {}
        }
    }
    let mut rewrite = Rewrite::new(graph)?;
    for (position, node) in graph.nodes().iter().enumerate() {
        match plans.get(&position) {
            None => rewrite.copy(node)?,
            Some(Plan::Drop { input }) => {
                let input = rewrite.get(*input)?;
                rewrite.set(node.outputs[0], input);
            }
            Some(Plan::ScaleFolded) => {
                let inputs = rewrite.inputs(node)?;
                let made = rewrite.new.node(node.name.clone(), ops::Attention { scale: 1.0 }, &inputs)?;
                rewrite.set(node.outputs[0], made);
            }
            Some(Plan::Scale { factors, name }) => {
                let mut inputs = vec![rewrite.get(node.inputs[0])?];
                for (index, &id) in node.inputs.iter().enumerate().skip(1) {
                    let value = graph.value(id);
                    let constant = value.constant().expect("planned only for constant weights");
                    // The constant of a sum is the bias of a linear layer, which has one axis.
                    let axis = node.op.channel_axis(index, value.shape.len()).unwrap_or(0);
                    let scaled = constant.scaled(axis, Arc::clone(factors));
                    // Several nodes may read it, with other factors each.
                    let name = rewrite.free(format!("{}.scaled", value.name));
                    inputs.push(rewrite.new.constant(name, scaled)?);
                }
                let made = rewrite.new.node(name.clone(), node.op.clone(), &inputs)?;
                rewrite.set(node.outputs[0], made);
            }
        }
    }
    rewrite.finish()
}

/// Nodes into whose constants factors can be multiplied.
pub(crate) struct Linear {
    /// The nodes, last first: a convolution, a normalization, or a matrix product with the sum of its bias. Nothing
    /// else reads what one hands to the other.
    pub nodes: Vec<usize>,
    /// Number of factors.
    pub channels: usize,
    /// The axis of the value along which the factors lie.
    pub axis: usize,
}

/// The nodes that make `value` and can take a factor for each of its channels; `None` if there are no such nodes, or if
/// `value` is read more than once.
fn linear(graph: &Graph, links: &Links, value: ValueId) -> Option<Linear> {
    (links.reads[value.index()] == 1).then(|| Linear::of(graph, links, value))?
}

impl Linear {
    /// The nodes that make `value` and can take a factor for each of its channels, however often it is read; `None` if
    /// there are no such nodes.
    pub(crate) fn of(graph: &Graph, links: &Links, value: ValueId) -> Option<Self> {
        let mut last = links.maker[value.index()]?;
        let mut nodes = vec![last];
        let mut bias = None;
        if let Op::Add(_) = graph.nodes()[last].op {
            let [product, constant] = graph.nodes()[last].inputs[..] else { return None };
            bias = Some(graph.value(constant).constant()?.shape());
            last = links.maker[product.index()].filter(|&position| {
                links.reads[product.index()] == 1 && matches!(graph.nodes()[position].op, Op::MatMul(_))
            })?;
            nodes.push(last);
        }
        let node = &graph.nodes()[last];
        let axis = node.op.scaled_axis(graph.value(value).shape.len())?;
        let constants: Option<Vec<_>> = node.inputs[1..].iter().map(|&id| graph.value(id).constant()).collect();
        let weights = constants?.first()?.shape();
        let channels = *weights.get(node.op.channel_axis(1, weights.len())?)?;
        bias.is_none_or(|shape| *shape == [channels]).then_some(Linear { nodes, channels, axis })
    }

    /// Each constant of the nodes, with the axis of its channels.
    pub(crate) fn constants(&self, graph: &Graph) -> Vec<(ValueId, usize)> {
        let of_node = |&position: &usize| {
            let node = &graph.nodes()[position];
            let constants = node.inputs.iter().enumerate().skip(1);
            constants.filter(|(_, id)| graph.value(**id).constant().is_some()).map(move |(index, &id)| {
                // The constant of a sum is the bias of a linear layer, which has one axis.
                (id, node.op.channel_axis(index, graph.value(id).shape.len()).unwrap_or(0))
            })
        };
        self.nodes.iter().flat_map(of_node).collect()
    }
}

/// A product, in either order, of a linear layer's result and a constant that is one number, or differs along the channels
/// only: `[1,C,1,1]` after a convolution, `[C]` after a linear layer.
fn plan_product(graph: &Graph, links: &Links, position: usize, node: &Node, plans: &mut HashMap<usize, Plan>) {
    let [first, second] = node.inputs[..] else { return };
    let (x, c) = if graph.value(first).constant().is_some() { (second, first) } else { (first, second) };
    let (Some(constant), Some(linear)) = (graph.value(c).constant(), linear(graph, links, x)) else { return };
    let shape = &graph.value(x).shape;
    let Some(factors) = by_channel(constant, shape.len() - linear.axis, linear.channels) else { return };
    if *shape == graph.value(node.outputs[0]).shape {
        scale_all(graph, &linear.nodes, &factors.into(), &node.name, plans);
        plans.insert(position, Plan::Drop { input: x });
    }
}

/// The numbers of a constant for each channel, if it is the same everywhere else. `behind` is the number of axes from the
/// channels on.
pub(super) fn by_channel(constant: &Constant, behind: usize, channels: usize) -> Option<Vec<f32>> {
    let shape = constant.shape();
    if shape.iter().all(|&size| size == 1) {
        return Some(vec![constant.to_f32()[0]; channels]);
    }
    let at = shape.len().checked_sub(behind)?;
    let fits = shape.iter().enumerate().all(|(axis, &size)| axis == at || size == 1);
    (fits && shape[at] == channels).then(|| constant.to_f32().to_vec())
}

/// Plans the factors for every one of the nodes. The node that runs last, which is the first of `makers`, gets the name
/// of the product that it replaces.
fn scale_all(graph: &Graph, makers: &[usize], factors: &Arc<[f32]>, last_name: &str, plans: &mut HashMap<usize, Plan>) {
    for (index, &maker) in makers.iter().enumerate() {
        let name = if index == 0 { last_name } else { &graph.nodes()[maker].name };
        plans.insert(maker, Plan::Scale { factors: Arc::clone(factors), name: name.to_string() });
    }
}

/// An attention whose query comes, by moves and rotation only, from weights that nothing else reads.
fn plan_attention(
    graph: &Graph,
    links: &Links,
    position: usize,
    node: &Node,
    scale: f32,
    plans: &mut HashMap<usize, Plan>,
) {
    let mut query = node.inputs[0];
    let source = loop {
        let Some(maker) = links.maker[query.index()] else { return };
        if links.reads[query.index()] != 1 {
            return;
        }
        let source = &graph.nodes()[maker];
        match source.op {
            Op::Rope(_) | Op::Transpose(_) | Op::Reshape(_) => query = source.inputs[0],
            _ => break source,
        }
    };
    if let Some(linear) = linear(graph, links, query)
        && linear.nodes.iter().all(|node| !plans.contains_key(node))
    {
        scale_all(graph, &linear.nodes, &vec![scale; linear.channels].into(), &source.name, plans);
        plans.insert(position, Plan::ScaleFolded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};

    /// A normalization and the product of its result and a constant.
    fn scaled_norm() -> (Builder, ValueId, ValueId) {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2, 1, 1], ElementType::F32).unwrap();
        let gamma = b.constant("gamma", Constant::from_values(vec![3., 5.], vec![2])).unwrap();
        let factors = b.constant("factors", Constant::from_values(vec![2., 10.], vec![1, 2, 1, 1])).unwrap();
        let n = b.node("norm", ops::RmsNorm { axis: 1, epsilon: 1e-6 }, &[x, gamma]).unwrap();
        let y = b.node("y", ops::Mul, &[n, factors]).unwrap();
        (b, n, y)
    }

    #[test]
    fn a_layer_scale_goes_into_the_normalization_before_it() {
        let (b, _, y) = scaled_norm();
        let folded = fold_scales(&b.finish(vec![y])).unwrap();
        assert_eq!(folded.nodes().len(), 1);
        let scaled = folded.value(folded.find("gamma.scaled").unwrap()).constant().unwrap();
        assert_eq!(scaled.to_f32(), [6., 50.]);
        assert_eq!(folded.value(folded.outputs()[0]).name, "y");
    }

    #[test]
    fn a_layer_scale_goes_into_the_weights_and_the_bias_of_a_linear_layer() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 1, 2], ElementType::F32).unwrap();
        let w = b.constant("w", Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2])).unwrap();
        let bias = b.constant("b", Constant::from_values(vec![5., 6.], vec![2])).unwrap();
        let factors = b.constant("factors", Constant::from_values(vec![2., 10.], vec![2])).unwrap();
        let product = b.node("product", ops::MatMul, &[x, w]).unwrap();
        let sum = b.node("sum", ops::Add, &[product, bias]).unwrap();
        let y = b.node("y", ops::Mul, &[sum, factors]).unwrap();
        let folded = fold_scales(&b.finish(vec![y])).unwrap();
        let names: Vec<&str> = folded.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["product", "y"]);
        let values = |name: &str| folded.value(folded.find(name).unwrap()).constant().unwrap().to_f32();
        assert_eq!((values("w.scaled"), values("b.scaled")), (vec![2., 20., 6., 40.], vec![10., 60.]));
    }

    #[test]
    fn a_bias_that_two_layers_read_takes_the_factors_of_each() {
        let mut b = Builder::new("g");
        let constant = |b: &mut Builder, name: &str, shape: &[usize]| {
            b.constant(name, Constant::from_values(vec![2.0; shape.iter().product()], shape.to_vec())).unwrap()
        };
        let mut x = b.input("x", vec![1, 1, 2], ElementType::F32).unwrap();
        let bias = constant(&mut b, "bias", &[2]);
        for layer in ["first", "second"] {
            let [w, factors] = [("w", &[2, 2][..]), ("factors", &[2])]
                .map(|(name, shape)| constant(&mut b, &format!("{layer}.{name}"), shape));
            x = b.node(format!("{layer}.product"), ops::MatMul, &[x, w]).unwrap();
            x = b.node(format!("{layer}.sum"), ops::Add, &[x, bias]).unwrap();
            x = b.node(layer, ops::Mul, &[x, factors]).unwrap();
        }
        let folded = fold_scales(&b.finish(vec![x])).unwrap();
        assert_eq!(folded.nodes().len(), 4);
        assert!(["bias.scaled", "bias.scaled.2"].iter().all(|name| folded.find(name).is_some()));
    }

    #[test]
    fn one_number_on_either_side_goes_into_the_convolution_before_it() {
        for is_first in [true, false] {
            let mut b = Builder::new("g");
            let x = b.input("x", vec![1, 2, 1, 1], ElementType::F32).unwrap();
            let w = b.constant("w", Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2, 1, 1])).unwrap();
            let bias = b.constant("b", Constant::from_values(vec![5., 6.], vec![2])).unwrap();
            let factor = b.constant("factor", Constant::from_values(vec![10.], vec![1])).unwrap();
            let op = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
            let made = b.node("made", op, &[x, w, bias]).unwrap();
            let inputs = if is_first { [factor, made] } else { [made, factor] };
            let y = b.node("y", ops::Mul, &inputs).unwrap();
            let folded = fold_scales(&b.finish(vec![y])).unwrap();
            assert_eq!(folded.nodes().len(), 1);
            let values = |name: &str| folded.value(folded.find(name).unwrap()).constant().unwrap().to_f32();
            assert_eq!((values("w.scaled"), values("b.scaled")), (vec![10., 20., 30., 40.], vec![50., 60.]));
        }
    }

    #[test]
    fn a_value_that_is_read_elsewhere_keeps_its_scale() {
        let (b, n, y) = scaled_norm();
        let folded = fold_scales(&b.finish(vec![y, n])).unwrap();
        assert_eq!(folded.nodes().len(), 2);
    }
}
