//! Transposed convolutions.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Axes, Operator, Work};
use super::rows::Rows;
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::shapes::{elements, rank4, refuse_other_bias};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// 2-D transposed convolution: each element of the image lays its multiple of the kernel onto the result, one stride
/// from the next, and what overlaps is added (Dumoulin & Visin, arXiv 1603.07285). Inputs: `x [N,C,H,W]`, `w
/// [C,M/groups,kH,kW]`, optional `bias [M]`. A side of the result is `(size - 1) * stride + kernel + output padding -
/// pads`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConvTranspose {
    /// Step on the result along height and width.
    pub strides: [usize; 2],
    /// What is cut off the result: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Rows and columns added at the bottom and the right, less than a stride each.
    pub output_padding: [usize; 2],
    /// Number of channel groups; `C` for a depthwise one.
    pub groups: usize,
}

impl Operator for ConvTranspose {
    const SIGNATURE: Signature =
        Signature::new("ConvTranspose", &[Input::data("x"), Input::weight("w"), Input::bias("bias")])
            .optional(1)
            .on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (x, w, groups) = (rank4(inputs[0])?, rank4(inputs[1])?, self.groups);
        if groups == 0 || x[1] % groups != 0 || w[0] != x[1] {
            return Err(format!("{} channels in {groups} groups do not fit transposed weights of {w:?}", x[1]));
        }
        let channels = w[1].saturating_mul(groups);
        refuse_other_bias(inputs.get(2), channels)?;
        let side = |axis: usize| {
            let (size, stride, kernel) = (x[2 + axis], self.strides[axis], w[2 + axis]);
            let (cut, more) = (self.pads[axis].saturating_add(self.pads[axis + 2]), self.output_padding[axis]);
            if stride == 0 || more >= stride {
                return Err(format!("an output padding of {more} is not less than the stride of {stride}"));
            }
            let whole = (size - 1).checked_mul(stride).and_then(|steps| steps.checked_add(kernel)?.checked_add(more));
            match whole.and_then(|whole| whole.checked_sub(cut)) {
                Some(side) if side > 0 => Ok(side),
                _ => Err(format!("pads of {cut} do not fit a kernel of {kernel} with stride {stride} on {size}")),
            }
        };
        Ok(vec![vec![x[0], channels, side(0)?, side(1)?]])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn multiply_adds(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        elements(inputs[0]) * elements(&inputs[1][1..])
    }

    /// In several groups no axis of the weights tells all output channels apart.
    fn weight_axes(&self, _: usize) -> Option<Axes> {
        Some(Axes { output: (self.groups == 1).then_some(1), input: 0 })
    }

