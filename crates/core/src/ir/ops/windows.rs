//! Windows of kernels and of pooling, and their padding in ONNX.

use super::onnx::OnnxNode;
use super::sample::Chance;
use super::shapes::{rank4, windows};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

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

/// Windows over images, as pooling has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Step along height and width.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pads: [usize; 4],
}

impl Pool {
    /// Shape of what is made of an image.
    pub fn shape(&self, image: [usize; 4]) -> Result<Shape, String> {
        let side = |axis: usize| {
            let (before, after, kernel) = (self.pads[axis], self.pads[axis + 2], self.kernel[axis]);
            if kernel > 0 && before.max(after) >= kernel {
                let most = before.max(after);
                return Err(format!("{most} rows or columns of padding leave a window of {kernel} without an element"));
            }
            windows(image[2 + axis].saturating_add(before).saturating_add(after), kernel, self.strides[axis], "window")
        };
        Ok(vec![image[0], image[1], side(0)?, side(1)?])
    }

    /// What a function makes of the elements of each window, padding left out.
    pub fn each(&self, image: &Constant, shape: &[usize], make: impl Fn(&[f32]) -> f32) -> Vec<f32> {
        let (values, sides) = (image.to_f32(), [image.shape()[2], image.shape()[3]]);
        let places = |at: usize, axis: usize| {
            let from = at * self.strides[axis];
            let end = (from + self.kernel[axis]).saturating_sub(self.pads[axis]).min(sides[axis]);
            from.saturating_sub(self.pads[axis])..end
        };
        let mut made = Vec::with_capacity(shape.iter().product());
        let mut window = Vec::new();
        for plane in values.chunks_exact(sides[0] * sides[1]) {
            for row in 0..shape[2] {
                for column in 0..shape[3] {
                    window.clear();
                    let across = places(column, 1);
                    for y in places(row, 0) {
                        window.extend_from_slice(&plane[y * sides[1]..][across.clone()]);
                    }
                    made.push(make(&window));
                }
            }
        }
        made
    }

    /// The windows of a node, and whether the last ones hang over the padding (`ceil_mode`): there the padding is
    /// longer. A window that would begin behind the image is none.
    pub fn read(node: &OnnxNode) -> Result<(Pool, bool), String> {
        let kernel = node.sizes("kernel_shape", [0, 0])?;
        let strides = node.sizes("strides", [1, 1])?;
        let image = rank4(&node.input(0)?.shape)?;
        let stated = pads(node, &image, kernel, strides)?;
        let mut pool = Pool { kernel, strides, pads: stated };
        // `auto_pad` says already how many windows there are.
        if node.int("ceil_mode", 0)? == 0 || node.text("auto_pad", "NOTSET")? != "NOTSET" {
            return Ok((pool, false));
        }
        for axis in 0..2 {
            let inside = image[2 + axis].saturating_add(stated[axis]);
            let whole = inside.saturating_add(stated[axis + 2]);
            let (kernel, stride) = (kernel[axis], strides[axis]);
            let count = windows(whole, kernel, stride, "window")?;
            // One window more begins here.
            let next = count.saturating_mul(stride);
            if (whole - kernel) % stride != 0 && next < inside {
                pool.pads[axis + 2] = next + kernel - inside;
            }
        }
        Ok((pool, pool.pads != stated))
    }

    /// Random windows, and an image for them.
    pub fn draw(chance: &mut Chance) -> (Pool, [usize; 4]) {
        let [kernel, strides] = [(); 2].map(|()| [chance.of(1..=3), chance.of(1..=3)]);
        let pads = [0, 1, 0, 1].map(|axis| chance.of(0..=kernel[axis] - 1));
        let image = [chance.of(1..=2), chance.of(1..=3), chance.of(3..=7), chance.of(3..=7)];
        (Pool { kernel, strides, pads }, image)
    }
}

/// A kernel whose elements lie side by side.
pub const fn dense() -> [usize; 2] {
    [1, 1]
}

/// Whether the elements of a kernel lie side by side.
pub fn is_dense(dilations: &[usize; 2]) -> bool {
    *dilations == dense()
}

/// What a kernel covers along an axis with this step between its elements.
pub fn spread(kernel: usize, dilation: usize) -> Result<usize, String> {
    let covered = kernel.saturating_sub(1).checked_mul(dilation).and_then(|more| more.checked_add(kernel.min(1)));
    match covered {
        Some(covered) if dilation > 0 => Ok(covered),
        _ => Err(format!("a kernel of {kernel} does not spread by {dilation}")),
    }
}
