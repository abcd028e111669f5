//! Images as the vision encoder expects them. Everything that reads a picture reads it here: questions, calibration,
//! verification and evaluation.

mod decode;
mod entropy;
mod fault;
mod format;
mod frame;
mod jpeg;
mod picture;
mod resample;
mod turn;

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_core::engine::Tensor;
use autoneural_front::Vision;

/// Largest image file that is read.
const LARGEST_FILE: u64 = 256 << 20;

/// A grey image, as [`load_image`] would give it.
pub fn blank_image(vision: &Vision) -> Tensor {
    let side = vision.image_size();
    let value = |channel: usize| (0.5 - vision.preprocess().mean[channel]) / vision.preprocess().std[channel];
    let values = (0..3).flat_map(|channel| std::iter::repeat_n(value(channel), side * side)).collect();
    Tensor::f32(vec![1, 3, side, side], values)
}

/// Reads a PNG or JPEG file as `[1,3,S,S]`: turned upright, made RGB, resized to the square input (aspect not kept),
/// divided by 255, normalized.
///
/// # Errors
/// A file that is no image, one that is damaged, smaller than 16 or larger than 16384 pixels a side.
pub fn load_image(path: &Path, vision: &Vision) -> Result<Tensor> {
    let square = load_square(path, vision)?;
    Ok(normalized(&square, vision))
}

/// What [`load_square`] gives, as the vision encoder takes it.
pub fn normalized(square: &[u8], vision: &Vision) -> Tensor {
    let side = vision.image_size();
    let mut values = vec![0f32; 3 * side * side];
    for (at, pixel) in square.chunks_exact(3).enumerate() {
        for (channel, &code) in pixel.iter().enumerate() {
            values[channel * side * side + at] = vision.preprocess().normalized(channel, code);
        }
    }
    Tensor::f32(vec![1, 3, side, side], values)
}

/// The codes of [`load_image`] before they are divided: red, green and blue of each pixel, row by row.
///
/// # Errors
/// As there.
pub fn load_square(path: &Path, vision: &Vision) -> Result<Vec<u8>> {
    let bytes = autoneural_base::text::read_at_most(path, LARGEST_FILE)?;
    if bytes.is_empty() {
        return Err(Error::input(path.display(), "is empty; a PNG or JPEG image is wanted"));
    }
    let picture =
        decode::decode(&bytes).map_err(|fault| Error::input(path.display(), fault.message).help(fault.help))?;
    let side = vision.image_size();
    Ok(resample::resample(&picture, side, side, vision.preprocess().resize))
}
