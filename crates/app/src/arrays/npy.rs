//! NumPy's file of one array, as <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html> has it. Its
//! header is a Python literal; only what NumPy writes is read of that language, and so nothing of it can nest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::element::Kind;
use super::file::{About, ArrayFile, part_bytes};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;

/// Most bytes of a header; NumPy itself reads no more.
const LONGEST_HEADER: usize = 10_000;
/// Most samples of an array whose first axis runs fastest: so many elements are in memory at once.
const MOST_FORTRAN: usize = 1 << 20;
/// What a file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// The header of a file, before the elements.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    /// The array.
    pub about: About,
    /// Whether its first axis runs fastest.
    is_fortran: bool,
    /// Bytes before the elements.
    length: u64,
}

impl Header {
    /// Reads the header; `place` is for messages.
    ///
    /// # Errors
    /// No file of this kind, or elements that are no numbers.
    pub(crate) fn read(from: &mut dyn Read, place: &str) -> Result<Self> {
        let damaged = |what: &str| Error::input(place, format!("is no array of NumPy's: {what}"));
        let ends = |error: std::io::Error| damaged(&format!("its header cannot be read: {error}"));
        let mut start = [0u8; 8];
        from.read_exact(&mut start).map_err(ends)?;
        if !start.starts_with(MAGIC) {
            return Err(damaged("it begins with other bytes").help("write it with `numpy.save` or `numpy.savez`"));
        }
        let (size, own) = match start[6] {
            1 => {
                let mut size = [0u8; 2];
                from.read_exact(&mut size).map_err(ends)?;
                (u16::from_le_bytes(size).into(), 10)
            }
            2 | 3 => {
                let mut size = [0u8; 4];
                from.read_exact(&mut size).map_err(ends)?;
                (u32::from_le_bytes(size) as usize, 12)
            }
            other => return Err(damaged(&format!("version {other} of the format is not known"))),
        };
        if size > LONGEST_HEADER {
            return Err(damaged(&format!("its header has {size} bytes, at most {LONGEST_HEADER} are read")));
        }
        let mut text = vec![0u8; size];
        from.read_exact(&mut text).map_err(ends)?;
        let text = String::from_utf8(text).map_err(|_| damaged("its header is no text"))?;
        let (descr, is_fortran, shape) = parse(&text).map_err(|what| damaged(&what))?;
        let Some(kind) = Kind::of_numpy(&descr) else {
            let what = match descr.contains('O') {
                true => "holds Python objects, which only running a program could read".to_string(),
                false => format!("has elements `{descr}`, which are no numbers that are read"),
            };
            return Err(Error::input(place, what)
                .help("convert it, say with `array.astype(numpy.float32)`; bool, int, uint and float are read"));
        };
        let about = About { kind, shape };
        about.bytes().ok_or_else(|| damaged(&format!("{:?} elements are impossible", about.shape)))?;
        Ok(Header { about, is_fortran, length: own + size as u64 })
    }

    /// Refuses a file of another size than its array has.
    ///
    /// # Errors
    /// It is shorter or longer.
    pub(crate) fn refuse_other_size(&self, bytes: u64, place: &str) -> Result<()> {
        let wanted = self.about.bytes().unwrap_or(u64::MAX).saturating_add(self.length);
        match bytes == wanted {
            true => Ok(()),
            false => {
                let (name, shape) = (self.about.kind.name(), &self.about.shape);
                Err(Error::input(place, format!("has {bytes} bytes, {name} {shape:?} has {wanted}"))
                    .help("the file is cut off or damaged: write it again"))
            }
        }
    }

