//! Ways round what the compiler of onnxruntime-qnn 2.7.0 gets wrong or refuses: other operators that compute the same.
//! Figures are SQNR of single operators on its emulator, where the other form has what the simulation has (44 to 89 dB).

use super::rewrite::{Links, Rewrite, from_front, on_last_axis};
use crate::ir::{Constant, ElementType, Graph, Node, Op, Shape, ValueId, ops};
use autoneural_base::error::Result;

/// Most rows of an image for which SiLU is wrong (0 to 20 dB, whatever reads it and however many columns there are).
const LOST_ROWS: usize = 12;
/// Of those, most rows that are right behind a convolution.
const RIGHT_BEHIND_CONV: usize = 8;
/// Most columns for which SiLU of more rows than [`LOST_ROWS`] is wrong (-8 to 4 dB).
const LOST_COLUMNS: usize = 8;
/// Elements of rows of which many are picked wrongly (-10 to -1 dB); of other sizes they are right.
const LOST_SIZES: [usize; 3] = [4, 8, 16];
/// Fewest rows that are picked wrongly.
const LOST_PICKS: usize = 32;
/// Most times as many elements that a kernel has between which there are zeros.
const MOST_SPREAD: usize = 32;

/// What stands in place of a node; `None` for one that the compiler computes rightly. What makes the values of `links`
/// tells which fusions it will try.
///
/// # Errors
/// The new graph cannot be built, which is a defect.
pub(super) fn detour(rewrite: &mut Rewrite, (graph, links): (&Graph, &Links), node: &Node) -> Result<Option<ValueId>> {
    let constant = |at: usize| node.inputs.get(at).and_then(|&id| graph.value(id).constant());
    Ok(match &node.op {
        Op::Silu(_) => {
            let maker = links.maker[node.inputs[0].index()].map(|at| &graph.nodes()[at].op);
            let behind_conv = matches!(maker, Some(Op::Conv(_) | Op::ConvTranspose(_)));
            Some(silu(rewrite, node, behind_conv)?)
        }
        Op::Softplus(_) => softplus(rewrite, node)?,
        Op::ConvTranspose(op) => match without_output_padding(op) {
            Some(op) => {
                let inputs = rewrite.inputs(node)?;
                Some(rewrite.new.node(node.name.clone(), op, &inputs)?)
            }
            None => None,
        },
        Op::Conv(op) => match constant(1).and_then(|weights| spread(op, weights)) {
            Some((op, weights)) => {
                let mut inputs = rewrite.inputs(node)?;
                let name = rewrite.free(format!("{}.spread", node.name));
                inputs[1] = rewrite.new.constant(name, weights)?;
                Some(rewrite.new.node(node.name.clone(), op, &inputs)?)
            }
            None => None,
        },
        Op::Gather(ops::Gather { axis }) => match constant(1) {
            Some(indices) => picked_last(rewrite, (graph, node), *axis, indices)?,
            None => None,
        },
        Op::Pow(_) => match constant(0).and_then(logarithms) {
            Some(factors) if constant(1).is_none() => {
                let name = rewrite.free(format!("{}.logarithm", node.name));
                let factors = rewrite.new.constant(name, factors)?;
                let exponent = rewrite.get(node.inputs[1])?;
                let name = rewrite.free(format!("{}.exponent", node.name));
                let exponent = rewrite.new.node(name, ops::Mul, &[exponent, factors])?;
                Some(rewrite.new.node(node.name.clone(), ops::Exp, &[exponent])?)
            }
            _ => None,
        },
        _ => None,
    })
}

/// The shape in which an image that would be lost has its pixels along one axis: the compiler does not join the operators
/// of SiLU then, nor what comes before with Softplus. `right` is the number of rows up to which it is right.
fn along_one_axis(shape: &[usize], right: usize) -> Option<Shape> {
    match *shape {
        [images, channels, rows, columns] if rows > right && (rows <= LOST_ROWS || columns <= LOST_COLUMNS) => {
            Some(vec![images, channels, rows * columns])
        }
        _ => None,
    }
}

