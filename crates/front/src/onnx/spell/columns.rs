//! Pictures that are put together from columns of their windows.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops;

/// Moves the pixels of each window to its place (`torch.nn.Fold`), where windows do not overlap and leave nothing out.
/// Where they overlap their pixels are summed, which is not read.
pub fn col2im<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["dilations", "pads", "strides"], 18)?;
    let sizes = |at: usize, what: &str| -> Result<[usize; 2], String> {
        let stated = told.onnx.integers(at)?.ok_or(format!("has no {what}"))?;
        let sizes: Option<Vec<usize>> = stated.iter().map(|&size| usize::try_from(size).ok()).collect();
        let wanted = || format!("has a {what} of {stated:?}; two sizes are wanted");
        sizes.and_then(|sizes| <[usize; 2]>::try_from(sizes).ok()).ok_or_else(wanted)
    };
    let ([rows, columns], [height, width]) = (sizes(1, "image_shape")?, sizes(2, "block_shape")?);
    let [down, along] = told.onnx.sizes("strides", [1; 2])?;
    let is_plain = told.onnx.sizes("dilations", [1; 2])? == [1; 2] && told.onnx.sizes("pads", [0; 4])? == [0; 4];
    let fits = |size: usize, block: usize, stride: usize| {
        block > 0 && size.is_multiple_of(block) && (stride == block || size == block)
    };
    if !is_plain || !fits(rows, height, down) || !fits(columns, width, along) {
        return Err(
            "puts together windows that overlap, are padded, or leave pixels out; those that lie side by side are \
                    supported"
                .into(),
        );
    }
    let shape = told.shape(0)?.clone();
    // Both are above zero here.
    let window = height.checked_mul(width);
    let (down, along) = (rows / height, columns / width);
    let channels = match shape[..] {
        [_, each, places]
            if Some(places) == down.checked_mul(along)
                && each > 0
                && window.is_some_and(|all| each.is_multiple_of(all)) =>
        {
            each / (height * width)
        }
        _ => return Err(format!("does not make images of {rows} x {columns} of {shape:?}")),
    };
    let x = making.input(told, 0)?;
    let name = told.name();
    let windows = ops::Reshape { shape: vec![shape[0], channels, height, width, down, along] };
    let windows = making.step(format!("{name}.windows"), windows, &[x])?;
    let placed = ops::Transpose { perm: vec![0, 1, 4, 2, 5, 3] };
    let placed = making.step(format!("{name}.placed"), placed, &[windows])?;
    Ok(Some(vec![Known::Value(making.reshaped(name, placed, vec![shape[0], channels, rows, columns])?)]))
}
