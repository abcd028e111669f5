//! Spells out operators that ONNX does not have as several that it has.

use super::detours::detour;
use super::rewrite::{Links, Rewrite, from_front, on_last_axis};
use crate::ir::{Builder, Constant, ElementType, Graph, Node, Op, ValueId, ops};
use autoneural_base::error::Result;

/// The graph in the form that ONNX and NPUs take:
///
/// - Composite operators are spelled out.
/// - Normalizations are moved to the last axis, because ONNX has none along another single axis.
/// - Constant indices are i32 and count from the front, which is what an NPU reads.
/// - Reductions keep their axes, and a reshape drops them.
/// - Squares are products.
/// - What the vendor's compiler gets wrong is computed in another way.
/// - Joins to a constant of one number are paddings of images.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn legalize(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let shape = &graph.value(node.outputs[0]).shape;
        let rank = shape.len();
        if let Some(kept) = keeping_axes(&node.op).filter(|_| rank > 0) {
            let inputs = rewrite.inputs(node)?;
            let kept = rewrite.new.node(format!("{}.kept", node.name), kept, &inputs)?;
            let made = rewrite.new.node(node.name.clone(), ops::Reshape { shape: shape.clone() }, &[kept])?;
            rewrite.set(node.outputs[0], made);
            continue;
        }
        if let Some(made) = detour(&mut rewrite, (graph, &links), node)? {
            rewrite.set(node.outputs[0], made);
            continue;
        }
        let made = match &node.op {
            Op::Pow(_) if is_square(graph, node) => {
                let base = rewrite.get(node.inputs[0])?;
                rewrite.new.node(node.name.clone(), ops::Mul, &[base, base])?
            }
            Op::Mish(_) => {
                let x = rewrite.get(node.inputs[0])?;
                mish(&mut rewrite.new, node, x)?
            }
            Op::Rope(_) => {
                let inputs = rewrite.inputs(node)?;
                rope(&mut rewrite.new, node, &inputs)?
            }
            Op::Attention(ops::Attention { scale }) => {
                let inputs = rewrite.inputs(node)?;
                attention(&mut rewrite.new, node, &inputs, *scale)?
            }
            Op::RmsNorm(ops::RmsNorm { axis, epsilon }) if *axis + 1 != rank => {
                let inputs = rewrite.inputs(node)?;
                let norm = ops::RmsNorm { axis: rank - 1, epsilon: *epsilon };
                on_last_axis(&mut rewrite.new, &node.name, "norm", norm, *axis, &inputs)?
            }
            Op::Concat(ops::Concat { axis }) if is_padding(graph, node) => padding(&mut rewrite, graph, node, *axis)?,
            Op::Gather(ops::Gather { axis }) => match plain_indices(graph, node, *axis) {
                Some(indices) => {
                    let data = rewrite.get(node.inputs[0])?;
                    let indices = rewrite.new.constant(format!("{}.indices", node.name), indices)?;
                    rewrite.new.node(node.name.clone(), node.op.clone(), &[data, indices])?
                }
                None => {
                    rewrite.copy(node)?;
                    continue;
                }
            },
            _ => {
                rewrite.copy(node)?;
                continue;
            }
        };
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// Whether a join is a padding: a constant part has one number only.
fn is_padding(graph: &Graph, node: &Node) -> bool {
    let one_number = |constant: &Constant| {
        let values = constant.to_f32();
        values.len() > 1 && values.iter().all(|value| *value == values[0])
    };
    let is_real = graph.value(node.outputs[0]).element.is_real();
    is_real && node.inputs.len() > 1 && node.inputs.iter().any(|&id| graph.value(id).constant().is_some_and(one_number))
}

/// A join between axes that are one before it and one behind it, and an axis of size 1. NPU compilers find no place for
/// a tensor where a padding along an axis next to the channels meets a product (`QNN_COMMON_ERROR_MEM_ALLOC`).
fn padding(rewrite: &mut Rewrite, graph: &Graph, node: &Node, axis: usize) -> Result<ValueId> {
    let name = &node.name;
    let flat = |shape: &[usize]| {
        let [before, behind] = [&shape[..axis], &shape[axis + 1..]].map(|sizes| sizes.iter().product());
        vec![before, shape[axis], 1, behind]
    };
    let mut parts = Vec::with_capacity(node.inputs.len());
    for (at, &id) in node.inputs.iter().enumerate() {
        let (value, part) = (graph.value(id), format!("{name}.in{at}"));
        let shape = flat(&value.shape);
        parts.push(match value.constant() {
            Some(constant) => rewrite.new.constant(part, constant.reshaped(shape))?,
            None => {
                let x = rewrite.get(id)?;
                rewrite.new.node(part, ops::Reshape { shape }, &[x])?
            }
        });
    }
    let joined = rewrite.new.node(format!("{name}.joined"), ops::Concat { axis: 1 }, &parts)?;
    let shape = graph.value(node.outputs[0]).shape.clone();
    rewrite.new.node(name.clone(), ops::Reshape { shape }, &[joined])
}

