//! What goes into both models: the arrays of a file, or made-up ones.

use std::collections::HashMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::net::Net;
use crate::arrays::{LABELS, convert, open};
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;
use autoneural_core::ir::ElementType;
use autoneural_engines::back::onnx::{pb::ValueInfoProto, summary};
use autoneural_engines::engine::{Array, Data, Elements};

/// Most elements of an input that is made up.
const MOST_MADE_UP: usize = 1 << 26;

/// Arrays by name.
pub(crate) type Sample = HashMap<String, Array>;

/// Reads a file of arrays, with one for each input of a model; `row` is the sample's place where several are stacked.
///
/// # Errors
/// Another kind of file, an input without an array or with one of another shape or of numbers that it does not take,
/// an array for no input.
pub(crate) fn read(path: &Path, row: Option<usize>, net: &Net) -> Result<Sample> {
    let (place, mut file) = (path.display().to_string(), open(path)?);
    let wanted = || format!("inputs are {}", net.inputs.iter().map(port).collect::<Vec<_>>().join(", "));
    let mut names: Vec<String> = file.abouts().keys().cloned().collect();
    let is_input = |name: &str| net.inputs.iter().any(|info| info.name == name);
    names.retain(|name| name != LABELS || is_input(name));
    let mut sample = Sample::new();
    for name in names {
        let info = match (net.inputs.iter().find(|info| info.name == name), net.inputs.as_slice()) {
            (Some(info), _) => info,
            // NumPy's name of an array without one.
            (None, [only]) if name.is_empty() || name == "arr_0" => only,
            _ => return Err(Error::input(format!("{place}: `{name}`"), "is no input").help(wanted())),
        };
        let place = format!("{place}: `{}`", info.name);
        let about = file.abouts()[&name].clone();
        let (_, kind, sizes) = summary(info);
        let shape = shape_of(&about.shape, has_shape(info).then_some(sizes.as_slice()));
        let Some((shape, rows)) = shape else {
            let message = format!("is {} {:?}; the model takes {}", about.kind.name(), about.shape, port(info));
            return Err(Error::input(place, message));
        };
        let at = match (rows, row) {
            (Some(1) | None, None) => rows.map(|rows| (rows, 0)),
            (Some(rows), Some(row)) if row < rows => Some((rows, row)),
            (Some(rows), None) => {
                return Err(Error::input(place, format!("holds {rows} samples")).help("say which one it is: --row N"));
            }
            (None, Some(0)) => None,
            (rows, Some(row)) => {
                return Err(Error::input(place, format!("has no row {row}: it holds {} samples", rows.unwrap_or(1))));
            }
        };
        let bytes = file.read(&name, at)?;
        let element = if kind == "float32" { ElementType::F32 } else { ElementType::I32 };
        if element == ElementType::F32 && !about.kind.is_float() {
            let message = format!("is {} {:?}; the model takes {}", about.kind.name(), about.shape, port(info));
            return Err(Error::input(place, message));
        }
        let tensor = convert(&place, about.kind, &bytes, shape, element)?;
        let elements = elements(tensor.data, kind).ok_or_else(|| {
            Error::input(&place, format!("is for an input of {kind}, which is not read"))
                .help("inputs of float32, int64, int32 and bool are")
        })?;
        sample.insert(info.name.clone(), Array { shape: tensor.shape, elements });
    }
    match net.inputs.iter().find(|info| !sample.contains_key(&info.name)) {
        Some(info) => Err(Error::input(&place, format!("holds no `{}`", info.name)).help(wanted())),
        None => Ok(sample),
    }
}

/// The shape of a sample in an array of a shape, and how many are stacked there; `None` if it holds none. Sizes below 0
/// are open.
fn shape_of(shape: &[usize], wanted: Option<&[i64]>) -> Option<(Vec<usize>, Option<usize>)> {
    let Some(wanted) = wanted else { return Some((shape.to_vec(), None)) };
    let fits = |sizes: &[usize], wanted: &[i64]| {
        sizes.len() == wanted.len() && sizes.iter().zip(wanted).all(|(&size, &one)| one < 0 || one == size as i64)
    };
    let first = shape.first().copied();
    match wanted.split_first() {
        _ if fits(shape, wanted) => Some((shape.to_vec(), None)),
        _ if first.is_some() && fits(&shape[1..], wanted) => Some((shape[1..].to_vec(), first)),
        Some((1, rest)) if first.is_some() && fits(&shape[1..], rest) => {
            Some((std::iter::once(1).chain(shape[1..].iter().copied()).collect(), first))
        }
        _ => None,
    }
}

fn has_shape(info: &ValueInfoProto) -> bool {
    use autoneural_engines::back::onnx::pb::type_proto::Value;
    let value = info.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    matches!(value, Some(Value::TensorType(tensor)) if tensor.shape.is_some())
}

