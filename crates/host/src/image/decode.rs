//! From the bytes of a file to pixels, as Pillow's `ImageOps.exif_transpose(image).convert("RGB")` makes them: turned
//! upright, transparency dropped, 16 bits by their upper 8, colour profiles and gamma ignored.
//!
//! In one thing Pillow is not followed: from a grey PNG of 16 bits it makes white of everything above 255.

use std::fmt::Display;
use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder};

use super::format::Format;
use super::turn::Turn;
use super::{LEAST_PIXELS, MOST_BYTES, MOST_PIXELS, jpeg};
use crate::contain::contain;

/// Why a file is not read, and what to do.
pub struct Fault {
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Fault {
    fn new(why: impl Display, help: &str) -> Self {
        Fault { message: format!("cannot be read as an image: {why}"), help: help.into() }
    }

    /// A part of the file is missing or wrong: what "it" has or does.
    pub fn damaged(what: impl Display) -> Self {
        Self::broken(format!("it {what}"))
    }

    /// A decoder finds fault with it.
    pub fn broken(error: impl Display) -> Self {
        Self::new(error, "copy or download it again, or save it anew in a program that still opens it")
    }

    /// The file is of a kind that is not read: what "it" is.
    pub fn kind(what: impl Display) -> Self {
        Self::new(
            format!("it {what}"),
            "PNG and JPEG images are read; convert it, say with `magick PICTURE picture.png`",
        )
    }
}

/// How pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One byte.
    Grey,
    /// Grey and transparency.
    GreyAlpha,
    /// Three bytes.
    Rgb,
    /// Three bytes and transparency.
    RgbAlpha,
    /// The same with two bytes each, in the machine's order.
    Grey16,
    /// Grey and transparency.
    GreyAlpha16,
    /// Three colours.
    Rgb16,
    /// Three colours and transparency.
    RgbAlpha16,
}

impl Layout {
    /// Bytes of a pixel.
    pub fn bytes(self) -> usize {
        match self {
            Layout::Grey => 1,
            Layout::GreyAlpha | Layout::Grey16 => 2,
            Layout::Rgb => 3,
            Layout::RgbAlpha | Layout::GreyAlpha16 => 4,
            Layout::Rgb16 => 6,
            Layout::RgbAlpha16 => 8,
        }
    }

    /// Where the upper bytes of red, green and blue stand in a pixel.
    fn colors(self) -> [usize; 3] {
        let upper = usize::from(cfg!(target_endian = "little"));
        match self {
            Layout::Grey | Layout::GreyAlpha => [0; 3],
            Layout::Rgb | Layout::RgbAlpha => [0, 1, 2],
            Layout::Grey16 | Layout::GreyAlpha16 => [upper; 3],
            Layout::Rgb16 | Layout::RgbAlpha16 => [upper, 2 + upper, 4 + upper],
        }
    }

    fn of(color: ColorType) -> Option<Self> {
        Some(match color {
            ColorType::L8 => Layout::Grey,
            ColorType::La8 => Layout::GreyAlpha,
            ColorType::Rgb8 => Layout::Rgb,
            ColorType::Rgba8 => Layout::RgbAlpha,
            ColorType::L16 => Layout::Grey16,
            ColorType::La16 => Layout::GreyAlpha16,
            ColorType::Rgb16 => Layout::Rgb16,
            ColorType::Rgba16 => Layout::RgbAlpha16,
            _ => return None,
        })
    }
}

/// A picture as it is stored. It is turned and made RGB row by row, so that it is in memory only once.
pub struct Picture {
    /// Pixels in a stored row.
    pub width: u32,
    /// Stored rows.
    pub height: u32,
    /// How they lie.
    pub layout: Layout,
    /// The stored rows.
    pub pixels: Vec<u8>,
    /// How it lies.
    pub turn: Turn,
}

impl Picture {
    /// Decodes the bytes of a file.
    ///
    /// # Errors
    /// Another format, a file that is damaged, sizes that are not read.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let format = Format::of(bytes)?;
        // Decoders panic on some damaged files.
        let decoded = contain(|| match format {
            Format::Png => png(bytes),
            Format::Jpeg => jpeg::decode(bytes),
        });
        decoded.unwrap_or_else(|panic| Err(Fault::broken(panic)))
    }

    /// Width and height of the picture upright.
    pub fn size(&self) -> (usize, usize) {
        let (width, height) = (self.width as usize, self.height as usize);
        if self.turn.swapped { (height, width) } else { (width, height) }
    }

    /// Writes a row of the upright picture as RGB.
    pub fn row(&self, y: usize, row: &mut [u8]) {
        let (width, height) = (self.width as usize, self.height as usize);
        let (bytes, colors) = (self.layout.bytes(), self.layout.colors());
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let (mut across, mut down) = if self.turn.swapped { (y, x) } else { (x, y) };
            if self.turn.mirrored {
                across = width - 1 - across;
            }
            if self.turn.upside_down {
                down = height - 1 - down;
            }
            let stored = &self.pixels[(down * width + across) * bytes..][..bytes];
            pixel.iter_mut().zip(colors).for_each(|(color, at)| *color = stored[at]);
        }
    }
}

/// Refuses sizes that show nothing or take too much memory, `bytes` for a pixel; what is made RGB counts as that.
pub fn refuse_sizes(width: u32, height: u32, bytes: f64) -> Result<(), Fault> {
    let memory = f64::from(width) * f64::from(height) * bytes.max(3.0);
    let sizes = format!("{width} x {height} pixels");
    if width.min(height) == 0 {
        return Err(Fault::damaged("has no pixels"));
    }
    if width.min(height) < LEAST_PIXELS {
        let message = format!("has {sizes}; at least {LEAST_PIXELS} a side are wanted");
        return Err(Fault { message, help: "give a picture that shows something".into() });
    }
    let help = format!(
        "PNG and JPEG images of {LEAST_PIXELS} to {MOST_PIXELS} pixels a side and at most {} MiB of pixels are read",
        MOST_BYTES >> 20
    );
    if width.max(height) > MOST_PIXELS {
        return Err(Fault::new(format!("it has {sizes}"), &help));
    }
    if memory > MOST_BYTES as f64 {
        let mib = (memory / f64::from(1 << 20)).ceil();
        return Err(Fault::new(format!("it has {sizes}, which would take {mib} MiB"), &help));
    }
    Ok(())
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
fn turn_of_png(bytes: &[u8]) -> Turn {
    let (mut at, mut exif, mut xmp) = (8usize, None, None);
    while let Some(&[l3, l2, l1, l0, a, b, c, d]) = bytes.get(at..at.saturating_add(8)) {
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let Some(body) = bytes.get(at + 8..(at + 8).saturating_add(length)) else { break };
        match &[a, b, c, d] {
            b"eXIf" if exif.is_none() => exif = Turn::of_exif(body),
            b"iTXt" if xmp.is_none() && body.starts_with(b"XML:com.adobe.xmp\0\0") => xmp = Turn::of_xmp(body),
            _ => {}
        }
        at += 12 + length;
    }
    exif.or(xmp).unwrap_or_default()
}