/// Constant indices as i32 that count from the front; `None` if they are so already, are not constant, or are out of
/// bounds.
fn plain_indices(graph: &Graph, node: &Node, axis: usize) -> Option<Constant> {
    let [data, indices] = [0, 1].map(|at| graph.value(node.inputs[at]));
    let stored = indices.constant()?;
    let made = from_front(stored, data.shape[axis])?;
    let is_plain = indices.element == ElementType::I32 && made == stored.to_i64();
    (!is_plain).then(|| Constant::from_integers(ElementType::I32, made, indices.shape.clone()))
}

/// For a reduction that drops its axes, the one that keeps them: NPU compilers take only the latter.
fn keeping_axes(op: &Op) -> Option<Op> {
    let (axes, keepdims) = match op {
        Op::ReduceL2(ops::ReduceL2 { axes, keepdims })
        | Op::ReduceMax(ops::ReduceMax { axes, keepdims })
        | Op::ReduceMean(ops::ReduceMean { axes, keepdims })
        | Op::ReduceMin(ops::ReduceMin { axes, keepdims })
        | Op::ReduceSum(ops::ReduceSum { axes, keepdims }) => (axes.clone(), *keepdims),
        _ => return None,
    };
    let kept = match op {
        Op::ReduceL2(_) => ops::ReduceL2 { axes, keepdims: true }.into(),
        Op::ReduceMax(_) => ops::ReduceMax { axes, keepdims: true }.into(),
        Op::ReduceMean(_) => ops::ReduceMean { axes, keepdims: true }.into(),
        Op::ReduceMin(_) => ops::ReduceMin { axes, keepdims: true }.into(),
        _ => ops::ReduceSum { axes, keepdims: true }.into(),
    };
    (!keepdims).then_some(kept)
}

/// Whether the exponent of a power is 2 throughout. As a product a square is exact on an NPU, and defined below zero.
fn is_square(graph: &Graph, node: &Node) -> bool {
    let [base, made] = [node.inputs[0], node.outputs[0]].map(|id| graph.value(id));
    let exponent = graph.value(node.inputs[1]).constant();
    base.shape == made.shape && exponent.is_some_and(|exponent| exponent.to_f32().iter().all(|&value| value == 2.0))
}

/// `x * tanh(softplus(x))` as `x (1 - n²) / (1 + n²)` with `n = 1 - sigmoid(x)`. No chip of the targets has Mish; for normal
/// numbers the softplus and tanh of the SA8295P come to 47 dB, these come to 77.
fn mish(b: &mut Builder, node: &Node, x: ValueId) -> Result<ValueId> {
    let name = &node.name;
    // Each reader of a constant may want an encoding of its own.
    let one = |b: &mut Builder, what: &str| {
        b.constant(format!("{name}.{what}.one"), Constant::from_values(vec![1.0], vec![1]))
    };
    let ones = [one(b, "rest")?, one(b, "less")?, one(b, "more")?];
    let gate = b.node(format!("{name}.sigmoid"), ops::Sigmoid, &[x])?;
    let rest = b.node(format!("{name}.rest"), ops::Sub, &[ones[0], gate])?;
    let square = b.node(format!("{name}.square"), ops::Mul, &[rest, rest])?;
    let less = b.node(format!("{name}.less"), ops::Sub, &[ones[1], square])?;
    let more = b.node(format!("{name}.more"), ops::Add, &[ones[2], square])?;
    let factor = b.node(format!("{name}.factor"), ops::Div, &[less, more])?;
    b.node(name.clone(), ops::Mul, &[x, factor])
}

fn rope(b: &mut Builder, node: &Node, inputs: &[ValueId]) -> Result<ValueId> {
    let name = &node.name;
    let [x, cos, sin] = inputs[..] else { unreachable!("shape inference checked the arity") };
    let halves = b.node_outputs(format!("{name}.halves"), ops::Split { axis: 3, parts: 2 }, &[x])?;
    let negated = b.node(format!("{name}.negated"), ops::Neg, &[halves[1]])?;
    let rotated = b.node(format!("{name}.rotated"), ops::Concat { axis: 3 }, &[negated, halves[0]])?;
    let along = b.node(format!("{name}.cos"), ops::Mul, &[x, cos])?;
    let across = b.node(format!("{name}.sin"), ops::Mul, &[rotated, sin])?;
    b.node(name.clone(), ops::Add, &[along, across])
}

