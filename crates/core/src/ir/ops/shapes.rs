//! Rules of shapes that operators have in common.

use crate::ir::types::Shape;

/// Size of an axis.
pub fn axis_size(shape: &[usize], axis: usize) -> Result<usize, String> {
    shape.get(axis).copied().ok_or_else(|| format!("{shape:?} has no axis {axis}"))
}

/// The sizes of exactly four axes.
pub fn rank4(shape: &[usize]) -> Result<[usize; 4], String> {
    <[usize; 4]>::try_from(shape).map_err(|_| format!("four axes are wanted, not {shape:?}"))
}

/// ONNX multidirectional broadcasting.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, String> {
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

/// Number of elements.
pub fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}

/// Places of a window of this kernel and stride along an axis.
pub fn windows(size: usize, kernel: usize, stride: usize, what: &str) -> Result<usize, String> {
    if kernel == 0 || stride == 0 || size < kernel {
        return Err(format!("a {what} of {kernel} with stride {stride} does not fit into {size}"));
    }
    Ok((size - kernel) / stride + 1)
}

/// Refuses a bias that has not one number for each channel.
pub fn refuse_other_bias(bias: Option<&&Shape>, channels: usize) -> Result<(), String> {
    match bias {
        Some(bias) if **bias != [channels] => Err(format!("bias has shape {bias:?}, [{channels}] is wanted")),
        _ => Ok(()),
    }
}
