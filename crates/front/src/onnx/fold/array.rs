//! Small tensors with their numbers at hand.

use autoneural_core::ir::{Constant, ElementType, Shape};

/// Most elements that are made by a step of constant folding: a file of a few bytes must not become gigabytes.
pub const MOST_ELEMENTS: usize = 1 << 24;

/// Elements in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Real numbers.
    Real(Vec<f32>),
    /// Integers, or true and false as 1 and 0.
    Whole(Vec<i64>),
}

/// A tensor that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes of the axes, which may be 0.
    pub shape: Shape,
    /// Type of the elements.
    pub element: ElementType,
    /// The elements.
    pub numbers: Numbers,
}

impl Array {
    /// The numbers of a constant.
    pub fn of(constant: &Constant) -> Self {
        let (shape, element) = (constant.shape().clone(), constant.element_type());
        let numbers = match element.is_real() {
            true => Numbers::Real(constant.to_f32()),
            false => Numbers::Whole(constant.to_i64()),
        };
        Array { shape, element, numbers }
    }

    /// Integers of 64 bits.
    #[cfg(test)]
    pub fn long(values: Vec<i64>, shape: Shape) -> Self {
        Array { shape, element: ElementType::I64, numbers: Numbers::Whole(values) }
    }

    /// As a constant.
    pub fn into_constant(self) -> Constant {
        match self.numbers {
            Numbers::Real(values) => Constant::from_values(values, self.shape),
            Numbers::Whole(values) => Constant::from_integers(self.element, values, self.shape),
        }
    }

    /// The elements as integers; fractions are cut off.
    pub fn whole(&self) -> Vec<i64> {
        match &self.numbers {
            Numbers::Real(values) => values.iter().map(|&value| value as i64).collect(),
            Numbers::Whole(values) => values.clone(),
        }
    }

    /// The elements as real numbers.
    pub fn real(&self) -> Vec<f32> {
        match &self.numbers {
            Numbers::Real(values) => values.clone(),
            Numbers::Whole(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    /// The same numbers as elements of another type.
    pub fn cast(&self, element: ElementType) -> Self {
        let numbers = match element {
            ElementType::F32 => Numbers::Real(self.real()),
            ElementType::Bool => Numbers::Whole(match &self.numbers {
                Numbers::Real(values) => values.iter().map(|&value| i64::from(value != 0.0)).collect(),
                Numbers::Whole(values) => values.iter().map(|&value| i64::from(value != 0)).collect(),
            }),
            ElementType::I32 => Numbers::Whole(self.whole().into_iter().map(|value| i64::from(value as i32)).collect()),
            ElementType::I64 => Numbers::Whole(self.whole()),
        };
        Array { shape: self.shape.clone(), element, numbers }
    }

    /// The elements at these places, in this shape.
    pub fn picked(&self, shape: Shape, places: impl Iterator<Item = usize>) -> Self {
        let numbers = match &self.numbers {
            Numbers::Real(values) => Numbers::Real(places.map(|at| values[at]).collect()),
            Numbers::Whole(values) => Numbers::Whole(places.map(|at| values[at]).collect()),
        };
        Array { shape, element: self.element, numbers }
    }

    /// In another shape, which an operand of broadcasting is repeated to.
    pub fn broadcast(&self, shape: &[usize]) -> Self {
        if self.shape == shape {
            return self.clone();
        }
        let count = shape.iter().product();
        self.picked(shape.to_vec(), (0..count).map(|at| source(at, shape, &self.shape)))
    }
}

/// Number of elements, if no more are made than folding may make. An axis of size 0 does not make the others free.
pub fn counted(shape: &[usize]) -> Result<usize, String> {
    let bound = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1)));
    match bound {
        Some(bound) if bound <= MOST_ELEMENTS => Ok(shape.iter().product()),
        _ => Err(format!("would make a constant of the shape {shape:?}; at most {MOST_ELEMENTS} elements are folded")),
    }
}

/// The shape that two operands broadcast to.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, String> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let sizes = (0..rank).map(|axis| match (at(a, axis), at(b, axis)) {
        (x, y) if x == y || y == 1 => Ok(x),
        (1, y) => Ok(y),
        _ => Err(format!("{a:?} and {b:?} do not broadcast")),
    });
    let shape = sizes.collect::<Result<Shape, _>>()?;
    counted(&shape).map(|_| shape)
}

/// Place in an operand of the element `at` of what it broadcasts to.
fn source(mut at: usize, shape: &[usize], operand: &[usize]) -> usize {
    let (mut stride, mut place) = (1, 0);
    let missing = shape.len() - operand.len();
    for axis in (missing..shape.len()).rev() {
        let size = operand[axis - missing];
        if size > 1 {
            place += at % shape[axis] * stride;
        }
        at /= shape[axis];
        stride *= size;
    }
    place
}

/// An axis counted from the front.
pub fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    let found = usize::try_from(counted).ok().filter(|&axis| axis < rank);
    found.ok_or_else(|| format!("there is no axis {axis} among {rank}"))
}
