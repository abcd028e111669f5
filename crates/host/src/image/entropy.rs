//! The entropy-coded data of a JPEG (ITU-T T.81): walked block by block, without making pixels of it, to know that it
//! is whole. Decoders fill what is missing with grey and say nothing.

use super::frame::{Band, Grid};

/// Bytes that may be left over before a marker. Some cameras leave a few; a hole in a file leaves more, or too little.
const MOST_LEFT_OVER: usize = 8;
/// Bytes of nothing but zeros that no picture holds unless its zeros stand for blocks without detail.
const GAP: usize = 64;
/// Bits that are looked up at once.
const LOOKUP_BITS: u32 = 9;

/// A Huffman table.
#[derive(Clone)]
pub(crate) struct Huffman {
    /// Length and symbol by the next bits; length 0 where the code is longer.
    lookup: Vec<(u8, u8)>,
    /// Per length: the first code behind those of this length, and what to add to a code for the place of its symbol.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The table for `counts`, which are the numbers of codes of each length from 1 to 16, and their symbols in order.
    ///
    /// # Errors
    /// There are more codes of a length than possible.
    pub(crate) fn new(counts: &[u8], symbols: &[u8]) -> Result<Self, String> {
        let mut made =
            Huffman { lookup: vec![(0, 0); 1 << LOOKUP_BITS], ends: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut first) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = usize::from(counts[length as usize - 1]);
            made.ends[length as usize] = (code + count as u32, first as i32 - code as i32);
            for symbol in symbols.iter().skip(first).take(count) {
                if code >> length != 0 {
                    return Err("a Huffman table holds more codes than there are".into());
                }
                if length <= LOOKUP_BITS {
                    let at = (code << (LOOKUP_BITS - length)) as usize;
                    made.lookup[at..at + (1 << (LOOKUP_BITS - length))].fill((length as u8, *symbol));
                }
                code += 1;
            }
            first += count;
            code <<= 1;
        }
        Ok(made)
    }

    /// Whether zeros alone are detail: a coefficient of the smallest size, again and again.
    fn zeros_are_detail(&self) -> bool {
        let (length, symbol) = self.lookup[0];
        length > 0 && symbol & 15 > 0
    }
}

/// A component in a scan, with its tables.
pub(crate) struct ScanComponent<'a> {
    /// The blocks of the component.
    pub grid: Grid,
    /// Which coefficients of each block are not zero, as bits; only progressive pictures have it.
    pub known: Vec<u64>,
    /// Table of the first coefficients.
    pub dc: Option<&'a Huffman>,
    /// Table of the others.
    pub ac: Option<&'a Huffman>,
}

/// Walks a scan that begins at `start`; gives the place of the marker behind it, or that of the end of the file.
///
/// # Errors
/// Blocks are missing, a code is in no table, or data is left over.
pub(crate) fn walk(
    bytes: &[u8],
    start: usize,
    parts: &mut [ScanComponent],
    band: Band,
    restart: usize,
) -> Result<usize, String> {
    let mut reader = Bits { bytes, at: start, held: 0, count: 0, eob_run: 0, zeros: 0, gap: 0 };
    let interleaved = parts.len() > 1;
    let grid = parts[0].grid;
    let (columns, rows) = match interleaved {
        true => (grid.columns / grid.across, grid.rows / grid.down),
        false => (grid.own_columns, grid.own_rows),
    };
    let units = columns * rows;
    for unit in 0..units {
        if restart > 0 && unit > 0 && unit % restart == 0 {
            reader.restart((unit / restart - 1) % 8).map_err(|why| short(why, unit, units))?;
        }
        let (x, y) = (unit % columns, unit / columns);
        for part in &mut *parts {
            let grid = part.grid;
            let (across, down) = if interleaved { (grid.across, grid.down) } else { (1, 1) };
            for at in 0..across * down {
                let block = (y * down + at / across) * grid.columns + x * across + at % across;
                reader.block(part, block, band).map_err(|why| short(why, unit, units))?;
            }
        }
    }
    let detailed = |part: &ScanComponent| part.ac.is_some_and(Huffman::zeros_are_detail);
    if reader.gap >= GAP && band.last > 0 && band.high == 0 && parts.iter().any(detailed) {
        return Err(format!("has a gap of {} zero bytes in its picture data", reader.gap));
    }
    reader.finish()
}

fn short(why: String, unit: usize, units: usize) -> String {
    format!("{why}, after {:.0} % of the picture", 100.0 * unit as f64 / units as f64)
}

/// Reads bits up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    eob_run: u32,
    /// Zero bytes up to here, and most in a row.
    zeros: usize,
    gap: usize,
}

