//! Pictures in memory, and the sizes that are read.

use image::ColorType;

use super::fault::Fault;
use super::turn::Orientation;

/// Smallest width or height; what is smaller shows nothing.
const LEAST_PIXELS: u32 = 16;
/// Largest width or height that is decoded.
const MOST_PIXELS: u32 = 16384;
/// Most memory that pixels may take: a 16k x 10k RGB image.
const MOST_BYTES: u64 = 512 << 20;

/// How pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
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
    pub(crate) fn bytes(self) -> usize {
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

    /// That of a decoder's colours, if it is one of these.
    pub(crate) fn of(color: ColorType) -> Option<Self> {
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
pub(crate) struct Picture {
    /// Pixels in a stored row.
    pub width: u32,
    /// Stored rows.
    pub height: u32,
    /// How they lie.
    pub layout: Layout,
    /// The stored rows.
    pub pixels: Vec<u8>,
    /// How it lies.
    pub turn: Orientation,
}

impl Picture {
    /// Width and height of the picture upright.
    pub(crate) fn size(&self) -> (usize, usize) {
        let (width, height) = (self.width as usize, self.height as usize);
        if self.turn.swapped { (height, width) } else { (width, height) }
    }

    /// Writes a row of the upright picture as RGB.
    pub(crate) fn row(&self, y: usize, row: &mut [u8]) {
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

/// Refuses sizes that show nothing or take too much memory, at `bytes` for a pixel. At least 3 bytes are counted,
/// because every picture becomes RGB.
///
/// # Errors
/// A side has too few or too many pixels, or all pixels take too much memory.
pub(crate) fn refuse_sizes(width: u32, height: u32, bytes: f64) -> Result<(), Fault> {
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
