//! Mean over windows.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::{rank4, windows};
use super::signature::{Input, Signature};
use super::windows::pads;
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Mean over windows of `[N,C,H,W]`, no padding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AveragePool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Step along height and width.
    pub strides: [usize; 2],
}

impl Operator for AveragePool {
    const SIGNATURE: Signature = Signature::new("AveragePool", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let x = rank4(inputs[0])?;
        let side = |axis: usize| windows(x[2 + axis], self.kernel[axis], self.strides[axis], "window");
        Ok(vec![vec![x[0], x[1], side(0)?, side(1)?]])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (x, image, shape) = (inputs[0].to_f32(), inputs[0].shape(), &shapes[0]);
        let [height, width] = self.kernel;
        let mut made = Vec::with_capacity(shape.iter().product());
        for plane in x.chunks_exact(image[2] * image[3]) {
            for row in 0..shape[2] {
                for column in 0..shape[3] {
                    let (top, left) = (row * self.strides[0], column * self.strides[1]);
                    let places = (0..height).flat_map(|y| (0..width).map(move |z| (top + y) * image[3] + left + z));
                    let sum: f64 = places.map(|at| f64::from(plane[at])).sum();
                    made.push((sum / (height * width) as f64) as f32);
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("AveragePool").ints("kernel_shape", &self.kernel).ints("strides", &self.strides))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        let known = ["kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad", "dilations"];
        node.expect(&known, 7)?;
        node.demand_int("ceil_mode", 0)?;
        node.refuse_dilation()?;
        let kernel = node.sizes("kernel_shape", [0, 0])?;
        let strides = node.sizes("strides", [1, 1])?;
        match pads(node, &node.input(0)?.shape, kernel, strides)? {
            [0, 0, 0, 0] => Ok(Imported::new(AveragePool { kernel, strides }, 1)),
            pads => Err(format!("AveragePool with pads {pads:?} is not supported")),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let pool = AveragePool { kernel: [3, 3], strides: [3, 3] };
        vec![Sample::new("", pool, vec![read([1, 16, 12, 12])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let [kernel, strides] = [(); 2].map(|()| [chance.of(1..=3), chance.of(1..=3)]);
        let image = [chance.of(1..=2), chance.of(1..=3), chance.of(3..=7), chance.of(3..=7)];
        Sample::new("", AveragePool { kernel, strides }, vec![read(image)])
    }
}
