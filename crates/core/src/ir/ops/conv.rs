//! Convolutions.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Axes, Operator, Work};
use super::rows::Rows;
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::shapes::{elements, rank4, refuse_other_bias, windows};
use super::signature::{Input, Signature};
use super::windows::{dense, is_dense, pads, spread};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// 2-D convolution. Inputs: `x [N,C,H,W]`, `w [M,C/groups,kH,kW]`, optional `bias [M]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conv {
    /// Step along height and width.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Number of channel groups; `C` for a depthwise convolution.
    pub groups: usize,
    /// Step between elements of the kernel along height and width.
    #[serde(default = "dense", skip_serializing_if = "is_dense")]
    pub dilations: [usize; 2],
}

impl Operator for Conv {
    const SIGNATURE: Signature =
        Signature::new("Conv", &[Input::data("x"), Input::weight("w"), Input::bias("bias")]).optional(1).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (x, w, groups) = (rank4(inputs[0])?, rank4(inputs[1])?, self.groups);
        if groups == 0 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1] {
            return Err(format!("{} channels in {groups} groups do not fit weights of {w:?}", x[1]));
        }
        refuse_other_bias(inputs.get(2), w[0])?;
        let side = |axis: usize, before: usize, after: usize| {
            let padded = x[2 + axis].saturating_add(before).saturating_add(after);
            windows(padded, spread(w[2 + axis], self.dilations[axis])?, self.strides[axis], "kernel")
        };
        let [top, left, bottom, right] = self.pads;
        Ok(vec![vec![x[0], w[0], side(0, top, bottom)?, side(1, left, right)?]])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn multiply_adds(&self, inputs: &[&Shape], made: &Shape) -> u64 {
        elements(made) * elements(&inputs[1][1..])
    }

    fn weight_axes(&self, _: usize) -> Option<Axes> {
        Some(Axes { output: Some(0), input: 1 })
    }

    fn rows(&self, weights: &[usize]) -> Option<Rows> {
        let &[_, _, height, width] = weights else { return None };
        let Conv { strides, pads, groups, dilations } = *self;
        Some(Rows::Windows { kernel: [height, width], strides, pads, groups, dilations })
    }

    fn is_depthwise(&self, weights: &[usize]) -> bool {
        self.groups > 1 && weights.first() == Some(&self.groups)
    }

    fn scaled_axis(&self, _: usize) -> Option<usize> {
        Some(1)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (x, w) = (inputs[0].to_f32(), inputs[1].to_f32());
        let bias = inputs.get(2).map(Constant::to_f32);
        let (image, kernel, shape) = (inputs[0].shape(), inputs[1].shape(), &shapes[0]);
        let (height, width, depth) = (image[2], image[3], kernel[1]);
        // Row or column of the image under one of the kernel; none where there is padding.
        let place = |at: usize, step: usize, axis: usize| {
            let place = at * self.strides[axis] + step * self.dilations[axis];
            place.checked_sub(self.pads[axis]).filter(|&place| place < image[2 + axis])
        };
        let mut made = Vec::with_capacity(shape.iter().product());
        for n in 0..shape[0] {
            for m in 0..shape[1] {
                let first = m / (shape[1] / self.groups) * depth;
                for row in 0..shape[2] {
                    for column in 0..shape[3] {
                        let mut sum = bias.as_ref().map_or(0.0, |bias| f64::from(bias[m]));
                        for c in 0..depth {
                            for i in 0..kernel[2] {
                                let Some(y) = place(row, i, 0) else { continue };
                                for j in 0..kernel[3] {
                                    let Some(z) = place(column, j, 1) else { continue };
                                    let value = x[((n * image[1] + first + c) * height + y) * width + z];
                                    let weight = w[((m * depth + c) * kernel[2] + i) * kernel[3] + j];
                                    sum += f64::from(value) * f64::from(weight);
                                }
                            }
                        }
                        made.push(sum as f32);
                    }
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("Conv").ints("kernel_shape", &inputs[1][2..]);
        let form = form.ints("strides", &self.strides).ints("pads", &self.pads).int("group", self.groups);
        Some(if is_dense(&self.dilations) { form } else { form.ints("dilations", &self.dilations) })
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["kernel_shape", "strides", "pads", "group", "dilations", "auto_pad"], 1)?;
        let [_, _, height, width] = rank4(&node.input(1)?.shape)?;
        if node.sizes("kernel_shape", [height, width])? != [height, width] {
            return Err(format!("Conv has a kernel of another shape than its weights, {height} x {width}"));
        }
        let strides = node.sizes("strides", [1, 1])?;
        let dilations = node.sizes("dilations", dense())?;
        let kernel = [spread(height, dilations[0])?, spread(width, dilations[1])?];
        let pads = pads(node, &node.input(0)?.shape, kernel, strides)?;
        let groups = usize::try_from(node.int("group", 1)?).map_err(|_| "Conv has less than one group")?;
        Ok(Imported::new(Conv { strides, pads, groups, dilations }, if node.has(2) { 3 } else { 2 }))
    }

    fn words(&self, weights: &[usize]) -> Option<String> {
        let &[_, _, height, width] = weights else { return None };
        let step = if self.strides == [1, 1] { String::new() } else { format!("/{}", self.strides[0]) };
        let depthwise = if self.groups > 1 { " depthwise" } else { "" };
        Some(format!("{height}×{width}{step}{depthwise}"))
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let sample = |name, groups, kernel: usize, stride, channels: usize, step: usize| {
            let (pads, dilations) = ([kernel / 2 * step; 4], [step; 2]);
            let operator = Conv { strides: [stride; 2], pads, groups, dilations };
            let weights = constant([channels, channels / groups, kernel, kernel], 0.05);
            let mut inputs = vec![read([1, channels, 12, 12]), weights];
            inputs.extend(constants.bias.then_some(SampleInput::Bias(channels)));
            Sample::new(name, operator, inputs)
        };
        vec![
            sample("1x1, 256 channels", 1, 1, 1, 256, 1).with_blocks(),
            sample("1x1", 1, 1, 1, 64, 1),
            sample("3x3, stride 2", 1, 3, 2, 32, 1),
            sample("5x5 depthwise", 64, 5, 1, 64, 1),
            sample("3x3, dilation 2", 1, 3, 1, 32, 2),
            sample("3x3 depthwise, dilation 2", 64, 3, 1, 64, 2),
        ]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let groups = chance.of(1..=3);
        let [depth, filters] = [chance.of(1..=3), chance.of(1..=3) * groups];
        let kernel = [chance.of(1..=3), chance.of(1..=3)];
        let dilations = [chance.of(1..=2), chance.of(1..=2)];
        let pads = [0, 1, 0, 1].map(|axis| chance.of(dilations[axis] - 1..=2));
        let strides = [chance.of(1..=3), chance.of(1..=3)];
        let image = [chance.of(1..=2), depth * groups, chance.of(3..=6), chance.of(3..=6)];
        let mut inputs = vec![read(image), constant([filters, depth, kernel[0], kernel[1]], 0.5)];
        inputs.extend(chance.yes().then_some(SampleInput::Bias(filters)));
        Sample::new("", Conv { strides, pads, groups, dilations }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uneven_padding_halves_an_even_image() {
        let conv = Conv { strides: [2, 2], pads: [0, 0, 1, 1], groups: 1, dilations: [1, 1] };
        assert_eq!(conv.shapes(&[&vec![1, 3, 64, 96], &vec![8, 3, 3, 3]]).unwrap(), [[1, 8, 32, 48]]);
        let error = conv.shapes(&[&vec![1, 4, 64, 96], &vec![8, 3, 3, 3]]).unwrap_err();
        assert!(error.contains("4 channels"), "{error}");
    }
}
