//! Tensors as they cross the border of a partition.

use crate::encoding::{Encoding, IntegerType};
use crate::ir::Shape;
use autoneural_base::error::{Error, Result};

/// The elements of a tensor, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Real numbers.
    F32(Vec<f32>),
    /// 8-bit codes.
    U8(Vec<u8>),
    /// 16-bit codes.
    U16(Vec<u16>),
    /// Exact integers, such as positions of tokens; they have no encoding.
    I32(Vec<i32>),
}

/// A tensor with its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes.
    pub shape: Shape,
    /// The elements.
    pub data: Data,
}

impl Tensor {
    /// A float tensor.
    pub fn f32(shape: Shape, values: Vec<f32>) -> Self {
        Tensor { shape, data: Data::F32(values) }
    }

    /// A tensor of exact integers.
    pub fn i32(shape: Shape, values: Vec<i32>) -> Self {
        Tensor { shape, data: Data::I32(values) }
    }

    /// The values, if they are real numbers.
    ///
    /// # Errors
    /// They are codes or exact integers.
    pub fn as_f32(&self) -> Result<&[f32]> {
        match &self.data {
            Data::F32(values) => Ok(values),
            other => Err(Error::internal("tensor", format!("float values are wanted, these are {}", other.kind()))),
        }
    }

    /// The codes of the values under an encoding. A tensor that holds no real numbers, or that has no encoding, is
    /// returned as it is.
    ///
    /// # Errors
    /// The encoding is of another type than unsigned 8 or 16 bits; no other crosses the border of a partition.
    pub fn encode(&self, encoding: Option<&Encoding>) -> Result<Tensor> {
        let (Some(encoding), Data::F32(values)) = (encoding, &self.data) else { return Ok(self.clone()) };
        let codes = encoding.quantize(values, &self.shape);
        let data = match encoding.integer {
            IntegerType::Uint8 => Data::U8(codes.into_iter().map(|code| code as u8).collect()),
            IntegerType::Uint16 => Data::U16(codes.into_iter().map(|code| code as u16).collect()),
            other => return Err(Error::internal("tensor", format!("{} does not cross a border", other.name()))),
        };
        Ok(Tensor { shape: self.shape.clone(), data })
    }

    /// The real numbers that the codes stand for. A tensor that holds no codes, or that has no encoding, is returned as
    /// it is.
    pub fn decode(&self, encoding: Option<&Encoding>) -> Tensor {
        let codes: Vec<i32> = match (&self.data, encoding) {
            (Data::U8(codes), Some(_)) => codes.iter().map(|&code| i32::from(code)).collect(),
            (Data::U16(codes), Some(_)) => codes.iter().map(|&code| i32::from(code)).collect(),
            _ => return self.clone(),
        };
        let values = encoding.map(|encoding| encoding.dequantize(&codes, &self.shape)).unwrap_or_default();
        Tensor::f32(self.shape.clone(), values)
    }
}

impl Data {
    /// Name of the element type.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::F32(_) => "float32",
            Data::U8(_) => "uint8",
            Data::U16(_) => "uint16",
            Data::I32(_) => "int32",
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(values) => values.len(),
            Data::U8(codes) => codes.len(),
            Data::U16(codes) => codes.len(),
            Data::I32(values) => values.len(),
        }
    }

    /// The elements one after the other, each in little-endian order.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Data::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Data::U8(codes) => codes.clone(),
            Data::U16(codes) => codes.iter().flat_map(|code| code.to_le_bytes()).collect(),
            Data::I32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `count` elements that are all 0.0: as codes of the encoding, or as real numbers if there is none.
    pub fn zeros(count: usize, encoding: Option<&Encoding>) -> Data {
        let code = encoding.map_or(0, |encoding| encoding.zero_point[0]);
        match encoding.map(|encoding| encoding.integer) {
            Some(IntegerType::Uint8) => Data::U8(vec![code as u8; count]),
            Some(_) => Data::U16(vec![code as u16; count]),
            None => Data::F32(vec![0.0; count]),
        }
    }

    /// Copies the elements `from` over those of `target` that begin at `to`. Both must have the same type.
    pub fn copy_run(&self, from: std::ops::Range<usize>, target: &mut Data, to: usize) {
        let length = from.len();
        match (self, target) {
            (Data::F32(a), Data::F32(b)) => b[to..to + length].copy_from_slice(&a[from]),
            (Data::U8(a), Data::U8(b)) => b[to..to + length].copy_from_slice(&a[from]),
            (Data::U16(a), Data::U16(b)) => b[to..to + length].copy_from_slice(&a[from]),
            (Data::I32(a), Data::I32(b)) => b[to..to + length].copy_from_slice(&a[from]),
            _ => unreachable!("both sides have the encoding of the same key"),
        }
    }
}
