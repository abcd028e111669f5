//! Images as the vision encoder expects them.

use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{ImageReader, Limits};

use crate::engine::Tensor;
use crate::error::{Error, IoContext, Result};
use crate::front::{Resize, Vision};

/// Smallest width or height; what is smaller shows nothing.
const LEAST_PIXELS: u32 = 16;
/// Largest width or height that is decoded.
const MOST_PIXELS: u32 = 16384;
/// Most memory that decoding may take: a 16k x 8k RGB image.
const MOST_BYTES: u64 = 512 << 20;
/// Largest image file that is read.
const LARGEST_FILE: u64 = 256 << 20;

/// A grey image, as [`load_image`] would give it.
pub fn blank_image(vision: &Vision) -> Tensor {
    let side = vision.image_size();
    let value = |channel: usize| (0.5 - vision.preprocess().mean[channel]) / vision.preprocess().std[channel];
    let values = (0..3).flat_map(|channel| std::iter::repeat_n(value(channel), side * side)).collect();
    Tensor::f32(vec![1, 3, side, side], values)
}

/// Reads a PNG or JPEG file as `[1,3,S,S]`: resized to the square input (aspect not kept), divided by 255, normalized.
///
/// # Errors
/// A file that is no image, one that is damaged, smaller than 16 or larger than 16384 pixels a side.
pub fn load_image(path: &Path, vision: &Vision) -> Result<Tensor> {
    let bytes = crate::text::read_at_most(path, LARGEST_FILE)?;
    if bytes.is_empty() {
        return Err(Error::input(path.display(), "is empty; a PNG or JPEG image is wanted"));
    }
    let fail = |error: image::ImageError| {
        Error::input(path.display(), format!("cannot be read as an image: {error}")).help(format!(
            "PNG and JPEG images of {LEAST_PIXELS} to {MOST_PIXELS} pixels a side and at most {} MiB of pixels are read",
            MOST_BYTES >> 20
        ))
    };
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().at(path)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let pixels = reader.decode().map_err(fail)?.into_rgb8();
    let (width, height) = pixels.dimensions();
    if width.min(height) < LEAST_PIXELS {
        let message = format!("has {width} x {height} pixels; at least {LEAST_PIXELS} a side are wanted");
        return Err(Error::input(path.display(), message).help("give a picture that shows something"));
    }
    let side = vision.image_size();
    // Both filters widen when they shrink an image, as Pillow's do.
    let filter = match vision.preprocess().resize {
        Resize::Bilinear => FilterType::Triangle,
        Resize::Bicubic => FilterType::CatmullRom,
    };
    let square = image::imageops::resize(&pixels, side as u32, side as u32, filter);
    let mut values = vec![0f32; 3 * side * side];
    for (x, y, pixel) in square.enumerate_pixels() {
        for (channel, &code) in pixel.0.iter().enumerate() {
            let at = (channel * side + y as usize) * side + x as usize;
            let (mean, std) = (vision.preprocess().mean[channel], vision.preprocess().std[channel]);
            values[at] = (f32::from(code) / 255.0 - mean) / std;
        }
    }
    Ok(Tensor::f32(vec![1, 3, side, side], values))
}