/// `x * sigmoid(x)`.
fn silu(rewrite: &mut Rewrite, node: &Node, behind_conv: bool) -> Result<ValueId> {
    let (name, x) = (&node.name, rewrite.get(node.inputs[0])?);
    let b = &mut rewrite.new;
    let shape = b.shape(x).clone();
    let right = if behind_conv { RIGHT_BEHIND_CONV } else { 0 };
    let Some(flat) = along_one_axis(&shape, right) else {
        let gate = b.node(format!("{name}.sigmoid"), ops::Sigmoid, &[x])?;
        return b.node(name.clone(), ops::Mul, &[x, gate]);
    };
    let x = b.node(format!("{name}.row"), ops::Reshape { shape: flat }, &[x])?;
    let gate = b.node(format!("{name}.sigmoid"), ops::Sigmoid, &[x])?;
    let product = b.node(format!("{name}.product"), ops::Mul, &[x, gate])?;
    b.node(name.clone(), ops::Reshape { shape }, &[product])
}

/// Softplus of images as SiLU of them (3 dB behind a convolution otherwise).
fn softplus(rewrite: &mut Rewrite, node: &Node) -> Result<Option<ValueId>> {
    let (name, x) = (&node.name, rewrite.get(node.inputs[0])?);
    let shape = rewrite.new.shape(x).clone();
    let Some(flat) = along_one_axis(&shape, RIGHT_BEHIND_CONV) else { return Ok(None) };
    let row = rewrite.free(format!("{name}.row"));
    let row = rewrite.new.node(row, ops::Reshape { shape: flat }, &[x])?;
    let made = rewrite.free(format!("{name}.rows"));
    let made = rewrite.new.node(made, ops::Softplus, &[row])?;
    rewrite.new.node(name.clone(), ops::Reshape { shape }, &[made]).map(Some)
}

/// Of a convolution in groups: rows and columns that are added at the end are not cut off there before (-3 dB for
/// depthwise ones otherwise).
fn without_output_padding(op: &ops::ConvTranspose) -> Option<ops::ConvTranspose> {
    let [top, left, bottom, right] = op.pads;
    let [more_rows, more_columns] = op.output_padding;
    let (bottom, right) = (bottom.checked_sub(more_rows)?, right.checked_sub(more_columns)?);
    let is_concerned = op.groups > 1 && op.output_padding != [0, 0];
    is_concerned.then(|| ops::ConvTranspose { pads: [top, left, bottom, right], output_padding: [0, 0], ..op.clone() })
}

/// A convolution with strides and dilations, which the compiler breaks off at (`QNN_COMMON_ERROR_MEM_ALLOC`), with zeros
/// between the elements of its kernel in place of the dilations.
fn spread(op: &ops::Conv, weights: &Constant) -> Option<(ops::Conv, Constant)> {
    let &[outputs, inputs, height, width] = &weights.shape()[..] else { return None };
    let both = op.strides.iter().any(|&stride| stride > 1) && op.dilations.iter().any(|&step| step > 1);
    let size = |kernel: usize, step: usize| kernel.checked_sub(1)?.checked_mul(step)?.checked_add(1);
    let [rows, columns] = [size(height, op.dilations[0])?, size(width, op.dilations[1])?];
    if !both || rows.checked_mul(columns)? > MOST_SPREAD * height * width {
        return None;
    }
    let mut made = vec![0.0; outputs * inputs * rows * columns];
    for (at, value) in weights.to_f32().into_iter().enumerate() {
        let (kernel, row, column) = (at / (height * width), at / width % height, at % width);
        made[(kernel * rows + row * op.dilations[0]) * columns + column * op.dilations[1]] = value;
    }
    let weights = Constant::from_values(made, vec![outputs, inputs, rows, columns]);
    Some((ops::Conv { dilations: [1, 1], ..op.clone() }, weights))
}

/// Many short rows picked along the last axis, between two transposes.
fn picked_last(
    rewrite: &mut Rewrite,
    (graph, node): (&Graph, &Node),
    axis: usize,
    indices: &Constant,
) -> Result<Option<ValueId>> {
    let data = graph.value(node.inputs[0]);
    let count = indices.shape().iter().product::<usize>();
    let is_lost = LOST_SIZES.contains(&data.shape[axis + 1..].iter().product()) && count >= LOST_PICKS;
    if !is_lost || !data.element.is_real() {
        return Ok(None);
    }
    let Some(places) = from_front(indices, data.shape[axis]) else { return Ok(None) };
    let name = rewrite.free(format!("{}.places", node.name));
    let places = rewrite.new.constant(name, Constant::from_integers(ElementType::I32, places, vec![count]))?;
    let inputs = [rewrite.get(node.inputs[0])?, places];
    let op = ops::Gather { axis: data.shape.len() - 1 };
    let shape = &graph.value(node.outputs[0]).shape;
    if indices.shape().len() == 1 {
        return on_last_axis(&mut rewrite.new, &node.name, "picked", op, axis, &inputs).map(Some);
    }
    let name = rewrite.free(format!("{}.rows", node.name));
    let rows = on_last_axis(&mut rewrite.new, &name, "picked", op, axis, &inputs)?;
    rewrite.new.node(node.name.clone(), ops::Reshape { shape: shape.clone() }, &[rows]).map(Some)
}

