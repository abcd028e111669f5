//! Spatial resize.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::sampling::{Axis, Coordinates, Mode, Nearest, Sampling};
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
    /// Bilinear between corners that stay (`mode="bilinear", align_corners=True`).
    LinearAligned,
    /// Bilinear from a first pixel that stays, as older exporters write it.
    LinearAsymmetric,
    /// Bicubic with half-pixel centres and the parameter -0.75 (`mode="bicubic", align_corners=False`).
    Cubic,
}

/// The parameter of bicubic interpolation in PyTorch.
const CUBIC: f64 = -0.75;

impl Interpolation {
    const ALL: [Interpolation; 5] = [
        Interpolation::Nearest,
        Interpolation::Linear,
        Interpolation::LinearAligned,
        Interpolation::LinearAsymmetric,
        Interpolation::Cubic,
    ];

    fn parts(self) -> (Mode, Coordinates) {
        match self {
            Interpolation::Nearest => (Mode::Nearest(Nearest::Floor), Coordinates::Asymmetric),
            Interpolation::Linear => (Mode::Linear, Coordinates::HalfPixel),
            Interpolation::LinearAligned => (Mode::Linear, Coordinates::AlignCorners),
            Interpolation::LinearAsymmetric => (Mode::Linear, Coordinates::Asymmetric),
            Interpolation::Cubic => (Mode::Cubic(CUBIC), Coordinates::HalfPixel),
        }
    }

    /// That which takes the same elements on an axis.
    fn same(axis: Axis, mode: Mode, coordinates: Coordinates) -> impl Iterator<Item = Interpolation> {
        Self::ALL.into_iter().filter(move |other| {
            let (other_mode, other) = other.parts();
            let whole = Axis::of_sizes(axis.from, axis.to);
            match (mode, other_mode) {
                (Mode::Nearest(_), Mode::Nearest(_)) => (0..axis.to)
                    .all(|place| axis.taps(place, mode, coordinates) == whole.taps(place, other_mode, other)),
                _ => (mode, coordinates) == (other_mode, other) && axis.is_of_sizes(),
            }
        })
    }
}

/// Spatial resize of `[N,C,H,W]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// How values between the samples are made.
    pub interpolation: Interpolation,
    /// New height and width.
    pub size: [usize; 2],
}

impl Resize {
    /// What a node of ONNX asks for; none where it is asked in a form that this is not.
    pub fn of_sampling(sampling: &Sampling) -> Option<Self> {
        let Sampling { axes, mode, coordinates, first_alone } = sampling;
        let &[n, c, height, width] = &axes[..] else { return None };
        let alone = |axis: Axis| *first_alone && axis.to == 1 && axis.from > 1;
        if n.from != n.to || c.from != c.to || alone(height) || alone(width) {
            return None;
        }
        let both = |found: &Interpolation| Interpolation::same(width, *mode, *coordinates).any(|other| other == *found);
        let interpolation = Interpolation::same(height, *mode, *coordinates).find(both)?;
        Some(Resize { interpolation, size: [height.to, width.to] })
    }
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
            _ => Work::Computes,
        }
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (image, shape) = (inputs[0].shape(), &shapes[0]);
        let (mode, coordinates) = self.interpolation.parts();
        let taps = |axis: usize| -> Vec<Vec<(usize, f64)>> {
            let sizes = Axis::of_sizes(image[axis], shape[axis]);
            (0..shape[axis]).map(|place| sizes.taps(place, mode, coordinates)).collect()
        };
        let (down, across) = (taps(2), taps(3));
        let x = inputs[0].to_f32();
        let mut made = Vec::with_capacity(shape.iter().product());
        for plane in x.chunks_exact(image[2] * image[3]) {
            let at = |row: usize, column: usize| f64::from(plane[row * image[3] + column]);
            for rows in &down {
                for columns in &across {
                    let mix = |row: usize| columns.iter().map(|(column, share)| at(row, *column) * share).sum::<f64>();
                    made.push(rows.iter().map(|(row, share)| mix(*row) * share).sum::<f64>() as f32);
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let [height, width] = self.size;
        let form = OnnxForm::new("Resize");
        let (mode, coordinates) = self.interpolation.parts();
        let form = form.text(
            "mode",
            if let Mode::Cubic(_) = mode {
                "cubic"
            } else if mode == Mode::Linear {
                "linear"
            } else {
                "nearest"
            },
        );
        let form = form.text(
            "coordinate_transformation_mode",
            match coordinates {
                Coordinates::HalfPixel => "half_pixel",
                Coordinates::AlignCorners => "align_corners",
                Coordinates::Asymmetric => "asymmetric",
            },
        );
        let form = if self.interpolation == Interpolation::Nearest { form.text("nearest_mode", "floor") } else { form };
        Some(form.absent().absent().integers("sizes", &[inputs[0][0], inputs[0][1], height, width]))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        match Resize::of_sampling(&Sampling::of(node)?) {
            Some(made) => Ok(Imported::new(made, 1)),
            None => Err("Resize of other axes than height and width, or with other places, is not supported".into()),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, interpolation| {
            Sample::new(name, Resize { interpolation, size: [16, 16] }, vec![read([1, 16, 8, 8])])
        };
        vec![
            sample("nearest", Interpolation::Nearest),
            sample("linear", Interpolation::Linear),
            sample("linear, corners aligned", Interpolation::LinearAligned),
            sample("linear, asymmetric", Interpolation::LinearAsymmetric),
            sample("cubic", Interpolation::Cubic),
        ]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let image = [chance.of(1..=2), chance.of(1..=3), chance.of(1..=5), chance.of(1..=5)];
        let size = [chance.of(1..=9), chance.of(1..=9)];
        let interpolation = chance.one(&Interpolation::ALL);
        Sample::new("", Resize { interpolation, size }, vec![read(image)])
    }
}
