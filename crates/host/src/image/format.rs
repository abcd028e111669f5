//! What kind of file it is, by its first bytes: names of files are often wrong.

use super::fault::Fault;

/// Formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

/// Other formats by where their mark stands and what it is.
const OTHERS: [(usize, &[u8], &str); 25] = [
    (8, b"WEBP", "a WebP image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftypavis", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftyphev", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftypmsf1", "a HEIF image"),
    (4, b"ftypcrx ", "a Canon raw image"),
    (4, b"ftyp", "a video or another ISO media file"),
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"II\x2a\0", "a TIFF or raw image"),
    (0, b"MM\0\x2a", "a TIFF or raw image"),
    (0, b"II\x2b\0", "a BigTIFF image"),
    (0, b"MM\0\x2b", "a BigTIFF image"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"qoif", "a QOI image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\0\0\x01\0", "an icon"),
    (0, b"%PDF", "a PDF document"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"DDS ", "a DDS texture"),
];

impl Format {
    /// The format of a file.
    ///
    /// # Errors
    /// Another one, by its name.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Ok(Format::Png);
        }
        if bytes.starts_with(b"\xff\xd8\xff") {
            return Ok(Format::Jpeg);
        }
        let is_at = |at: usize, mark: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
        let head = &bytes[..bytes.len().min(256)];
        let is_svg = head.windows(4).any(|window| window == b"<svg");
        let other = OTHERS.iter().find(|(at, mark, _)| is_at(*at, mark)).map(|(.., name)| *name);
        match other.or(is_svg.then_some("an SVG drawing")) {
            Some(name) => Err(Fault::kind(format!("is {name}"))),
            None => Err(Fault::kind("is of no known format")),
        }
    }
}
