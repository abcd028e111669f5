//! Tensors of a model file as constants, as views into its data files where they stand there.

use super::fold::counted;
use autoneural_core::ir::{Constant, ElementType, Shape, StoredType, View};
use autoneural_onnx::{DataFiles, TensorProto};

/// Most elements of a tensor: the graph takes no larger value either.
const MOST_ELEMENTS: usize = 1 << 30;

/// The constant that a tensor is.
///
/// # Errors
/// Says in words what of it cannot be: its type, its size, the place of its data.
pub fn constant(tensor: &TensorProto, data: &mut DataFiles) -> Result<Constant, String> {
    let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).ok());
    let shape = sizes.collect::<Option<Shape>>().ok_or_else(|| format!("has the shape {:?}", tensor.dims))?;
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1)));
    if count.is_none_or(|count| count > MOST_ELEMENTS) {
        return Err(format!("has the shape {shape:?}, which is too large"));
    }
    let count: usize = shape.iter().product();
    let other = || format!("has elements of the type {}, which is not supported", tensor.data_type);
    let element = element_type(tensor.data_type).ok_or_else(other)?;
    if let Some(bytes) = data.bytes(tensor)? {
        let refused = format!("has {} bytes in its data file for the shape {shape:?}", bytes.length);
        return match stored_type(tensor.data_type) {
            Some(stored) if count.checked_mul(stored.bytes()) == Some(bytes.length) => {
                let view = View::new(bytes.map, bytes.start, count, stored);
                view.map(|view| Constant::from_view(view, shape)).ok_or(refused)
            }
            Some(_) => Err(refused),
            None => narrowed(tensor.data_type, element, &bytes, shape).ok_or(refused),
        };
    }
    if tensor.raw_data.is_empty() {
        return listed(tensor, element, count, shape);
    }
    let refused = format!("has {} bytes for the shape {shape:?}", tensor.raw_data.len());
    match stored_type(tensor.data_type) {
        Some(stored) => Constant::from_le_bytes(stored, &tensor.raw_data, shape).ok_or(refused),
        None => narrowed(tensor.data_type, element, &tensor.raw_data, shape).ok_or(refused),
    }
}

/// The type that elements of an ONNX type (`TensorProto.DataType`) have here: real numbers are float32, small integers
/// are of 32 bits.
pub fn element_type(data_type: i32) -> Option<ElementType> {
    Some(match data_type {
        1 | 10 | 11 | 16 => ElementType::F32,
        2..=6 | 21 | 22 => ElementType::I32,
        7 | 12 | 13 => ElementType::I64,
        9 => ElementType::Bool,
        _ => return None,
    })
}

/// How elements of a type are stored, for types that constants are stored in.
fn stored_type(data_type: i32) -> Option<StoredType> {
    Some(match data_type {
        1 => StoredType::F32,
        6 => StoredType::I32,
        7 => StoredType::I64,
        9 => StoredType::Bool,
        10 => StoredType::F16,
        16 => StoredType::Bf16,
        _ => return None,
    })
}

/// Elements of other types, which are turned when they are read.
fn narrowed(data_type: i32, element: ElementType, bytes: &[u8], shape: Shape) -> Option<Constant> {
    let count = counted(&shape).ok()?;
    fn each<const N: usize>(bytes: &[u8], count: usize, turn: impl Fn([u8; N]) -> i64) -> Option<Vec<i64>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        (rest.is_empty() && chunks.len() == count).then(|| chunks.iter().map(|&chunk| turn(chunk)).collect())
    }
    let values = match data_type {
        21 | 22 => return four_bits(data_type, bytes, count, element, shape),
        2 => each(bytes, count, |[byte]| i64::from(byte))?,
        3 => each(bytes, count, |byte| i64::from(i8::from_le_bytes(byte)))?,
        4 => each(bytes, count, |two| i64::from(u16::from_le_bytes(two)))?,
        5 => each(bytes, count, |two| i64::from(i16::from_le_bytes(two)))?,
        12 => each(bytes, count, |four| i64::from(u32::from_le_bytes(four)))?,
        13 => each(bytes, count, i64::from_le_bytes)?,
        11 => {
            let (chunks, rest) = bytes.as_chunks::<8>();
            let fits = rest.is_empty() && chunks.len() == count;
            let values = || chunks.iter().map(|&chunk| f64::from_le_bytes(chunk) as f32).collect();
            return fits.then(|| Constant::from_values(values(), shape));
        }
        _ => return None,
    };
    Some(Constant::from_integers(element, values, shape))
}

/// Elements of four bits, two to a byte, the first in the low half.
fn four_bits(data_type: i32, bytes: &[u8], count: usize, element: ElementType, shape: Shape) -> Option<Constant> {
    let halves = bytes.iter().flat_map(|byte| [byte & 0xf, byte >> 4]);
    let is_signed = data_type == 22;
    let value = |half: u8| i64::from(half) - if is_signed && half > 7 { 16 } else { 0 };
    (bytes.len() == count.div_ceil(2))
        .then(|| Constant::from_integers(element, halves.take(count).map(value).collect(), shape))
}

/// Elements as numbers in the message.
fn listed(tensor: &TensorProto, element: ElementType, count: usize, shape: Shape) -> Result<Constant, String> {
    let refused = |found: usize| Err(format!("has {found} elements for the shape {shape:?}"));
    let integers: Vec<i64> = match (tensor.data_type, element) {
        (10 | 16, _) => {
            // Halves stand as the bits of integers.
            let bytes: Vec<u8> = tensor.int32_data.iter().flat_map(|&bits| (bits as u16).to_le_bytes()).collect();
            let stored = if tensor.data_type == 10 { StoredType::F16 } else { StoredType::Bf16 };
            let found = tensor.int32_data.len();
            return Constant::from_le_bytes(stored, &bytes, shape.clone()).map_or_else(|| refused(found), Ok);
        }
        (21 | 22, _) => {
            let bytes: Vec<u8> = tensor.int32_data.iter().map(|&pair| pair as u8).collect();
            let made = four_bits(tensor.data_type, &bytes, count, element, shape.clone());
            return made.map_or_else(|| refused(2 * bytes.len()), Ok);
        }
        (11, _) if tensor.double_data.len() == count => {
            return Ok(Constant::from_values(tensor.double_data.iter().map(|&value| value as f32).collect(), shape));
        }
        (11, _) => return refused(tensor.double_data.len()),
        (_, ElementType::F32) if tensor.float_data.len() == count => {
            return Ok(Constant::from_values(tensor.float_data.clone(), shape));
        }
        (_, ElementType::F32) => return refused(tensor.float_data.len()),
        (7, _) => tensor.int64_data.clone(),
        (12 | 13, _) => tensor.uint64_data.iter().map(|&value| i64::try_from(value).unwrap_or(i64::MAX)).collect(),
        _ => tensor.int32_data.iter().map(|&value| value.into()).collect(),
    };
    match integers.len() == count {
        true => Ok(Constant::from_integers(element, integers, shape)),
        false => refused(integers.len()),
    }
}
