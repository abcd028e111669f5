//! What goes into both models: the arrays of a file, or made-up ones.

use std::collections::HashMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::net::Net;
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;
use autoneural_engines::back::onnx::{pb::ValueInfoProto, summary};
use autoneural_engines::engine::{Array, Elements};

/// Largest file that is read.
const LARGEST: u64 = 1 << 30;
/// Most elements of an input that is made up.
const MOST_MADE_UP: usize = 1 << 26;

/// Arrays by name.
pub(crate) type Sample = HashMap<String, Array>;

/// Reads a safetensors file with an array for each input of a model.
///
/// # Errors
/// Another kind of file, an input without an array or with one of another shape or type, an array for no input.
pub(crate) fn read(path: &Path, net: &Net) -> Result<Sample> {
    let bytes = autoneural_base::text::read_at_most(path, LARGEST)?;
    let place = path.display().to_string();
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        Error::input(&place, format!("is no safetensors file: {error}"))
            .help("a sample is a safetensors file with one array for each input of the float model")
    })?;
    let mut sample = Sample::new();
    for (name, view) in file.tensors() {
        let elements = elements(view.dtype(), view.data()).ok_or_else(|| {
            Error::input(format!("{place}: `{name}`"), format!("is {:?}, which is not read", view.dtype()))
        })?;
        let array = Array { shape: view.shape().to_vec(), elements };
        if array.reals().is_some_and(|values| values.iter().any(|value| !value.is_finite())) {
            return Err(Error::input(format!("{place}: `{name}`"), "holds a number that is not finite"));
        }
        sample.insert(name.to_string(), array);
    }
    let wanted = || net.inputs.iter().map(port).collect::<Vec<_>>().join(", ");
    for info in &net.inputs {
        let Some(found) = sample.get(&info.name) else {
            return Err(
                Error::input(&place, format!("holds no `{}`", info.name)).help(format!("inputs are {}", wanted()))
            );
        };
        let (_, kind, sizes) = summary(info);
        let fits = sizes.len() == found.shape.len()
            && sizes.iter().zip(&found.shape).all(|(&wanted, &size)| wanted < 0 || wanted == size as i64);
        let known_shape = has_shape(info);
        if kind != found.elements.name() || (known_shape && !fits) {
            let message = format!("is {} {:?}; the model takes {}", found.elements.name(), found.shape, port(info));
            return Err(Error::input(format!("{place}: `{}`", info.name), message));
        }
    }
    if let Some(name) = sample.keys().find(|name| !net.inputs.iter().any(|info| info.name == **name)) {
        return Err(Error::input(format!("{place}: `{name}`"), "is no input").help(format!("inputs are {}", wanted())));
    }
    Ok(sample)
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

fn elements(kind: Dtype, bytes: &[u8]) -> Option<Elements> {
    macro_rules! read {
        ($variant:ident $type:ty, $size:literal) => {
            Elements::$variant(
                bytes.as_chunks::<$size>().0.iter().map(|chunk| <$type>::from_le_bytes(*chunk)).collect(),
            )
        };
    }
    Some(match kind {
        Dtype::F32 => read!(Float32 f32, 4),
        Dtype::F64 => read!(Float64 f64, 8),
        Dtype::I64 => read!(Int64 i64, 8),
        Dtype::I32 => read!(Int32 i32, 4),
        Dtype::U16 => read!(Uint16 u16, 2),
        Dtype::I16 => read!(Int16 i16, 2),
        Dtype::U8 => Elements::Uint8(bytes.to_vec()),
        Dtype::I8 => read!(Int8 i8, 1),
        Dtype::BOOL => Elements::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
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
