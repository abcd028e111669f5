//! Arrays of any element type that models of other programs pass from node to node.

use autoneural_base::error::{Error, Result};

macro_rules! elements {
    ($($variant:ident $type:ty, $number:literal, $name:literal;)*) => {
        /// Elements in row-major order.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Elements {
            $(#[doc = concat!("Elements of the type ", $name, ".")] $variant(Vec<$type>),)*
        }

        impl Elements {
            /// The type's number in ONNX (`TensorProto.DataType`).
            pub fn data_type(&self) -> i32 {
                match self { $(Elements::$variant(_) => $number,)* }
            }

            /// The type's name.
            pub fn name(&self) -> &'static str {
                match self { $(Elements::$variant(_) => $name,)* }
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match self { $(Elements::$variant(values) => values.len(),)* }
            }
        }

        /// As ONNX Runtime takes it.
        pub(crate) fn to_ort(array: &Array) -> ort::Result<ort::session::SessionInputValue<'static>> {
            let shape = array.shape.clone();
            Ok(match &array.elements {
                $(Elements::$variant(values) => ort::value::Tensor::from_array((shape, values.clone()))?.into(),)*
            })
        }

        /// What ONNX Runtime gave.
        pub(crate) fn of_ort(value: &ort::value::DynValue) -> ort::Result<Array> {
            use ort::value::TensorElementType as Type;
            let sizes = |shape: &ort::value::Shape| shape.iter().map(|&size| size as usize).collect();
            match value.dtype().tensor_type() {
                $(Some(Type::$variant) => {
                    let (shape, values) = value.try_extract_tensor::<$type>()?;
                    Ok(Array { shape: sizes(shape), elements: Elements::$variant(values.to_vec()) })
                })*
                other => Err(ort::Error::new(format!("elements of the type {other:?} are not read"))),
            }
        }
    };
}

elements! {
    Float32 f32, 1, "float32";
    Uint8 u8, 2, "uint8";
    Int8 i8, 3, "int8";
    Uint16 u16, 4, "uint16";
    Int16 i16, 5, "int16";
    Int32 i32, 6, "int32";
    Int64 i64, 7, "int64";
    Bool bool, 9, "bool";
    Float64 f64, 11, "float64";
    Uint32 u32, 12, "uint32";
    Uint64 u64, 13, "uint64";
}

/// An array with its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements.
    pub elements: Elements,
}

impl Elements {
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Array {
    /// An array of float32 elements.
    pub fn f32(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Array { shape, elements: Elements::Float32(values) }
    }

    /// The elements as real numbers, if they are float.
    pub fn reals(&self) -> Option<Vec<f32>> {
        match &self.elements {
            Elements::Float32(values) => Some(values.clone()),
            Elements::Float64(values) => Some(values.iter().map(|&value| value as f32).collect()),
            _ => None,
        }
    }

    /// The elements as integers of at most 32 bits, if they are such integers.
    pub fn codes(&self) -> Option<Vec<i32>> {
        Some(match &self.elements {
            Elements::Uint8(values) => values.iter().map(|&value| value.into()).collect(),
            Elements::Int8(values) => values.iter().map(|&value| value.into()).collect(),
            Elements::Uint16(values) => values.iter().map(|&value| value.into()).collect(),
            Elements::Int16(values) => values.iter().map(|&value| value.into()).collect(),
            Elements::Int32(values) => values.clone(),
            _ => return None,
        })
    }

    /// Bytes that the elements take in memory.
    pub fn bytes(&self) -> u64 {
        let size = match self.elements {
            Elements::Uint8(_) | Elements::Int8(_) | Elements::Bool(_) => 1,
            Elements::Uint16(_) | Elements::Int16(_) => 2,
            Elements::Float32(_) | Elements::Int32(_) | Elements::Uint32(_) => 4,
            Elements::Int64(_) | Elements::Float64(_) | Elements::Uint64(_) => 8,
        };
        size * self.elements.len() as u64
    }

    /// The elements as float32, for what must be float.
    ///
    /// # Errors
    /// They are integers.
    pub fn demand_reals(&self, name: &str) -> Result<Vec<f32>> {
        self.reals().ok_or_else(|| Error::input(name, format!("is {}, float is wanted", self.elements.name())))
    }
}
