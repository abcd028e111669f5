//! Files of codes: the integers of constants in the safetensors format, one tensor for each constant.
//!
//! Integers of 4 bits stand two to a byte, the first in the low half, as a row of `U8`; the others have the safetensors
//! type of their own and the constant's shape. The header's metadata has one entry, `codes`: a JSON object that says of
//! every tensor which constant it is of, its integers and shape, the rounding method, and what was rounded: where the
//! numbers begin in the data file of the float models, and a SHA-256 of the encoding. Codes are found by what was
//! rounded, so that those of another encoding are never taken for those of this one.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_base::map::Map;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::Value;
use autoneural_core::quantize::Item;

/// The metadata's entry.
const ENTRY: &str = "codes";

/// The description of one tensor in a file of codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Name of the constant.
    name: String,
    /// Its integers.
    integer: IntegerType,
    /// Its shape.
    shape: Vec<usize>,
    /// The rounding method.
    rounding: String,
    /// First byte of its numbers in the data file of the float models.
    offset: Option<usize>,
    /// SHA-256 of its encoding.
    encoding: String,
}

impl Record {
    fn of(value: &Value, encoding: &Encoding, rounding: &str) -> Self {
        Record {
            name: value.name.clone(),
            integer: encoding.integer,
            shape: value.shape.clone(),
            rounding: rounding.to_string(),
            offset: value.constant().and_then(|constant| constant.start()),
            encoding: digest(encoding),
        }
    }

    /// Bytes of the packed codes; `None` if there are more than fit a number.
    fn bytes(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64))?;
        Some(count.checked_mul(u64::from(self.integer.bits()))?.div_ceil(8))
    }

    /// Whether both are of the same numbers under the same encoding, however they were rounded.
    fn is_of(&self, other: &Record) -> bool {
        Record { rounding: other.rounding.clone(), ..self.clone() } == *other
    }
}

/// SHA-256 of an encoding in hexadecimal: the same for equal encodings alone.
pub fn digest(encoding: &Encoding) -> String {
    let Encoding { integer, scale, zero_point, axis, block } = encoding;
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {axis:?} {block:?} {} ", integer.name(), scale.len()));
    scale.iter().for_each(|scale| hasher.update(scale.to_le_bytes()));
    zero_point.iter().for_each(|zero_point| hasher.update(zero_point.to_le_bytes()));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn dtype(integer: IntegerType) -> Dtype {
    match integer {
        IntegerType::Int4 | IntegerType::Uint8 => Dtype::U8,
        IntegerType::Int8 => Dtype::I8,
        IntegerType::Int16 => Dtype::I16,
        IntegerType::Uint16 => Dtype::U16,
        IntegerType::Int32 => Dtype::I32,
    }
}

/// Writes a file of packed codes, in order, rounded by the method of this name.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, items: &[(Item, Vec<u8>)], rounding: &str) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
    let (mut tensors, mut records) = (Vec::new(), BTreeMap::new());
    for (Item { value, encoding }, bytes) in items {
        // A constant that stands here under several encodings has several tensors.
        let names =
            (1..).map(|number| if number == 1 { value.name.clone() } else { format!("{}.{number}", value.name) });
        let name = names.into_iter().find(|name| !records.contains_key(name)).unwrap_or_default();
        let packed = encoding.integer == IntegerType::Int4;
        let shape = if packed { vec![bytes.len()] } else { value.shape.clone() };
        tensors.push((name.clone(), TensorView::new(dtype(encoding.integer), shape, bytes).map_err(failed)?));
        records.insert(name, Record::of(value, encoding, rounding));
    }
    let text = serde_json::to_string(&records).map_err(|error| Error::internal(path.display(), error))?;
    let made = safetensors::serialize(tensors, Some(HashMap::from([(ENTRY.to_string(), text)]))).map_err(failed)?;
    files::write(path, &made)
}

/// A file of codes, mapped.
pub struct CodeFile {
    map: Map,
    /// The tensors, and the bytes of the file that each takes.
    places: Vec<(Record, Range<usize>)>,
}

