//! Shape inference, one arm per operator. Also the place where impossible combinations are refused.

use super::{ElementType, Op, Shape};

/// Most outputs of one node.
const MOST_PARTS: usize = 1024;

/// Shapes and element types of an operator's outputs, or what is wrong with its inputs.
pub fn infer(op: &Op, inputs: &[(&Shape, ElementType)]) -> Result<Vec<(Shape, ElementType)>, String> {
    let arity = |wanted: std::ops::RangeInclusive<usize>| {
        if wanted.contains(&inputs.len()) {
            Ok(())
        } else {
            Err(format!("{} takes {wanted:?} inputs, not {}", op.name(), inputs.len()))
        }
    };
    let index_input = matches!(op, Op::Gather { .. }).then_some(1);
    for (position, (shape, element)) in inputs.iter().enumerate() {
        let wanted = if Some(position) == index_input { ElementType::I32 } else { ElementType::F32 };
        if *element != wanted {
            return Err(format!("{} input {position} is {element:?}, {wanted:?} is wanted", op.name()));
        }
        if shape.contains(&0) {
            return Err(format!("{} input {position} has an axis of size 0: {shape:?}", op.name()));
        }
    }
    let shape = match op {
        Op::Conv { strides, pads, groups } => {
            arity(2..=3)?;
            conv(inputs, *strides, *pads, *groups)?
        }
        Op::MatMul => {
            arity(2..=2)?;
            matmul(inputs[0].0, inputs[1].0)?
        }
        Op::Add | Op::Mul => {
            arity(2..=2)?;
            broadcast(inputs[0].0, inputs[1].0)?
        }
        Op::Neg | Op::Gelu { .. } | Op::Silu | Op::Sigmoid | Op::Requantize => {
            arity(1..=1)?;
            inputs[0].0.clone()
        }
        Op::RmsNorm { axis, .. } => {
            arity(2..=2)?;
            let size = axis_size(inputs[0].0, *axis)?;
            if *inputs[1].0 != [size] {
                return Err(format!("gamma has shape {:?}, [{size}] is wanted", inputs[1].0));
            }
            inputs[0].0.clone()
        }
        Op::LayerNorm { .. } => {
            arity(3..=3)?;
            let size = axis_size(inputs[0].0, inputs[0].0.len().saturating_sub(1))?;
            if let Some((shape, _)) = inputs[1..].iter().find(|(shape, _)| **shape != [size]) {
                return Err(format!("gamma or bias has shape {shape:?}, [{size}] is wanted"));
            }
            inputs[0].0.clone()
        }
        Op::Softmax { axis } => {
            arity(1..=1)?;
            axis_size(inputs[0].0, *axis)?;
            inputs[0].0.clone()
        }
        Op::Attention { .. } => {
            arity(3..=4)?;
            attention(inputs)?
        }
        Op::Rope => {
            arity(3..=3)?;
            let x = rank4(inputs[0].0)?;
            let table = [1, 1, x[2], x[3]];
            if x[3] % 2 != 0 || inputs[1..].iter().any(|(shape, _)| **shape != table) {
                return Err(format!("rotary embedding of {x:?} needs an even head size and tables of {table:?}"));
            }
            inputs[0].0.clone()
        }
        Op::Reshape { shape } => {
            arity(1..=1)?;
            let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
            if elements != Some(inputs[0].0.iter().product()) {
                return Err(format!("{:?} cannot be reshaped to {shape:?}", inputs[0].0));
            }
            shape.clone()
        }
        Op::Transpose { perm } => {
            arity(1..=1)?;
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            if sorted.len() != inputs[0].0.len() || sorted.iter().enumerate().any(|(i, &p)| i != p) {
                return Err(format!("{perm:?} is no permutation of the axes of {:?}", inputs[0].0));
            }
            perm.iter().map(|&axis| inputs[0].0[axis]).collect()
        }
        Op::Concat { axis } => {
            arity(1..=usize::MAX)?;
            concat(inputs, *axis)?
        }
        Op::Split { axis, parts } => {
            arity(1..=1)?;
            let size = axis_size(inputs[0].0, *axis)?;
            if *parts == 0 || *parts > MOST_PARTS || size % parts != 0 {
                return Err(format!("an axis of {size} cannot be split into {parts} equal parts"));
            }
            let mut shape = inputs[0].0.clone();
            shape[*axis] = size / parts;
            return Ok(vec![(shape, ElementType::F32); *parts]);
        }
        Op::Slice { axis, start, end } => {
            arity(1..=1)?;
            let size = axis_size(inputs[0].0, *axis)?;
            if start >= end || *end > size {
                return Err(format!("an axis of {size} has no elements {start}..{end}"));
            }
            let mut shape = inputs[0].0.clone();
            shape[*axis] = end - start;
            shape
        }
        Op::Gather { axis } => {
            arity(2..=2)?;
            axis_size(inputs[0].0, *axis)?;
            if inputs[1].0.len() != 1 {
                return Err(format!("Gather takes indices of rank 1, not {:?}", inputs[1].0));
            }
            let mut shape = inputs[0].0.clone();
            shape[*axis] = inputs[1].0[0];
            shape
        }
        Op::AveragePool { kernel, strides } => {
            arity(1..=1)?;
            let x = rank4(inputs[0].0)?;
            let side = |size: usize, kernel: usize, stride: usize| {
                if kernel == 0 || stride == 0 || size < kernel {
                    return Err(format!("a window of {kernel} with stride {stride} does not fit into {size}"));
                }
                Ok((size - kernel) / stride + 1)
            };
            vec![x[0], x[1], side(x[2], kernel[0], strides[0])?, side(x[3], kernel[1], strides[1])?]
        }
        Op::Resize { size, .. } => {
            arity(1..=1)?;
            let x = rank4(inputs[0].0)?;
            vec![x[0], x[1], size[0], size[1]]
        }
    };
    Ok(vec![(shape, ElementType::F32)])
}

