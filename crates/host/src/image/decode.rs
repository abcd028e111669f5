//! From the bytes of a file to pixels, as Pillow's `ImageOps.exif_transpose(image).convert("RGB")` makes them: turned
//! upright, transparency dropped, 16 bits by their upper 8, colour profiles and gamma ignored.
//!
//! In one thing Pillow is not followed: from a grey PNG of 16 bits it makes white of everything above 255.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::png::PngDecoder;

use super::fault::Fault;
use super::format::Format;
use super::jpeg;
use super::picture::{Layout, Picture, refuse_sizes};
use super::turn::Orientation;
use autoneural_base::contain::contain;

/// Decodes the bytes of a file.
///
/// # Errors
/// Another format, a file that is damaged, sizes that are not read.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, Fault> {
    let format = Format::of(bytes)?;
    // Decoders panic on some damaged files.
    let decoded = contain(|| match format {
        Format::Png => png(bytes),
        Format::Jpeg => jpeg::decode(bytes),
    });
    decoded.unwrap_or_else(|panic| Err(Fault::broken(panic)))
}

fn png(bytes: &[u8]) -> Result<Picture, Fault> {
    if let Some(&[w3, w2, w1, w0, h3, h2, h1, h0]) = bytes.get(16..24)
        && bytes.get(12..16) == Some(b"IHDR")
    {
        // Before the decoder sees them: it takes memory for a row.
        refuse_sizes(u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]), 3.0)?;
    }
    let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(Fault::broken)?;
    let (width, height) = decoder.dimensions();
    let layout = Layout::of(decoder.color_type()).ok_or_else(|| Fault::kind("is a PNG of unknown colours"))?;
    refuse_sizes(width, height, layout.bytes() as f64)?;
    let mut pixels = vec![0; width as usize * height as usize * layout.bytes()];
    decoder.read_image(&mut pixels).map_err(Fault::broken)?;
    Ok(Picture { width, height, layout, pixels, turn: turn_of_png(bytes) })
}

/// How a PNG lies: its chunk of Exif data may stand before or behind the picture.
fn turn_of_png(bytes: &[u8]) -> Orientation {
    let (mut at, mut exif, mut xmp) = (8usize, None, None);
    while let Some(&[l3, l2, l1, l0, a, b, c, d]) = bytes.get(at..at.saturating_add(8)) {
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let Some(body) = bytes.get(at + 8..(at + 8).saturating_add(length)) else { break };
        match &[a, b, c, d] {
            b"eXIf" if exif.is_none() => exif = Orientation::of_exif(body),
            b"iTXt" if xmp.is_none() && body.starts_with(b"XML:com.adobe.xmp\0\0") => xmp = Orientation::of_xmp(body),
            _ => {}
        }
        at += 12 + length;
    }
    exif.or(xmp).unwrap_or_default()
}