impl CodeFile {
    /// Reads the header of a mapped file; `path` is where it is.
    ///
    /// # Errors
    /// The file is not a file of codes.
    pub fn open(map: Map, path: &Path) -> Result<Self> {
        let no_codes = |why: String| damaged(path, format!("is no file of codes: {why}"));
        SafeTensors::deserialize(&map).map_err(|error| no_codes(error.to_string()))?;
        let (length, header) = SafeTensors::read_metadata(&map).map_err(|error| no_codes(error.to_string()))?;
        let text = header.metadata().as_ref().and_then(|texts| texts.get(ENTRY));
        let text = text.ok_or_else(|| no_codes(format!("its header has no `{ENTRY}`")))?;
        let records: BTreeMap<String, Record> =
            serde_json::from_str(text).map_err(|error| no_codes(error.to_string()))?;
        let mut places = Vec::new();
        for (name, record) in records {
            let info = header.info(&name).ok_or_else(|| no_codes(format!("`{name}` is not in it")))?;
            let (begin, end) = info.data_offsets;
            let count = (end - begin) as u64;
            let is_one = |wanted: &u64| *wanted == count && info.dtype == dtype(record.integer);
            if record.bytes().filter(is_one).is_none() {
                let (kind, shape, integer) = (info.dtype, &record.shape, record.integer.name());
                let message = format!("`{name}` has {count} bytes of {kind:?}, which are not {integer} of {shape:?}");
                return Err(damaged(path, message));
            }
            let start = size_of::<u64>() + length;
            places.push((record, start + begin..start + end));
        }
        Ok(CodeFile { map, places })
    }

    /// The packed codes of a constant; `None` if the file has none of these numbers under this encoding.
    pub fn find(&self, value: &Value, encoding: &Encoding) -> Option<&[u8]> {
        let mut named = self.places.iter().filter(|(record, _)| record.name == value.name).peekable();
        named.peek()?;
        let wanted = Record::of(value, encoding, "");
        named.find(|(record, _)| record.is_of(&wanted)).map(|(_, place)| &self.map[place.clone()])
    }
}

fn damaged(path: &Path, message: String) -> Error {
    Error::input(path.display(), message).help("the bundle is damaged; `autoneural emit` makes the codes anew")
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Constant, ElementType, Origin};

    fn value(name: &str, count: usize) -> Value {
        let origin = Origin::Constant(Constant::from_values(vec![0.0; count], vec![count]));
        Value { name: name.into(), shape: vec![count], element: ElementType::F32, origin }
    }

    #[test]
    fn codes_are_found_by_what_was_rounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.safetensors");
        let (weight, bias) = (value("w", 3), value("b", 2));
        let [first, second] = [1.0, 2.0].map(|most| Encoding::symmetric(IntegerType::Int4, &[most], None));
        let of_bias = Encoding::symmetric(IntegerType::Int32, &[1.0], None);
        let item = |value, encoding| Item { value, encoding };
        let items = [
            (item(&weight, &first), vec![0x21, 0x03]),
            (item(&weight, &second), vec![0x43, 0x05]),
            (item(&bias, &of_bias), vec![9; 8]),
        ];
        write(&path, &items, "nearest").unwrap();
        let file = CodeFile::open(Map::open(&path).unwrap(), &path).unwrap();
        let find = |value: &Value, encoding: &Encoding| file.find(value, encoding).map(<[u8]>::to_vec);
        assert_eq!(find(&weight, &first), Some(vec![0x21, 0x03]));
        assert_eq!(find(&weight, &second), Some(vec![0x43, 0x05]));
        assert_eq!(find(&bias, &of_bias), Some(vec![9; 8]));
        let third = Encoding::symmetric(IntegerType::Int4, &[3.0], None);
        assert_eq!(find(&weight, &third), None);
        assert_eq!(find(&value("w", 4), &first), None);
        assert_eq!(find(&value("v", 3), &first), None);
    }

    #[test]
    fn what_is_no_file_of_codes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("group.safetensors");
        let (weight, encoding) = (value("w", 3), Encoding::symmetric(IntegerType::Int8, &[1.0], None));
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            CodeFile::open(Map::open(&path).unwrap(), &path).err().unwrap().to_string()
        };
        assert!(said(b"{}").contains("group.safetensors: is no file of codes"), "{}", said(b"{}"));
        let bare = safetensors::serialize(Vec::<(String, TensorView)>::new(), None).unwrap();
        assert!(said(&bare).contains("has no `codes`"), "{}", said(&bare));
        // Of the right name, and too short.
        let record = BTreeMap::from([("w", Record::of(&weight, &encoding, "nearest"))]);
        let texts = HashMap::from([("codes".to_string(), serde_json::to_string(&record).unwrap())]);
        let view = TensorView::new(Dtype::I8, vec![2], &[1, 2]).unwrap();
        let short = safetensors::serialize([("w", view)], Some(texts)).unwrap();
        assert!(said(&short).contains("`w` has 2 bytes of I8"), "{}", said(&short));
    }
}
