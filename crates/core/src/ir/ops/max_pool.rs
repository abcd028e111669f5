//! Largest of windows.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use super::windows::Pool;
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// The largest element of each window of `[N,C,H,W]`; padding is none of them, so it makes nothing new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaxPool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Step along height and width.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right, each less than the window.
    pub pads: [usize; 4],
}

impl MaxPool {
    fn pool(&self) -> Pool {
        Pool { kernel: self.kernel, strides: self.strides, pads: self.pads }
    }
}

impl Operator for MaxPool {
    const SIGNATURE: Signature = Signature::new("MaxPool", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![self.pool().shape(rank4(inputs[0])?)?])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let largest = |window: &[f32]| window.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        one(self.pool().each(&inputs[0], &shapes[0], largest), shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("MaxPool").ints("kernel_shape", &self.kernel).ints("strides", &self.strides);
        Some(if self.pads == [0; 4] { form } else { form.ints("pads", &self.pads) })
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "dilations", "storage_order"], 1)?;
        node.refuse_dilation()?;
        if node.outputs != 1 {
            return Err("MaxPool that gives the places of what it finds is not supported".into());
        }
        let Pool { kernel, strides, pads } = Pool::read(node)?.0;
        Ok(Imported::new(MaxPool { kernel, strides, pads }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, kernel: usize, stride: usize, pad: usize| {
            let pool = MaxPool { kernel: [kernel; 2], strides: [stride; 2], pads: [pad; 4] };
            Sample::new(name, pool, vec![read([1, 16, 12, 12])])
        };
        vec![sample("2x2, stride 2", 2, 2, 0), sample("3x3, stride 2, padding", 3, 2, 1), sample("5x5", 5, 1, 2)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let (Pool { kernel, strides, pads }, image) = Pool::draw(chance);
        Sample::new("", MaxPool { kernel, strides, pads }, vec![read(image)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ops::{Attribute, OnnxInput};
    use crate::ir::types::ElementType;

    #[test]
    fn padding_is_never_the_largest() {
        let pool = MaxPool { kernel: [1, 3], strides: [1, 2], pads: [0, 1, 0, 1] };
        let x = Constant::from_values(vec![-3.0, -1.0, -2.0, -5.0], vec![1, 1, 1, 4]);
        let shapes = pool.shapes(&[x.shape()]).unwrap();
        assert_eq!(pool.evaluate(&[x], shapes)[0].to_f32(), [-1.0, -1.0]);
    }

    #[test]
    fn a_last_window_that_hangs_over_is_padding_at_the_end() {
        let ints = |values: &[i64]| Attribute::Ints(values.to_vec());
        let node = |size: usize, pads: &[i64]| OnnxNode {
            op_type: "MaxPool".into(),
            opset: 12,
            attributes: vec![
                ("kernel_shape".into(), ints(&[3, 3])),
                ("strides".into(), ints(&[2, 2])),
                ("pads".into(), ints(pads)),
                ("ceil_mode".into(), Attribute::Int(1)),
            ],
            inputs: vec![Some(OnnxInput { shape: vec![1, 1, size, size], element: ElementType::F32, constant: None })],
            outputs: 1,
        };
        let pads = |size, pads: &[i64]| MaxPool::from_onnx(&node(size, pads)).unwrap().operator.pads;
        assert_eq!(pads(8, &[0; 4]), [0, 0, 1, 1]);
        assert_eq!(pads(7, &[0; 4]), [0; 4]);
        // The last window would begin in the padding: there is none.
        let pool = MaxPool::from_onnx(&node(3, &[1, 1, 1, 1])).unwrap().operator;
        assert_eq!(pool.shapes(&[&vec![1, 1, 3, 3]]).unwrap(), [[1, 1, 2, 2]]);
    }

    #[test]
    fn padding_as_wide_as_the_window_is_refused() {
        let pool = MaxPool { kernel: [2, 2], strides: [1, 1], pads: [2, 0, 0, 0] };
        assert!(pool.shapes(&[&vec![1, 1, 4, 4]]).unwrap_err().contains("2 rows or columns of padding"));
    }
}