/// Natural logarithms of a constant base, whose powers are those of e then (-11 dB otherwise). `None` where one has none.
fn logarithms(base: &Constant) -> Option<Constant> {
    let values = base.to_f32();
    let has_one = |value: &f32| *value > 0.0 && value.is_finite();
    let logarithm = |value: f32| f64::from(value).ln() as f32;
    let made = || Constant::from_values(values.iter().map(|&value| logarithm(value)).collect(), base.shape().clone());
    (base.element_type().is_real() && values.iter().all(has_one)).then(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Builder;
    use crate::passes::legalize::legalize;
    use crate::passes::run::run;

    #[test]
    fn images_that_would_be_lost_are_one_axis() {
        assert_eq!(along_one_axis(&[1, 16, 6, 20], 0), Some(vec![1, 16, 120]));
        assert_eq!(along_one_axis(&[1, 16, 6, 20], 8), None);
        assert_eq!(along_one_axis(&[1, 16, 9, 20], 8), Some(vec![1, 16, 180]));
        assert_eq!(along_one_axis(&[1, 16, 13, 8], 8), Some(vec![1, 16, 104]));
        assert_eq!(along_one_axis(&[1, 16, 13, 9], 0), None);
        assert_eq!(along_one_axis(&[1, 6, 20], 0), None);
    }

    /// An operator, its constants, the shape of all else that it reads, and how many nodes are made of it.
    type Case<'a> = (Op, Vec<Option<Constant>>, &'a [usize], usize);

    #[test]
    fn detours_compute_the_same() {
        let numbers = |count: usize| (0..count).map(|at| ((at * 37 % 19) as f32 - 9.0) / 8.0).collect::<Vec<f32>>();
        let of = |shape: &[usize]| Constant::from_values(numbers(shape.iter().product()), shape.to_vec());
        let conv = ops::Conv { strides: [2, 1], pads: [1, 2, 0, 1], groups: 1, dilations: [2, 3] };
        let turned = ops::ConvTranspose { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 0], groups: 2 };
        let places = Constant::from_integers(ElementType::I64, (0..36).map(|at| at * 5 % 7 - 7).collect(), vec![6, 6]);
        let base = Constant::from_values(vec![2.0, 0.5, 1.0], vec![3]);
        let cases: Vec<Case> = vec![
            (conv.into(), vec![None, Some(of(&[3, 2, 2, 3]))], &[1, 2, 7, 9], 1),
            (turned.into(), vec![None, Some(of(&[2, 1, 3, 3]))], &[1, 2, 3, 4], 1),
            (ops::Gather { axis: 1 }.into(), vec![None, Some(places)], &[2, 7, 4], 4),
            (ops::Pow.into(), vec![Some(base), None], &[2, 3], 2),
            (ops::Softplus.into(), vec![None], &[1, 2, 9, 2], 3),
            (ops::Silu.into(), vec![None], &[1, 2, 13, 2], 4),
        ];
        for (op, inputs, shape, nodes) in cases {
            let mut b = Builder::new("g");
            let x = b.input("x", shape.to_vec(), ElementType::F32).unwrap();
            let read: Vec<ValueId> = inputs
                .iter()
                .enumerate()
                .map(|(at, one)| one.clone().map_or(x, |one| b.constant(format!("c{at}"), one).unwrap()))
                .collect();
            let y = b.node("y", op.clone(), &read).unwrap();
            let made = legalize(&b.finish(vec![y])).unwrap();
            assert_eq!(made.nodes().len(), nodes, "{op:?}");
            let given: Vec<Constant> = inputs.into_iter().map(|one| one.unwrap_or_else(|| of(shape))).collect();
            let wanted = op.evaluate(&given).unwrap().remove(0);
            let found = run(&made, &of(shape));
            assert_eq!(found.shape(), wanted.shape(), "{op:?}");
            for (found, wanted) in found.to_f32().into_iter().zip(wanted.to_f32()) {
                assert!((found - wanted).abs() < 1e-5, "{op:?}: {found}, not {wanted}");
            }
        }
    }
}
