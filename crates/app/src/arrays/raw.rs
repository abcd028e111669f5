//! Raw numbers, as Qualcomm's tools read and write them: an input's elements in row-major order and nothing else.

use std::path::Path;

use super::element::{Kind, convert};
use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_core::ir::ElementType;
use autoneural_engines::engine::Tensor;

/// Reads the numbers of an input: float32, or int32 or int64 where the input takes integers.
///
/// # Errors
/// A file of another size than the input, a number that is not finite or that the input cannot take.
pub fn raw(path: &Path, shape: &[usize], element: ElementType, place: &str) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let file = files::open(path)?;
    let bytes = files::read(file, path, 8 * count as u64 + 1)?;
    let kind = match (element, bytes.len()) {
        (ElementType::F32, length) if length == 4 * count => Kind::F32,
        (ElementType::F32, _) => return Err(refused(place, bytes.len(), shape, 4 * count, "float32")),
        (_, length) if length == 4 * count => Kind::I32,
        (_, length) if length == 8 * count => Kind::I64,
        _ => return Err(refused(place, bytes.len(), shape, 4 * count, "int32")),
    };
    convert(place, kind, &bytes, shape.to_vec(), element)
}

fn refused(place: &str, found: usize, shape: &[usize], wanted: usize, kind: &str) -> Error {
    let found = if found > 2 * wanted { format!("more than {}", 2 * wanted) } else { found.to_string() };
    Error::input(place, format!("has {found} bytes; {kind} {shape:?} has {wanted}"))
        .help("a raw file holds the elements of one input of one sample, and nothing else")
}
