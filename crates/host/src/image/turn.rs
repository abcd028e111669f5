//! How a picture lies: cameras store it as the sensor saw it and note which side is up.

/// Where the notes of Exif keep it.
const ORIENTATION: u16 = 0x0112;

/// What is to be done with a stored picture to see it upright: swap rows and columns, then read them backwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Whether rows are stored as columns.
    pub swapped: bool,
    /// Whether the stored rows run from right to left.
    pub mirrored: bool,
    /// Whether the stored columns run from bottom to top.
    pub upside_down: bool,
}

impl Orientation {
    /// By the number that Exif, TIFF and XMP give it.
    fn of_number(number: u32) -> Option<Self> {
        let (swapped, mirrored, upside_down) = match number {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, false, true),
            7 => (true, true, true),
            8 => (true, true, false),
            _ => return None,
        };
        Some(Orientation { swapped, mirrored, upside_down })
    }

    /// From Exif data; `None` where they do not tell.
    pub(crate) fn of_exif(bytes: &[u8]) -> Option<Self> {
        // PNG writers leave the prefix of JPEG in now and then.
        let tiff = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
        let is_little = match tiff.get(..4)? {
            b"II\x2a\0" | b"II\0\x2a" => true,
            b"MM\0\x2a" | b"MM\x2a\0" => false,
            _ => return None,
        };
        let number = |at: usize, size: usize| -> Option<u32> {
            let bytes = tiff.get(at..at.checked_add(size)?)?.iter();
            let join = |whole: u32, &byte: &u8| whole << 8 | u32::from(byte);
            Some(if is_little { bytes.rev().fold(0, join) } else { bytes.fold(0, join) })
        };
        let directory = number(4, 4)? as usize;
        for entry in 0..number(directory, 2)? as usize {
            let at = directory.checked_add(2 + 12 * entry)?;
            if number(at, 2)? != u32::from(ORIENTATION) {
                continue;
            }
            let size = match number(at + 2, 2)? {
                1 | 6 => 1,
                3 | 8 => 2,
                4 | 9 => 4,
                _ => return None,
            };
            return Self::of_number(number(at + 8, size)?);
        }
        None
    }

    /// From XMP, which some editors write alone: `tiff:Orientation="6"` or as an element.
    pub(crate) fn of_xmp(bytes: &[u8]) -> Option<Self> {
        let name = b"tiff:Orientation";
        let at = bytes.windows(name.len()).position(|window| window == name)? + name.len();
        let digit = match bytes.get(at..)? {
            [b'=', b'"' | b'\'', digit, ..] | [b'>', digit, ..] => *digit,
            _ => return None,
        };
        Self::of_number(u32::from(digit.wrapping_sub(b'0')))
    }
}

#[cfg(test)]
mod tests {
    use super::Orientation;

    fn exif(order: &[u8], entry: &[u8]) -> Vec<u8> {
        let little = order.starts_with(b"II");
        let words: [&[u8]; 2] = if little { [&[8, 0, 0, 0], &[1, 0]] } else { [&[0, 0, 0, 8], &[0, 1]] };
        [order, words[0], words[1], entry].concat()
    }

    #[test]
    fn all_byte_orders_and_types_are_read() {
        let upright = Orientation { swapped: true, mirrored: false, upside_down: true };
        for (order, entry) in [
            (b"II\x2a\0", [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]),
            (b"MM\0\x2a", [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]),
            (b"MM\x2a\0", [1, 0x12, 0, 4, 0, 0, 0, 1, 0, 0, 0, 6]),
            (b"II\0\x2a", [0x12, 1, 1, 0, 1, 0, 0, 0, 6, 0, 0, 0]),
        ] {
            let made = exif(order, &entry);
            assert_eq!(Orientation::of_exif(&made), Some(upright), "{order:?}");
            assert_eq!(Orientation::of_exif(&[b"Exif\0\0", &made[..]].concat()), Some(upright));
            (0..made.len()).for_each(|end| assert_eq!(Orientation::of_exif(&made[..end.min(18)]), None));
        }
        assert_eq!(Orientation::of_exif(&exif(b"II\x2a\0", &[0x12, 1, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0])), None);
        assert_eq!(Orientation::of_exif(b"II\x2a\0\xff\xff\xff\xff"), None);
        assert_eq!(Orientation::of_xmp(b"<rdf tiff:Orientation=\"6\"/>"), Some(upright));
        assert_eq!(Orientation::of_xmp(b"<tiff:Orientation>6</tiff:Orientation>"), Some(upright));
        assert_eq!(Orientation::of_xmp(b"<tiff:Orientation>x"), None);
    }
}