fn axis_size(shape: &Shape, axis: usize) -> Result<usize, String> {
    shape.get(axis).copied().ok_or_else(|| format!("{shape:?} has no axis {axis}"))
}

fn rank4(shape: &Shape) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(shape.as_slice()).map_err(|_| format!("four axes are wanted, not {shape:?}"))
}

/// ONNX multidirectional broadcasting.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, String> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(format!("{a:?} and {b:?} do not broadcast")),
        })
        .collect()
}

fn matmul(a: &[usize], b: &[usize]) -> Result<Shape, String> {
    if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 2] {
        return Err(format!("{a:?} cannot be multiplied by {b:?}"));
    }
    let mut shape = broadcast(&a[..a.len() - 2], &b[..b.len() - 2])?;
    shape.extend([a[a.len() - 2], b[b.len() - 1]]);
    Ok(shape)
}

fn conv(
    inputs: &[(&Shape, ElementType)],
    strides: [usize; 2],
    pads: [usize; 4],
    groups: usize,
) -> Result<Shape, String> {
    let (x, w) = (rank4(inputs[0].0)?, rank4(inputs[1].0)?);
    if groups == 0 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1] {
        return Err(format!("{} channels in {groups} groups do not fit weights of {w:?}", x[1]));
    }
    if let Some((bias, _)) = inputs.get(2)
        && **bias != [w[0]]
    {
        return Err(format!("bias has shape {bias:?}, [{}] is wanted", w[0]));
    }
    let side = |size: usize, before: usize, after: usize, kernel: usize, stride: usize| {
        let padded = size.saturating_add(before).saturating_add(after);
        if stride == 0 || padded < kernel {
            return Err(format!("a kernel of {kernel} with stride {stride} does not fit into {padded}"));
        }
        Ok((padded - kernel) / stride + 1)
    };
    let height = side(x[2], pads[0], pads[2], w[2], strides[0])?;
    let width = side(x[3], pads[1], pads[3], w[3], strides[1])?;
    Ok(vec![x[0], w[0], height, width])
}

fn attention(inputs: &[(&Shape, ElementType)]) -> Result<Shape, String> {
    let (q, k, v) = (rank4(inputs[0].0)?, rank4(inputs[1].0)?, rank4(inputs[2].0)?);
    let fits = q[0] == 1 && k[0] == 1 && v[0] == 1 && q[1] % k[1] == 0 && k[1] == v[1] && q[3] == k[2] && k[3] == v[2];
    if !fits {
        return Err(format!("attention of q {q:?}, k {k:?} (transposed) and v {v:?} does not fit"));
    }
    if let Some((mask, _)) = inputs.get(3)
        && **mask != [1, 1, q[2], k[3]]
    {
        return Err(format!("the mask has shape {mask:?}, {:?} is wanted", [1, 1, q[2], k[3]]));
    }
    Ok(vec![1, q[1], q[2], v[3]])
}

fn concat(inputs: &[(&Shape, ElementType)], axis: usize) -> Result<Shape, String> {
    let mut shape = inputs[0].0.clone();
    let mut total = 0;
    for (other, _) in inputs {
        let same = other.len() == shape.len() && (0..shape.len()).all(|i| i == axis || other[i] == shape[i]);
        if !same {
            return Err(format!("{other:?} cannot be joined to {shape:?} along axis {axis}"));
        }
        total += axis_size(other, axis)?;
    }
    shape[axis] = total;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(op: &Op, inputs: &[&[usize]]) -> Result<Shape, String> {
        let owned: Vec<Shape> = inputs.iter().map(|s| s.to_vec()).collect();
        let typed: Vec<_> = owned.iter().map(|s| (s, ElementType::F32)).collect();
        infer(op, &typed).map(|mut made| made.swap_remove(0).0)
    }

    #[test]
    fn convolution_with_uneven_padding_halves_an_even_image() {
        let op = Op::Conv { strides: [2, 2], pads: [0, 0, 1, 1], groups: 1 };
        assert_eq!(shapes(&op, &[&[1, 3, 64, 96], &[8, 3, 3, 3]]).unwrap(), [1, 8, 32, 48]);
        assert!(shapes(&op, &[&[1, 4, 64, 96], &[8, 3, 3, 3]]).unwrap_err().contains("4 channels"));
    }

    #[test]
    fn products_and_sums_broadcast_as_onnx_says() {
        assert_eq!(shapes(&Op::MatMul, &[&[1, 2, 6, 8], &[8, 5]]).unwrap(), [1, 2, 6, 5]);
        assert_eq!(shapes(&Op::Add, &[&[1, 4, 3, 7], &[1, 1, 3, 7]]).unwrap(), [1, 4, 3, 7]);
        assert!(shapes(&Op::Add, &[&[2, 3], &[3, 2]]).is_err());
    }

    #[test]
    fn attention_checks_its_groups() {
        let op = Op::Attention { scale: 1.0 };
        assert_eq!(shapes(&op, &[&[1, 4, 6, 8], &[1, 2, 8, 10], &[1, 2, 10, 16]]).unwrap(), [1, 4, 6, 16]);
        assert!(shapes(&op, &[&[1, 3, 6, 8], &[1, 2, 8, 10], &[1, 2, 10, 16]]).is_err());
    }
}