    fn rows(&self, _: &[usize]) -> Option<Rows> {
        // Each element of the image is multiplied with the whole kernel; where the products overlap they are added.
        Some(Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: self.groups, dilations: [1, 1] })
    }

    fn is_depthwise(&self, weights: &[usize]) -> bool {
        self.groups > 1 && weights.first() == Some(&self.groups)
    }

    fn scaled_axis(&self, _: usize) -> Option<usize> {
        (self.groups == 1).then_some(1)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (x, w) = (inputs[0].to_f32(), inputs[1].to_f32());
        let (image, kernel, shape) = (inputs[0].shape(), inputs[1].shape(), &shapes[0]);
        let (depth, height, width) = (kernel[1], shape[2], shape[3]);
        // Row or column of the result under one of the kernel; none where it is cut off.
        let place = |at: usize, step: usize, axis: usize| {
            (at * self.strides[axis] + step).checked_sub(self.pads[axis]).filter(|&place| place < shape[2 + axis])
        };
        let mut sums = vec![0f64; shape.iter().product()];
        if let Some(bias) = inputs.get(2).map(Constant::to_f32) {
            for (plane, sums) in sums.chunks_exact_mut(height * width).enumerate() {
                sums.fill(f64::from(bias[plane % shape[1]]));
            }
        }
        for (at, value) in x.iter().enumerate() {
            let (column, row) = (at % image[3], at / image[3] % image[2]);
            let (c, n) = (at / (image[2] * image[3]) % image[1], at / (image[1] * image[2] * image[3]));
            let first = c / (image[1] / self.groups) * depth;
            for m in 0..depth {
                for i in 0..kernel[2] {
                    let Some(y) = place(row, i, 0) else { continue };
                    for j in 0..kernel[3] {
                        let Some(z) = place(column, j, 1) else { continue };
                        let weight = w[((c * depth + m) * kernel[2] + i) * kernel[3] + j];
                        sums[((n * shape[1] + first + m) * height + y) * width + z] +=
                            f64::from(*value) * f64::from(weight);
                    }
                }
            }
        }
        one(sums.into_iter().map(|sum| sum as f32).collect(), shapes)
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("ConvTranspose").ints("kernel_shape", &inputs[1][2..]).ints("strides", &self.strides);
        let form = form.ints("pads", &self.pads).ints("output_padding", &self.output_padding);
        Some(form.int("group", self.groups))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        let known =
            ["kernel_shape", "strides", "pads", "output_padding", "output_shape", "group", "dilations", "auto_pad"];
        node.expect(&known, 1)?;
        node.refuse_dilation()?;
        let [_, _, height, width] = rank4(&node.input(1)?.shape)?;
        if node.sizes("kernel_shape", [height, width])? != [height, width] {
            return Err(format!("ConvTranspose has a kernel of another shape than its weights, {height} x {width}"));
        }
        let groups = usize::try_from(node.int("group", 1)?).map_err(|_| "ConvTranspose has less than one group")?;
        let strides = node.sizes("strides", [1, 1])?;
        let output_padding = node.sizes("output_padding", [0, 0])?;
        let (pads, output_padding) = cuts(node, [height, width], strides, output_padding)?;
        let operator = ConvTranspose { strides, pads, output_padding, groups };
        Ok(Imported::new(operator, if node.has(2) { 3 } else { 2 }))
    }

    fn words(&self, weights: &[usize]) -> Option<String> {
        let &[_, _, height, width] = weights else { return None };
        let step = if self.strides == [1, 1] { String::new() } else { format!("·{}", self.strides[0]) };
        let depthwise = if self.groups > 1 { " depthwise" } else { "" };
        Some(format!("{height}×{width}{step}{depthwise}"))
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let sample = |name, groups, kernel: usize, pad: usize, more: usize| {
            let operator = ConvTranspose { strides: [2; 2], pads: [pad; 4], output_padding: [more; 2], groups };
            let weights = constant([64, 64 / groups, kernel, kernel], 0.05);
            let mut inputs = vec![read([1, 64, 8, 8]), weights];
            inputs.extend(constants.bias.then_some(SampleInput::Bias(64)));
            Sample::new(name, operator, inputs)
        };
        vec![
            sample("2x2, stride 2", 1, 2, 0, 0),
            sample("3x3, stride 2, output padding", 1, 3, 1, 1),
            sample("4x4 depthwise, stride 2", 64, 4, 1, 0),
        ]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let groups = chance.of(1..=3);
        let [depth, filters] = [chance.of(1..=2), chance.of(1..=3)];
        let kernel = [chance.of(2..=4), chance.of(2..=4)];
        let pads = [(); 4].map(|()| chance.of(0..=1));
        let strides = [chance.of(1..=3), chance.of(1..=3)];
        let output_padding = strides.map(|stride| chance.of(0..=stride - 1));
        let image = [chance.of(1..=2), depth * groups, chance.of(2..=4), chance.of(2..=4)];
        let mut inputs = vec![read(image), constant([depth * groups, filters, kernel[0], kernel[1]], 0.5)];
        inputs.extend(chance.yes().then_some(SampleInput::Bias(filters * groups)));
        Sample::new("", ConvTranspose { strides, pads, output_padding, groups }, inputs)
    }
}

