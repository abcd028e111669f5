//! Images as the vision encoder expects them. Everything that reads a picture reads it here: questions, calibration,
//! verification and evaluation.

mod decode;
mod entropy;
mod fault;
mod fit;
mod format;
mod frame;
mod jpeg;
mod picture;
mod resample;
mod turn;

use std::path::Path;

use self::picture::Picture;
use self::resample::Cut;
use autoneural_base::error::{Error, Result};
use autoneural_core::engine::Tensor;
use autoneural_core::recipe::Preprocess;
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
    let side = vision.image_size();
    Ok(resample::resample(&read(path)?, Cut::whole(side, side), vision.preprocess().resize))
}

/// Reads a PNG or JPEG file as the input of any model, of which the recipe says how pictures become it. `shape` is the
/// input's.
///
/// # Errors
/// As for [`load_image`]; an input that has other axes or sides than the recipe says, a picture that is smaller than
/// what is cropped from it.
pub fn load_input(path: &Path, preprocess: &Preprocess, shape: &[usize]) -> Result<Tensor> {
    let place = || path.display().to_string();
    let [rows, columns] = fit::sides(preprocess, shape).map_err(|message| Error::input(place(), message))?;
    let picture = read(path)?;
    let cut =
        fit::cut(preprocess, picture.size(), (columns, rows)).map_err(|message| Error::input(place(), message))?;
    let pixels = resample::resample(&picture, cut, preprocess.resize);
    drop(picture);
    Ok(Tensor::f32(shape.to_vec(), fit::values(preprocess, &pixels)))
}

fn read(path: &Path) -> Result<Picture> {
    let bytes = autoneural_base::text::read_at_most(path, LARGEST_FILE)?;
    if bytes.is_empty() {
        return Err(Error::input(path.display(), "is empty; a PNG or JPEG image is wanted"));
    }
    decode::decode(&bytes).map_err(|fault| Error::input(path.display(), fault.message).help(fault.help))
}