fn port(info: &ValueInfoProto) -> String {
    let (name, kind, sizes) = summary(info);
    let sizes: Vec<String> = sizes.iter().map(|&size| if size < 0 { "?".into() } else { size.to_string() }).collect();
    format!("`{name}` {kind} [{}]", sizes.join(", "))
}

/// Elements as an input of a type takes them.
fn elements(data: Data, kind: &str) -> Option<Elements> {
    Some(match (data, kind) {
        (Data::F32(values), _) => Elements::Float32(values),
        (Data::I32(values), "int64") => Elements::Int64(values.into_iter().map(i64::from).collect()),
        (Data::I32(values), "int32") => Elements::Int32(values),
        (Data::I32(values), "bool") => Elements::Bool(values.into_iter().map(|value| value != 0).collect()),
        _ => return None,
    })
}

/// The bytes of a safetensors file of arrays.
///
/// # Errors
/// An array of a type that such a file does not hold.
pub(crate) fn bytes_of(arrays: &[(String, &Array)]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for (name, array) in arrays {
        let (kind, bytes): (Dtype, Vec<u8>) = match &array.elements {
            Elements::Float32(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Elements::Int64(values) => (Dtype::I64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Elements::Int32(values) => (Dtype::I32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Elements::Bool(values) => (Dtype::BOOL, values.iter().map(|&value| u8::from(value)).collect()),
            other => return Err(Error::input(name, format!("is {}, which is not written", other.name()))),
        };
        all.push((name, array.shape.clone(), kind, bytes));
    }
    let mut views = Vec::new();
    for (name, shape, kind, bytes) in &all {
        let view = TensorView::new(*kind, shape.clone(), bytes);
        views.push((*name, view.map_err(|error| Error::internal("sample", error))?));
    }
    serialize(views, None).map_err(|error| Error::internal("sample", error))
}

/// Numbers for every input: evenly over the range that the quantized model has for it, or from -1 to 1 where it has
/// none; zeros for integers. The same each time.
///
/// # Errors
/// An input of a size that is not stated, beyond a first axis, which is 1 then, or of a type that is not made up.
pub(crate) fn made_up(net: &Net, encodings: &HashMap<String, Encoding>) -> Result<Sample> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut sample = Sample::new();
    for info in &net.inputs {
        let (name, kind, sizes) = summary(info);
        let open = sizes.iter().enumerate().any(|(at, &size)| size < 0 && at > 0) || !has_shape(info);
        let refused = |message: String| {
            Error::input(format!("{}: input `{name}`", net.path.display()), message).help("give a sample with --input")
        };
        if open {
            return Err(refused(format!("has sizes that the model leaves open: {}", port(info))));
        }
        let shape: Vec<usize> = sizes.iter().map(|&size| usize::try_from(size).unwrap_or(1)).collect();
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let Some(count) = count.filter(|&count| count > 0 && count <= MOST_MADE_UP) else {
            return Err(refused(format!("has the shape {shape:?}; up to {MOST_MADE_UP} elements are made up")));
        };
        let [low, high] = encodings.get(&name).map_or([-1.0, 1.0], Encoding::range);
        let elements = match kind {
            "float32" => {
                let unit = |random: &mut ChaCha8Rng| random.next_u32() as f32 / u32::MAX as f32;
                Elements::Float32((0..count).map(|_| low + (high - low) * unit(&mut random)).collect())
            }
            "int64" => Elements::Int64(vec![0; count]),
            "int32" => Elements::Int32(vec![0; count]),
            "bool" => Elements::Bool(vec![false; count]),
            other => return Err(refused(format!("is {other}, which is not made up"))),
        };
        sample.insert(name, Array { shape, elements });
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::shape_of;

    #[test]
    fn samples_stand_alone_or_are_stacked() {
        let of = |shape: &[usize], wanted: &[i64]| shape_of(shape, Some(wanted));
        assert_eq!(of(&[1, 3, 8], &[1, 3, 8]), Some((vec![1, 3, 8], None)));
        assert_eq!(of(&[4, 1, 3, 8], &[1, 3, 8]), Some((vec![1, 3, 8], Some(4))));
        assert_eq!(of(&[4, 3, 8], &[1, 3, 8]), Some((vec![1, 3, 8], Some(4))));
        assert_eq!(of(&[4, 3, 8], &[-1, 3, 8]), Some((vec![4, 3, 8], None)));
        assert_eq!(of(&[4, 2, 8], &[1, 3, 8]), None);
        assert_eq!(of(&[], &[1]), None);
        assert_eq!(shape_of(&[7], None), Some((vec![7], None)));
    }
}