/// What is cut off the result, and added to it, so that it has the stated size: that of `output_shape`, or of the image
/// times the stride with `auto_pad`. The odd one is cut off before, with `SAME_UPPER` behind.
fn cuts(
    node: &OnnxNode,
    kernel: [usize; 2],
    strides: [usize; 2],
    more: [usize; 2],
) -> Result<([usize; 4], [usize; 2]), String> {
    let auto = node.text("auto_pad", "NOTSET")?;
    let is_same = match auto.as_str() {
        "NOTSET" | "VALID" => false,
        "SAME_UPPER" | "SAME_LOWER" => true,
        other => return Err(format!("ConvTranspose with auto_pad {other} is not known")),
    };
    let [_, _, height, width] = rank4(&node.input(0)?.shape)?;
    let wanted = match node.ints("output_shape")? {
        // Some exporters state batch and channels, too.
        Some(sizes) if sizes.len() == 2 || sizes.len() == 4 => [sizes[sizes.len() - 2], sizes[sizes.len() - 1]],
        Some(sizes) => return Err(format!("`output_shape` of ConvTranspose is {sizes:?}; 2 numbers are wanted")),
        None if is_same => [height.saturating_mul(strides[0]), width.saturating_mul(strides[1])],
        None if auto == "VALID" => return Ok(([0; 4], more)),
        None => return Ok((node.sizes("pads", [0; 4])?, more)),
    };
    let (mut pads, mut added) = ([0; 4], more);
    for (axis, size) in [height, width].into_iter().enumerate() {
        let steps = size.saturating_sub(1).saturating_mul(strides[axis]);
        let whole = steps.saturating_add(kernel[axis]).saturating_add(more[axis]);
        let cut = whole.saturating_sub(wanted[axis]);
        added[axis] = more[axis].saturating_add(wanted[axis].saturating_sub(whole));
        let (less, odd) = (cut / 2, cut - cut / 2);
        (pads[axis], pads[axis + 2]) = if auto == "SAME_UPPER" { (less, odd) } else { (odd, less) };
    }
    Ok((pads, added))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ops::{Attribute, OnnxInput};
    use crate::ir::types::ElementType;

    #[test]
    fn a_stated_size_says_what_is_cut_off_or_added() {
        let input =
            |shape: [usize; 4]| Some(OnnxInput { shape: shape.to_vec(), element: ElementType::F32, constant: None });
        let of = |size: Option<i64>, auto: &str| {
            let ints = |value: i64| Attribute::Ints(vec![value; 2]);
            let mut attributes =
                vec![("strides".to_string(), ints(2)), ("auto_pad".into(), Attribute::Text(auto.into()))];
            attributes.extend(size.map(|size| ("output_shape".to_string(), ints(size))));
            let inputs = vec![input([1, 1, 3, 3]), input([1, 1, 3, 3])];
            let node = OnnxNode { op_type: "ConvTranspose".into(), opset: 11, attributes, inputs, outputs: 1 };
            let made = ConvTranspose::from_onnx(&node).unwrap().operator;
            let shape = made.shapes(&[&vec![1, 1, 3, 3], &vec![1, 1, 3, 3]]).unwrap().remove(0);
            (made.pads, made.output_padding, shape[2])
        };
        // Three places of a kernel of 3, two apart, cover 7.
        assert_eq!(of(None, "SAME_UPPER"), ([0, 0, 1, 1], [0, 0], 6));
        assert_eq!(of(None, "SAME_LOWER"), ([1, 1, 0, 0], [0, 0], 6));
        assert_eq!(of(Some(5), "NOTSET"), ([1; 4], [0, 0], 5));
        assert_eq!(of(Some(6), "NOTSET"), ([1, 1, 0, 0], [0, 0], 6));
        assert_eq!(of(Some(8), "NOTSET"), ([0; 4], [1, 1], 8));
        assert_eq!(of(None, "VALID"), ([0; 4], [0, 0], 7));
    }

    #[test]
    fn a_kernel_is_laid_onto_the_result_at_every_element() {
        let operator = ConvTranspose { strides: [1, 2], pads: [0; 4], output_padding: [0, 1], groups: 1 };
        let x = Constant::from_values(vec![1.0, 10.0], vec![1, 1, 1, 2]);
        let w = Constant::from_values(vec![1.0, 2.0, 3.0], vec![1, 1, 1, 3]);
        let shapes = operator.shapes(&[x.shape(), w.shape()]).unwrap();
        assert_eq!(shapes, [[1, 1, 1, 6]]);
        assert_eq!(operator.evaluate(&[x, w], shapes)[0].to_f32(), [1.0, 2.0, 13.0, 20.0, 30.0, 0.0]);
    }

    #[test]
    fn what_cuts_all_off_is_refused() {
        let operator = ConvTranspose { strides: [1, 1], pads: [2, 2, 2, 2], output_padding: [0, 0], groups: 1 };
        assert!(operator.shapes(&[&vec![1, 1, 2, 2], &vec![1, 1, 3, 3]]).unwrap_err().contains("pads of 4"));
    }
}
