//! Spatial resize.

use serde::{Deserialize, Serialize};

use super::arithmetic::{one, picked};
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// How a spatial resize interpolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Nearest neighbour, asymmetric coordinates, rounded down (`torch.nn.functional.interpolate(mode="nearest")`).
    Nearest,
    /// Bilinear with half-pixel centres (`mode="bilinear", align_corners=False`).
    Linear,
}

/// Spatial resize of `[N,C,H,W]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// How values between the samples are made.
    pub interpolation: Interpolation,
    /// New height and width.
    pub size: [usize; 2],
}

impl Operator for Resize {
    const SIGNATURE: Signature = Signature::new("Resize", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let x = rank4(inputs[0])?;
        Ok(vec![vec![x[0], x[1], self.size[0], self.size[1]]])
    }

    fn work(&self) -> Work {
        match self.interpolation {
            Interpolation::Nearest => Work::Moves,
            Interpolation::Linear => Work::Computes,
        }
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (image, shape) = (inputs[0].shape(), &shapes[0]);
        if self.interpolation == Interpolation::Nearest {
            let from = |at: usize, axis: usize| at * image[axis] / shape[axis];
            let place = |index: Vec<usize>| vec![index[0], index[1], from(index[2], 2), from(index[3], 3)];
            return vec![picked(&inputs[0], shape, place)];
        }
        // The two samples beside a place, and the share of the second.
        let beside = |at: usize, axis: usize| {
            let last = image[axis] - 1;
            let place = (at as f64 + 0.5) * image[axis] as f64 / shape[axis] as f64 - 0.5;
            let place = place.clamp(0.0, last as f64);
            (place as usize, (place as usize + 1).min(last), place.fract())
        };
        let x = inputs[0].to_f32();
        let mut made = Vec::with_capacity(shape.iter().product());
        for plane in x.chunks_exact(image[2] * image[3]) {
            let at = |row: usize, column: usize| f64::from(plane[row * image[3] + column]);
            for row in 0..shape[2] {
                let (top, bottom, down) = beside(row, 2);
                for column in 0..shape[3] {
                    let (left, right, across) = beside(column, 3);
                    let mix = |row: usize| at(row, left) * (1.0 - across) + at(row, right) * across;
                    made.push((mix(top) * (1.0 - down) + mix(bottom) * down) as f32);
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let [height, width] = self.size;
        let form = match self.interpolation {
            Interpolation::Nearest => OnnxForm::new("Resize")
                .text("mode", "nearest")
                .text("coordinate_transformation_mode", "asymmetric")
                .text("nearest_mode", "floor"),
            Interpolation::Linear => {
                OnnxForm::new("Resize").text("mode", "linear").text("coordinate_transformation_mode", "half_pixel")
            }
        };
        Some(form.absent().absent().integers("sizes", &[inputs[0][0], inputs[0][1], height, width]))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        let known = ["mode", "coordinate_transformation_mode", "nearest_mode", "antialias", "cubic_coeff_a"];
        let unused = ["exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy"];
        node.expect(&[&known[..], &unused].concat(), 11)?;
        node.demand_int("antialias", 0)?;
        node.demand_int("exclude_outside", 0)?;
        node.demand_text("keep_aspect_ratio_policy", "stretch", "stretch")?;
        let interpolation = match node.text("mode", "nearest")?.as_str() {
            "nearest" => {
                node.demand_text("coordinate_transformation_mode", "asymmetric", "half_pixel")?;
                node.demand_text("nearest_mode", "floor", "round_prefer_floor")?;
                Interpolation::Nearest
            }
            "linear" => {
                node.demand_text("coordinate_transformation_mode", "half_pixel", "half_pixel")?;
                Interpolation::Linear
            }
            other => return Err(format!("Resize with mode {other} is not supported; nearest and linear are")),
        };
        let image = rank4(&node.input(0)?.shape)?;
        let sizes = node.integers(3)?.ok_or("Resize by factors is not supported; to sizes is")?;
        let sizes: Vec<usize> = sizes.iter().filter_map(|&size| usize::try_from(size).ok()).collect();
        match sizes.as_slice() {
            &[n, c, height, width] if [n, c] == image[..2] => {
                Ok(Imported::new(Resize { interpolation, size: [height, width] }, 1))
            }
            other => Err(format!("Resize of {image:?} to {other:?} is not supported; height and width may change")),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, interpolation| {
            Sample::new(name, Resize { interpolation, size: [16, 16] }, vec![read([1, 16, 8, 8])])
        };
        vec![sample("nearest", Interpolation::Nearest), sample("linear", Interpolation::Linear)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let image = [chance.of(1..=2), chance.of(1..=3), chance.of(1..=5), chance.of(1..=5)];
        let size = [chance.of(1..=9), chance.of(1..=9)];
        let interpolation = chance.one(&[Interpolation::Nearest, Interpolation::Linear]);
        Sample::new("", Resize { interpolation, size }, vec![read(image)])
    }
}
