//! JPEG files (ITU-T T.81): found to be whole, then decoded. The decoder alone takes what is there and fills up with
//! grey.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use super::entropy::{Huffman, ScanComponent, walk};
use super::fault::Fault;
use super::frame::{Component, Frame, Scan};
use super::picture::{Layout, Picture};
use super::turn::Orientation;

/// How an Exif segment begins.
const EXIF: &[u8] = b"Exif\0\0";
/// How an XMP segment begins.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Decodes a file.
///
/// # Errors
/// A file in which a part of the picture is missing or damaged, one of another kind, sizes that are not read.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, Fault> {
    let mut segments = Segments { bytes, at: 2, needed: vec![0xff, 0xd8], ..Segments::default() };
    segments.read()?;
    let Frame { width, height, components, .. } = segments.frame.ok_or_else(|| Fault::damaged("holds no picture"))?;
    let (layout, colors) = match components.len() {
        1 => (Layout::Grey, ColorSpace::Luma),
        _ => (Layout::Rgb, ColorSpace::RGB),
    };
    drop(components);
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(colors)
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut pixels = vec![0; width as usize * height as usize * layout.bytes()];
    zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&*segments.needed), options)
        .decode_into(&mut pixels)
        .map_err(Fault::broken)?;
    Ok(Picture { width, height, layout, pixels, turn: segments.exif.or(segments.xmp).unwrap_or_default() })
}

#[derive(Default)]
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The file without what a decoder does not need and may stumble over: notes, profiles, what stands between
    /// segments and what comes behind the picture, say a second one.
    needed: Vec<u8>,
    frame: Option<Frame>,
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart: usize,
    exif: Option<Orientation>,
    xmp: Option<Orientation>,
}

impl<'a> Segments<'a> {
    /// Reads up to the end of the picture. Where only the mark of the end is missing nothing of the picture is.
    fn read(&mut self) -> Result<(), Fault> {
        loop {
            let code = self.marker();
            let start = self.at.saturating_sub(2);
            match code {
                None | Some(0xd9) => {
                    let frame = self.frame.as_ref().ok_or_else(|| Fault::damaged("ends before its picture"))?;
                    self.needed.extend([0xff, 0xd9]);
                    return frame.refuse_incomplete(code.is_none());
                }
                // Without a length: padding, restarts, a second start.
                Some(0x01 | 0xd0..=0xd8) => continue,
                _ => {}
            }
            let code = code.unwrap_or_default();
            let body = self.body()?;
            match code {
                0xc0..=0xc2 if self.frame.is_some() => return Err(Fault::damaged("holds two frames")),
                0xc0..=0xc2 => self.frame = Some(Frame::read(body, code == 0xc2)?),
                0xc4 => self.tables(body)?,
                0xc3 | 0xc5..=0xcf => {
                    let message = "is lossless, hierarchical or arithmetic-coded JPEG, which is not read";
                    return Err(Fault::kind(message));
                }
                0xda => self.scan(body)?,
                0xdd if body.len() >= 2 => self.restart = usize::from(u16::from_be_bytes([body[0], body[1]])),
                0xe1 if self.exif.is_none() && body.starts_with(EXIF) => self.exif = Orientation::of_exif(body),
                0xe1 if self.xmp.is_none() && body.starts_with(XMP) => self.xmp = Orientation::of_xmp(body),
                _ => {}
            }
            // Adobe's segment tells the colours.
            if !matches!(code, 0xe0..=0xed | 0xef | 0xfe) {
                self.needed.extend(&self.bytes[start..self.at]);
            }
        }
    }

    /// The next marker; what stands before it is skipped.
    fn marker(&mut self) -> Option<u8> {
        loop {
            self.at += self.bytes.get(self.at..)?.iter().position(|&byte| byte == 0xff)?;
            self.at += self.bytes[self.at..].iter().position(|&byte| byte != 0xff)?;
            self.at += 1;
            if self.bytes[self.at - 1] != 0 {
                return Some(self.bytes[self.at - 1]);
            }
        }
    }

    fn body(&mut self) -> Result<&'a [u8], Fault> {
        let length = match self.bytes.get(self.at..) {
            Some(&[high, low, ..]) => usize::from(u16::from_be_bytes([high, low])),
            _ => 0,
        };
        let body = self.bytes.get(self.at + 2..self.at + length);
        self.at += length;
        body.ok_or_else(|| Fault::damaged("ends in a segment, or has one of a wrong length"))
    }

    fn tables(&mut self, mut body: &[u8]) -> Result<(), Fault> {
        while let Some((&kind, rest)) = body.split_first() {
            let counts = rest.get(..16).ok_or_else(|| Fault::damaged("has a damaged Huffman table"))?;
            let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(16..16 + count).ok_or_else(|| Fault::damaged("has a damaged Huffman table"))?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let slot = tables.get_mut(usize::from(kind & 15));
            *slot.ok_or_else(|| Fault::damaged("has a damaged Huffman table"))? =
                Some(Huffman::new(counts, symbols).map_err(Fault::damaged)?);
            body = &rest[16 + count..];
        }
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), Fault> {
        let frame = self.frame.as_mut().ok_or_else(|| Fault::damaged("has picture data before its sizes"))?;
        let Scan { members, band } = frame.scan(body)?;
        let table = |tables: &'_ [Option<Huffman>; 4], at: u8| tables.get(usize::from(at)).and_then(Clone::clone);
        let tables: Vec<_> =
            members.iter().map(|member| (table(&self.dc, member.dc), table(&self.ac, member.ac))).collect();
        let mut parts = Vec::new();
        for (member, (dc, ac)) in members.iter().zip(&tables) {
            let Component { grid, known, .. } = &mut frame.components[member.component];
            parts.push(ScanComponent { grid: *grid, known: std::mem::take(known), dc: dc.as_ref(), ac: ac.as_ref() });
        }
        self.at = walk(self.bytes, self.at, &mut parts, band, self.restart).map_err(Fault::damaged)?;
        for (member, part) in members.iter().zip(parts) {
            frame.components[member.component].known = part.known;
        }
        Ok(())
    }
}