    /// Elements in row-major order from a reader that stands before the first of them. `skip` passes over bytes.
    ///
    /// # Errors
    /// The file ends too soon.
    pub(crate) fn elements<R: Read>(
        &self,
        from: &mut R,
        skip: impl FnOnce(&mut R, u64) -> std::io::Result<()>,
        row: Option<(usize, usize)>,
        place: &str,
    ) -> Result<Vec<u8>> {
        let cut = |error: std::io::Error| Error::input(place, format!("cannot be read to its end: {error}"));
        let bytes = part_bytes(place, &self.about, row)?;
        let rest = &self.about.shape[usize::from(row.is_some()).min(self.about.shape.len())..];
        let is_mixed = self.is_fortran && self.about.shape.len() > 1;
        if !is_mixed {
            skip(from, row.map_or(0, |(_, at)| at as u64 * bytes as u64)).map_err(cut)?;
            let mut made = vec![0u8; bytes];
            from.read_exact(&mut made).map_err(cut)?;
            return Ok(made);
        }
        // The first axis runs fastest: of each run of it one element is the row's.
        let size = self.about.kind.bytes();
        let (rows, at) = row.unwrap_or((1, 0));
        if rows > MOST_FORTRAN {
            return Err(Error::input(
                place,
                format!("has {rows} samples in Fortran's order, at most {MOST_FORTRAN} are read"),
            )
            .help("save it in C order: `numpy.ascontiguousarray(array)`"));
        }
        let mut picked = Vec::with_capacity(bytes);
        let mut run = vec![0u8; rows * size];
        let mut buffered = BufReader::with_capacity(1 << 16, from);
        while picked.len() < bytes {
            buffered.read_exact(&mut run).map_err(cut)?;
            picked.extend_from_slice(&run[at * size..(at + 1) * size]);
        }
        Ok(row_major(&picked, rest, size))
    }
}

/// Elements whose first axis runs fastest, so that the last does.
fn row_major(elements: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut made = Vec::with_capacity(elements.len());
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &length in shape {
        strides.push(stride);
        stride *= length;
    }
    let mut place = vec![0usize; shape.len()];
    for _ in 0..elements.len() / size {
        let from: usize = place.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
        made.extend_from_slice(&elements[from * size..(from + 1) * size]);
        for (at, &length) in place.iter_mut().zip(shape).rev() {
            *at += 1;
            if *at < length {
                break;
            }
            *at = 0;
        }
    }
    made
}

/// The three values of a header.
fn parse(text: &str) -> Result<(String, bool, Vec<usize>), String> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.ok_or("its header is no dictionary")?.trim();
    let (mut descr, mut order, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest).ok_or("a key of its header is no text")?;
        let after = after.trim_start().strip_prefix(':').ok_or("a key of its header has no value")?.trim_start();
        rest = match key {
            "descr" => {
                let (value, after) =
                    quoted(after).ok_or("its elements are a record, of which no input is made; save plain numbers")?;
                descr = Some(value.to_string());
                after
            }
            "fortran_order" => {
                let (value, after) = match (after.strip_prefix("True"), after.strip_prefix("False")) {
                    (Some(after), _) => (true, after),
                    (_, Some(after)) => (false, after),
                    _ => return Err("`fortran_order` is neither True nor False".into()),
                };
                order = Some(value);
                after
            }
            "shape" => {
                let (value, after) =
                    after.strip_prefix('(').and_then(|after| after.split_once(')')).ok_or("`shape` is no tuple")?;
                shape = Some(sizes(value)?);
                after
            }
            other => return Err(format!("its header has a key `{other}`")),
        };
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    match (descr, order, shape) {
        (Some(descr), Some(order), Some(shape)) => Ok((descr, order, shape)),
        _ => Err("its header lacks `descr`, `fortran_order` or `shape`".into()),
    }
}

/// What stands in quotes, and what comes behind.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn sizes(text: &str) -> Result<Vec<usize>, String> {
    let parts = text.split(',').map(str::trim);
    let sizes: Vec<usize> = parts
        .filter(|part| !part.is_empty())
        // Python 2 wrote longs so.
        .map(|part| part.trim_end_matches('L').parse().map_err(|_| format!("`{part}` in `shape` is no size")))
        .collect::<Result<_, _>>()?;
    // NumPy's own limit is 64.
    if sizes.len() > 64 { Err(format!("it has {} axes", sizes.len())) } else { Ok(sizes) }
}

/// A file of one array, which has no name.
pub(crate) struct Npy {
    place: String,
    file: File,
    header: Header,
    abouts: BTreeMap<String, About>,
}

