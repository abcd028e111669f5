//! Padding of kernels in ONNX.

use super::onnx::OnnxNode;

/// Padding before and after height and width (top, left, bottom, right), from `pads` or `auto_pad`.
pub fn pads(node: &OnnxNode, image: &[usize], kernel: [usize; 2], strides: [usize; 2]) -> Result<[usize; 4], String> {
    let stated = node.sizes("pads", [0; 4])?;
    let is_upper = match node.text("auto_pad", "NOTSET")?.as_str() {
        "NOTSET" => return Ok(stated),
        "VALID" => return Ok([0; 4]),
        "SAME_UPPER" => true,
        "SAME_LOWER" => false,
        other => return Err(format!("{} with auto_pad {other} is not known", node.op_type)),
    };
    let &[_, _, height, width] = image else { return Err(format!("four axes are wanted, not {image:?}")) };
    let mut made = [0; 4];
    for (at, size) in [height, width].into_iter().enumerate() {
        if strides[at] == 0 {
            return Err(format!("{} has a stride of 0", node.op_type));
        }
        let places = size.div_ceil(strides[at]);
        let total = ((places.saturating_sub(1)) * strides[at] + kernel[at]).saturating_sub(size);
        let (less, more) = (total / 2, total - total / 2);
        (made[at], made[at + 2]) = if is_upper { (less, more) } else { (more, less) };
    }
    Ok(made)
}