impl Bits<'_> {
    /// Takes in bytes up to a marker or the end.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            self.gap = self.gap.max(self.zeros);
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    fn need(&mut self, count: u32) -> Result<(), String> {
        if self.count < count {
            self.fill();
        }
        match self.count < count {
            true if self.at >= self.bytes.len() => Err("ends in the middle".into()),
            true => Err("its picture data ends too early".into()),
            false => Ok(()),
        }
    }

    fn bits(&mut self, count: u32) -> Result<u32, String> {
        self.need(count)?;
        self.count -= count;
        Ok((self.held >> self.count) as u32 & ((1u32 << count) - 1))
    }

    fn symbol(&mut self, table: Option<&Huffman>) -> Result<u8, String> {
        let table = table.ok_or("names a Huffman table that it does not hold")?;
        if self.count < 16 {
            self.fill();
        }
        if self.count >= LOOKUP_BITS {
            let next = (self.held >> (self.count - LOOKUP_BITS)) as usize & ((1 << LOOKUP_BITS) - 1);
            let (length, symbol) = table.lookup[next];
            if length > 0 {
                self.count -= u32::from(length);
                return Ok(symbol);
            }
        }
        let mut code = 0;
        for length in 1..=16usize {
            code = code << 1 | self.bits(1)?;
            let (end, shift) = table.ends[length];
            if code < end {
                let symbol = table.symbols.get((code as i32 + shift) as usize);
                return symbol.copied().ok_or_else(|| "has a damaged Huffman table".into());
            }
        }
        Err("holds a code that is in no table".into())
    }

    fn block(&mut self, part: &mut ScanComponent, block: usize, band: Band) -> Result<(), String> {
        let Band { first, last, high, progressive, .. } = band;
        if first == 0 {
            match high {
                0 => {
                    let size = u32::from(self.symbol(part.dc)?);
                    if size > 15 {
                        return Err("holds a code that is in no table".into());
                    }
                    self.bits(size)?
                }
                _ => self.bits(1)?,
            };
        }
        if !progressive {
            return self.coefficients(part.ac, 1, 63).map(|_| ());
        }
        if last == 0 {
            return Ok(());
        }
        let known = part.known.get_mut(block).ok_or("has blocks outside the picture")?;
        if high > 0 {
            return self.refine(part.ac, known, first, last);
        }
        if self.eob_run > 0 {
            self.eob_run -= 1;
            return Ok(());
        }
        *known |= self.coefficients(part.ac, first, last)?;
        Ok(())
    }

    /// Coefficients that come for the first time; gives those that are not zero.
    fn coefficients(&mut self, table: Option<&Huffman>, first: u8, last: u8) -> Result<u64, String> {
        let (mut at, mut found) = (u32::from(first), 0u64);
        let last = u32::from(last);
        while at <= last {
            let symbol = self.symbol(table)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => {
                    self.eob_run = (1 << run) - 1 + self.bits(run)?;
                    break;
                }
                _ => {
                    at += run;
                    if at > last {
                        return Err("holds a block that is too long".into());
                    }
                    self.bits(size)?;
                    found |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(found)
    }

    /// One more bit of coefficients, and those that it makes other than zero.
    fn refine(&mut self, table: Option<&Huffman>, known: &mut u64, first: u8, last: u8) -> Result<(), String> {
        let (mut at, last) = (u32::from(first), u32::from(last));
        if self.eob_run == 0 {
            while at <= last {
                let symbol = self.symbol(table)?;
                let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
                if size > 0 {
                    self.bits(1)?;
                } else if run < 15 {
                    self.eob_run = (1 << run) + self.bits(run)?;
                    break;
                }
                while at <= last {
                    if *known >> at & 1 == 1 {
                        self.bits(1)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    at += 1;
                }
                if size > 0 {
                    if at > last {
                        return Err("holds a block that is too long".into());
                    }
                    *known |= 1 << at;
                }
                at += 1;
            }
        }
        if self.eob_run > 0 {
            for at in at..=last {
                if *known >> at & 1 == 1 {
                    self.bits(1)?;
                }
            }
            self.eob_run -= 1;
        }
        Ok(())
    }

    fn restart(&mut self, number: usize) -> Result<(), String> {
        self.at = self.finish()?;
        self.eob_run = 0;
        match self.bytes.get(self.at + 1) {
            Some(&code) if usize::from(code) == 0xd0 + number => {
                self.at += 2;
                Ok(())
            }
            None => Err("ends in the middle".into()),
            Some(_) => Err("has lost a restart marker".into()),
        }
    }

    /// Drops what is left of a byte and finds the marker; the encoder may have put 0xff in front of it.
    fn finish(&mut self) -> Result<usize, String> {
        let mut left = (self.count / 8) as usize;
        (self.held, self.count) = (0, 0);
        loop {
            match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (None, _) => break,
                (Some(0xff), Some(0xff)) => self.at += 1,
                (Some(0xff), Some(1..)) => break,
                _ => {
                    left += 1;
                    self.at += 1;
                }
            }
        }
        match left > MOST_LEFT_OVER {
            true => Err(format!("holds {left} bytes of picture data too many")),
            false => Ok(self.at),
        }
    }
}
