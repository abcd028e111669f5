//! The frame of a JPEG: sizes, components, and what scans have brought of them.

use super::fault::Fault;
use super::picture::{Layout, refuse_sizes};

/// How many blocks of 8 x 8 a component has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Blocks of it in a unit of all components.
    pub across: usize,
    /// As `across`.
    pub down: usize,
    /// Blocks with those that only fill the last units.
    pub columns: usize,
    /// As `columns`.
    pub rows: usize,
    /// Blocks without those.
    pub own_columns: usize,
    /// As `own_columns`.
    pub own_rows: usize,
}

/// A component.
pub(crate) struct Component {
    id: u8,
    /// Its blocks.
    pub grid: Grid,
    /// Which coefficients of each block are not zero, as bits, where a scan may ask for that.
    pub known: Vec<u64>,
    /// Bits of each coefficient that have not come; `None` before its first scan.
    missing: [Option<u8>; 64],
}

/// Sizes and components.
pub(crate) struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// One to four.
    pub components: Vec<Component>,
    progressive: bool,
    /// Bytes of a pixel where all coefficients are kept until the last scan.
    kept: f64,
}

/// A component in a scan, and the numbers of its tables.
pub(crate) struct Member {
    /// Its place in the frame.
    pub component: usize,
    /// Table of first coefficients.
    pub dc: u8,
    /// Table of the others.
    pub ac: u8,
}

/// Which coefficients a scan holds, and which of their bits.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Band {
    /// First coefficient in zigzag order.
    pub first: u8,
    /// Last coefficient.
    pub last: u8,
    /// Bits that scans before left to later ones; 0 where there was none before.
    pub high: u8,
    /// Bits that are left to later scans.
    pub low: u8,
    /// Whether the picture is sent in several scans.
    pub progressive: bool,
}

/// What a scan holds.
pub(crate) struct Scan {
    /// Components.
    pub members: Vec<Member>,
    /// Coefficients.
    pub band: Band,
}

impl Frame {
    /// Reads the segment of a frame. Memory is taken only after its sizes are checked.
    ///
    /// # Errors
    /// The frame is damaged, is of a kind that is not read, or has sizes that are refused.
    pub(crate) fn read(body: &[u8], progressive: bool) -> Result<Self, Fault> {
        let damaged = || Fault::damaged("has a damaged frame");
        let [bits, y1, y0, x1, x0, count, specs @ ..] = body else { return Err(damaged()) };
        let (width, height) = (u16::from_be_bytes([*x1, *x0]), u16::from_be_bytes([*y1, *y0]));
        if *bits != 8 {
            return Err(Fault::kind(format!("is a JPEG of {bits} bits, of which only those of 8 bits are read")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Fault::kind(format!("is a JPEG of {count} components; those of 1, 3 and 4 are read")));
        }
        let specs: Vec<&[u8]> = specs.chunks_exact(3).take(usize::from(*count)).collect();
        let factors: Vec<_> = specs.iter().map(|spec| (usize::from(spec[1] >> 4), usize::from(spec[1] & 15))).collect();
        if specs.len() < usize::from(*count)
            || factors.iter().any(|&(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v))
        {
            return Err(damaged());
        }
        let most = factors.iter().fold((1, 1), |most, factor| (most.0.max(factor.0), most.1.max(factor.1)));
        let layout = if specs.len() == 1 { Layout::Grey } else { Layout::Rgb };
        let (width, height) = (u32::from(width), u32::from(height));
        // What comes in several scans is in memory as coefficients of two bytes before there are pixels.
        let shares = factors.iter().map(|&(h, v)| (h * v) as f64 / (most.0 * most.1) as f64).sum::<f64>();
        let kept = layout.bytes() as f64 + 2.0 * shares;
        refuse_sizes(width, height, if progressive { kept } else { layout.bytes() as f64 })?;
        let components = specs.iter().zip(&factors).map(|(spec, &(across, down))| {
            let blocks = |size: u32, factor: usize, most: usize| (size as usize * factor).div_ceil(8 * most);
            let units = |size: u32, most: usize| (size as usize).div_ceil(8 * most);
            let grid = Grid {
                across,
                down,
                columns: units(width, most.0) * across,
                rows: units(height, most.1) * down,
                own_columns: blocks(width, across, most.0),
                own_rows: blocks(height, down, most.1),
            };
            let known = if progressive { vec![0; grid.columns * grid.rows] } else { vec![] };
            Component { id: spec[0], grid, known, missing: [None; 64] }
        });
        Ok(Frame { width, height, components: components.collect(), progressive, kept })
    }

    /// Reads the head of a scan, and notes which parts of the picture it holds.
    ///
    /// # Errors
    /// The head is damaged or does not fit the frame.
    pub(crate) fn scan(&mut self, body: &[u8]) -> Result<Scan, Fault> {
        let damaged = || Fault::damaged("has a damaged scan");
        let (&count, rest) = body.split_first().ok_or_else(damaged)?;
        let count = usize::from(count);
        let (Some(specs), Some(&[first, last, bits])) = (rest.get(..2 * count), rest.get(2 * count..2 * count + 3))
        else {
            return Err(damaged());
        };
        let band = match self.progressive {
            true => Band { first, last, high: bits >> 4, low: bits & 15, progressive: true },
            false => Band { first: 0, last: 63, high: 0, low: 0, progressive: false },
        };
        let is_band = first <= last && last < 64 && band.low < 14 && (first == 0) == (last == 0);
        if self.progressive && !(is_band && (first == 0 || count == 1)) || !(1..=4).contains(&count) {
            return Err(damaged());
        }
        if count < self.components.len() {
            refuse_sizes(self.width, self.height, self.kept)?;
        }
        let mut members: Vec<Member> = Vec::new();
        for spec in specs.chunks_exact(2) {
            let component = self.components.iter().position(|component| component.id == spec[0]).ok_or_else(damaged)?;
            if members.iter().any(|member| member.component == component) {
                return Err(damaged());
            }
            for bits in &mut self.components[component].missing[usize::from(band.first)..=usize::from(band.last)] {
                *bits = Some(band.low);
            }
            members.push(Member { component, dc: spec[1] >> 4, ac: spec[1] & 15 });
        }
        Ok(Scan { members, band })
    }

    /// Refuses a picture of which a scan is missing. With `to_the_last_bit`, which is for files without a mark at their
    /// end, every bit of every coefficient must be there.
    ///
    /// # Errors
    /// A scan is missing.
    pub(crate) fn refuse_incomplete(&self, to_the_last_bit: bool) -> Result<(), Fault> {
        let is_whole = |component: &Component| match to_the_last_bit {
            true => component.missing.iter().all(|&bits| bits == Some(0)),
            false => component.missing[0].is_some(),
        };
        match self.components.iter().all(is_whole) {
            true => Ok(()),
            false => Err(Fault::damaged("ends in the middle: scans of it are missing")),
        }
    }
}