impl Npy {
    /// Reads the header.
    ///
    /// # Errors
    /// As for [`Header::read`], and a file of another size.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (place, mut file) = (path.display().to_string(), files::open(path)?);
        let header = Header::read(&mut file, &place)?;
        header.refuse_other_size(file.metadata().at(path)?.len(), &place)?;
        let abouts = BTreeMap::from([(String::new(), header.about.clone())]);
        Ok(Npy { place, file, header, abouts })
    }
}

impl ArrayFile for Npy {
    fn abouts(&self) -> &BTreeMap<String, About> {
        &self.abouts
    }

    fn read(&mut self, _name: &str, row: Option<(usize, usize)>) -> Result<Vec<u8>> {
        let start = self.header.length;
        let skip = |file: &mut File, bytes: u64| file.seek(SeekFrom::Start(start + bytes)).map(drop);
        self.file.seek(SeekFrom::Start(start)).at(Path::new(&self.place))?;
        self.header.elements(&mut self.file, skip, row, &self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 3, 2), }          \n";
        let found = Header::read(&mut header(text).as_slice(), "a.npy").unwrap();
        let about = About { kind: Kind::of_numpy("<f4").unwrap(), shape: vec![16, 3, 2] };
        assert_eq!(found, Header { about, is_fortran: false, length: 10 + text.len() as u64 });
        for (shape, wanted) in [("()", vec![]), ("(5,)", vec![5]), ("(2L, 3L)", vec![2, 3])] {
            let text = format!("{{\"descr\": \"|u1\", 'shape': {shape}, 'fortran_order': True}}");
            assert_eq!(Header::read(&mut header(&text).as_slice(), "a").unwrap().about.shape, wanted);
        }
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused() {
        for (descr, shape, word) in [
            ("'|O'", "(1,)", "Python objects"),
            ("[('a', '<f4')]", "(1,)", "record"),
            ("'<U4'", "(1,)", "no numbers"),
            ("'<f4'", "((((1))))", "no size"),
            ("'<f4'", "(-1,)", "no size"),
            ("'<f8'", "(4294967296, 4294967296)", "impossible"),
            ("'<f4'", "3", "no tuple"),
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
            let error = Header::read(&mut header(&text).as_slice(), "a.npy").unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("a.npy"), "{error}");
        }
        let long = [b"\x93NUMPY\x02\x00".as_slice(), &u32::MAX.to_le_bytes()].concat();
        assert!(Header::read(&mut long.as_slice(), "a").unwrap_err().to_string().contains("at most 10000"));
        assert!(
            Header::read(&mut b"PK\x03\x04\0\0\0\0".as_slice(), "a").unwrap_err().to_string().contains("other bytes")
        );
        assert!(Header::read(&mut b"\x93NUM".as_slice(), "a").is_err());
    }

    /// The same array in both orders gives the same rows.
    #[test]
    fn both_orders_give_the_same_elements() {
        let shape = [4usize, 2, 3];
        let number = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as u8;
        let (mut c, mut fortran) = (vec![], vec![]);
        for i in 0..4 {
            (0..2).for_each(|j| c.extend((0..3).map(|k| number(i, j, k))));
        }
        for k in 0..3 {
            (0..2).for_each(|j| fortran.extend((0..4).map(|i| number(i, j, k))));
        }
        for (order, bytes) in [("False", &c), ("True", &fortran)] {
            let text = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': {shape:?}}}");
            let text = text.replace('[', "(").replace(']', ")");
            let whole = [header(&text), bytes.clone()].concat();
            let read = |row| {
                let mut from = whole.as_slice();
                let header = Header::read(&mut from, "a").unwrap();
                let skip = |from: &mut &[u8], bytes: u64| {
                    *from = &from[bytes as usize..];
                    Ok(())
                };
                header.elements(&mut from, skip, row, "a").unwrap()
            };
            assert_eq!(read(None), c, "{order}");
            assert_eq!(read(Some((4, 2))), c[12..18], "{order}");
        }
    }
}