/// Query heads that share keys are stacked as rows, so that each product is one batched matrix product per group.
fn attention(b: &mut Builder, node: &Node, inputs: &[ValueId], scale: f32) -> Result<ValueId> {
    let name = &node.name;
    let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
    let [_, heads, rows, size] = b.shape(q)[..] else { unreachable!("shape inference checked the rank") };
    let (groups, columns, value_size) = (b.shape(k)[1], b.shape(k)[3], b.shape(v)[3]);
    let stacked = vec![1, groups, heads / groups * rows, columns];
    let shape = vec![1, groups, heads / groups * rows, size];
    let q = b.node(format!("{name}.q"), ops::Reshape { shape }, &[q])?;
    let mut scores = b.node(format!("{name}.scores"), ops::MatMul, &[q, k])?;
    if scale != 1.0 {
        let factor = b.constant(format!("{name}.scale"), Constant::from_values(vec![scale], vec![1]))?;
        scores = b.node(format!("{name}.scaled"), ops::Mul, &[scores, factor])?;
    }
    if let Some(&mask) = inputs.get(3) {
        let shape = vec![1, heads, rows, columns];
        let by_head = b.node(format!("{name}.scores.heads"), ops::Reshape { shape }, &[scores])?;
        scores = b.node(format!("{name}.masked"), ops::Add, &[by_head, mask])?;
    }
    let mut weights = b.node(format!("{name}.probabilities"), ops::Softmax { axis: 3 }, &[scores])?;
    if inputs.len() > 3 {
        let op = ops::Reshape { shape: stacked };
        weights = b.node(format!("{name}.probabilities.groups"), op, &[weights])?;
    }
    let mixed = b.node(format!("{name}.context"), ops::MatMul, &[weights, v])?;
    b.node(name.clone(), ops::Reshape { shape: vec![1, heads, rows, value_size] }, &[mixed])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padding_that_is_spelled_as_a_join_is_one_of_images() {
        let joined = |values: Vec<f32>| {
            let mut b = Builder::new("g");
            let x = b.input("x", vec![2, 3, 4], ElementType::F32).unwrap();
            let padding = b.constant("padding", Constant::from_values(values, vec![2, 1, 4])).unwrap();
            let y = b.node("y", ops::Concat { axis: 1 }, &[x, padding]).unwrap();
            legalize(&b.finish(vec![y])).unwrap()
        };
        let made = joined(vec![0.25; 8]);
        let shapes: Vec<_> = made.nodes().iter().map(|node| made.value(node.outputs[0]).shape.clone()).collect();
        assert_eq!(shapes, [vec![2, 3, 1, 4], vec![2, 4, 1, 4], vec![2, 4, 4]]);
        assert_eq!(joined((0..8u8).map(f32::from).collect()).nodes().len(), 1);
    }

    #[test]
    fn reductions_keep_their_axes_and_squares_are_products() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3, 4], ElementType::F32).unwrap();
        let mean = b.node("mean", ops::ReduceMean { axes: vec![1], keepdims: false }, &[x]).unwrap();
        let two = b.constant("two", Constant::from_values(vec![2.0], vec![])).unwrap();
        let square = b.node("square", ops::Pow, &[mean, two]).unwrap();
        let three = b.constant("three", Constant::from_values(vec![3.0], vec![])).unwrap();
        let cube = b.node("cube", ops::Pow, &[square, three]).unwrap();
        let made = legalize(&b.finish(vec![cube])).unwrap();
        let names: Vec<&str> = made.nodes().iter().map(|node| node.op.name()).collect();
        assert_eq!(names, ["ReduceMean", "Reshape", "Mul", "Pow"]);
        assert_eq!(made.value(made.nodes()[0].outputs[0]).shape, [2, 1, 4]);
        assert_eq!(made.value(made.find("mean").unwrap()).shape, [2, 4]);
    }

    #[test]
    fn constant_indices_become_short_and_count_from_the_front() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let long = Constant::from_integers(ElementType::I64, vec![-1, 0], vec![2]);
        let indices = b.constant("indices", long).unwrap();
        let y = b.node("y", ops::Gather { axis: 1 }, &[x, indices]).unwrap();
        let made = legalize(&b.finish(vec![y])).unwrap();
        let indices = made.value(made.nodes()[0].inputs[1]);
        assert_eq!((indices.name.as_str(), indices.element), ("y.indices", ElementType::I32));
        assert_eq!(indices.constant().unwrap().to_i64(), [3, 0]);
    }
}
