//! Where resized axes take their elements from, as ONNX has it (operator `Resize`).

use serde::{Deserialize, Serialize};

use super::onnx::OnnxNode;
use crate::ir::types::Shape;

/// What a place of the result is on the axis before. With `n` places made of `m`:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coordinates {
    /// `(place + 1/2) / scale - 1/2`: pixels are areas.
    HalfPixel,
    /// `place (m - 1) / (n - 1)`: the corners stay.
    AlignCorners,
    /// `place / scale`: the first pixel stays.
    Asymmetric,
}

/// Which neighbour is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nearest {
    /// That before.
    Floor,
    /// That behind.
    Ceil,
    /// The nearer one; of two that before.
    PreferFloor,
    /// The nearer one; of two that behind.
    PreferCeil,
}

/// How values between elements are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// They are those of a neighbour.
    Nearest(Nearest),
    /// Of two neighbours, by distance.
    Linear,
    /// Of four neighbours, by cubic convolution with this parameter (Keys, 1981).
    Cubic(f64),
}

/// One axis that is resized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Size before.
    pub from: usize,
    /// Size behind.
    pub to: usize,
    /// Places behind for each before; the sizes need not say it exactly.
    pub scale: f64,
}

impl Axis {
    /// Of two sizes.
    pub fn of_sizes(from: usize, to: usize) -> Self {
        Axis { from, to, scale: to as f64 / from as f64 }
    }

    /// Whether sizes say all of it.
    pub fn is_of_sizes(&self) -> bool {
        (self.scale * self.from as f64 - self.to as f64).abs() < 1e-5 * self.to as f64
    }

    /// What a place is before.
    fn coordinate(&self, place: usize, coordinates: Coordinates) -> f64 {
        let place = place as f64;
        match coordinates {
            Coordinates::HalfPixel => (place + 0.5) / self.scale - 0.5,
            Coordinates::Asymmetric => place / self.scale,
            Coordinates::AlignCorners if self.to == 1 => 0.0,
            Coordinates::AlignCorners => place * (self.from - 1) as f64 / (self.to - 1) as f64,
        }
    }

    /// The elements that a place is made of, with their shares.
    pub fn taps(&self, place: usize, mode: Mode, coordinates: Coordinates) -> Vec<(usize, f64)> {
        let last = self.from - 1;
        let at = self.coordinate(place, coordinates);
        let within = |at: f64| at.clamp(0.0, last as f64) as usize;
        match mode {
            Mode::Nearest(nearest) => {
                // Quotients that are whole come out next to it.
                let at = if (at - at.round()).abs() < 1e-6 { at.round() } else { at };
                vec![(
                    within(match nearest {
                        Nearest::Floor => at.floor(),
                        Nearest::Ceil => at.ceil(),
                        Nearest::PreferFloor => (at - 0.5).ceil(),
                        Nearest::PreferCeil => (at + 0.5).floor(),
                    }),
                    1.0,
                )]
            }
            Mode::Linear => {
                let at = at.clamp(0.0, last as f64);
                vec![(at as usize, 1.0 - at.fract()), ((at as usize + 1).min(last), at.fract())]
            }
            Mode::Cubic(a) => {
                let (first, share) = (at.floor(), at - at.floor());
                let near = |x: f64| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
                let far = |x: f64| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
                let shares = [far(share + 1.0), near(share), near(1.0 - share), far(2.0 - share)];
                shares.into_iter().enumerate().map(|(at, share)| (within(first + at as f64 - 1.0), share)).collect()
            }
        }
    }
}

/// What a node of ONNX resizes, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// All axes.
    pub axes: Vec<Axis>,
    /// How values are made.
    pub mode: Mode,
    /// What places are before.
    pub coordinates: Coordinates,
    /// What becomes one element is the first, not one in the middle (`pytorch_half_pixel`).
    pub first_alone: bool,
}

/// Largest size of an axis.
const MOST: usize = 1 << 20;

impl Sampling {
    /// The elements that a place of an axis is made of, with their shares.
    pub fn taps(&self, axis: usize, place: usize) -> Vec<(usize, f64)> {
        let axis = self.axes[axis];
        match self.first_alone && axis.to == 1 {
            true => vec![(0, 1.0)],
            false => axis.taps(place, self.mode, self.coordinates),
        }
    }

    /// Of a `Resize` of operator set 10 on or an `Upsample`.
    ///
    /// # Errors
    /// Says in words what of the node is not taken.
    pub fn of(node: &OnnxNode) -> Result<Self, String> {
        let known = ["mode", "coordinate_transformation_mode", "nearest_mode", "antialias", "cubic_coeff_a", "axes"];
        let unused = ["exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy", "scales"];
        node.expect(&[&known[..], &unused].concat(), 7)?;
        let is_old = node.op_type == "Upsample" || node.opset < 11;
        let axes = Self::axes(node, is_old)?;
        node.demand_text("keep_aspect_ratio_policy", "stretch", "stretch")?;
        let default = if is_old { "asymmetric" } else { "half_pixel" };
        let stated = node.text("coordinate_transformation_mode", default)?;
        let (coordinates, first_alone) = match stated.as_str() {
            "half_pixel" => (Coordinates::HalfPixel, false),
            "half_pixel_symmetric" if axes.iter().all(Axis::is_of_sizes) => (Coordinates::HalfPixel, false),
            "pytorch_half_pixel" => (Coordinates::HalfPixel, true),
            "align_corners" if axes.iter().all(Axis::is_of_sizes) => (Coordinates::AlignCorners, false),
            "align_corners" => {
                return Err(format!(
                    "{} with align_corners by factors that make no whole sizes is another one in the standard than in \
                     ONNX Runtime; state sizes",
                    node.op_type
                ));
            }
            "asymmetric" => (Coordinates::Asymmetric, false),
            other => return Err(format!("{} with coordinates {other} is not supported", node.op_type)),
        };
        let mode = match node.text("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest(match node.text("nearest_mode", "round_prefer_floor")?.as_str() {
                _ if is_old => Nearest::Floor,
                "floor" => Nearest::Floor,
                "ceil" => Nearest::Ceil,
                "round_prefer_floor" => Nearest::PreferFloor,
                "round_prefer_ceil" => Nearest::PreferCeil,
                other => return Err(format!("{} with nearest_mode {other} is not known", node.op_type)),
            }),
            "linear" => Mode::Linear,
            "cubic" => {
                node.demand_int("exclude_outside", 0)?;
                Mode::Cubic(node.float("cubic_coeff_a", -0.75)?.into())
            }
            other => return Err(format!("{} with mode {other} is not known", node.op_type)),
        };
        // Where nothing becomes smaller there is nothing to smooth.
        if !matches!(mode, Mode::Nearest(_)) && axes.iter().any(|axis| axis.to < axis.from) {
            node.demand_int("antialias", 0)?;
        }
        Ok(Sampling { axes, mode, coordinates, first_alone })
    }

    fn axes(node: &OnnxNode, is_old: bool) -> Result<Vec<Axis>, String> {
        let shape: &Shape = &node.input(0)?.shape;
        let chosen = match node.signed("axes")? {
            Some(axes) => axes.into_iter().map(|axis| node.from_front(axis)).collect::<Result<Vec<_>, _>>()?,
            None => (0..shape.len()).collect(),
        };
        let mut made: Vec<Axis> = shape.iter().map(|&size| Axis::of_sizes(size, size)).collect();
        let fits = |count: usize| match count == chosen.len() {
            true => Ok(()),
            false => Err(format!("{} has {count} sizes or factors for {} axes", node.op_type, chosen.len())),
        };
        if let Some(sizes) = node.integers(3)?.filter(|sizes| !sizes.is_empty()) {
            fits(sizes.len())?;
            for (&axis, size) in chosen.iter().zip(sizes) {
                let fitting = usize::try_from(size).ok().filter(|size| (1..=MOST).contains(size));
                let size = fitting.ok_or_else(|| format!("{} to a size of {size} is not possible", node.op_type))?;
                made[axis] = Axis::of_sizes(shape[axis], size);
            }
            return Ok(made);
        }
        let scales = match node.reals("scales")? {
            Some(scales) => scales,
            None => node.real_numbers(if is_old { 1 } else { 2 })?.ok_or("Resize has neither sizes nor factors")?,
        };
        fits(scales.len())?;
        for (&axis, scale) in chosen.iter().zip(scales) {
            let scale = f64::from(scale);
            let to = (shape[axis] as f64 * scale + 1e-6).floor();
            if !(scale > 0.0 && (1.0..=MOST as f64).contains(&to)) {
                return Err(format!("{} of an axis of {} by {scale} is not possible", node.op_type, shape[axis]));
            }
            made[axis] = Axis { from: shape[axis], to: to as usize, scale };
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(axis: Axis, mode: Mode, coordinates: Coordinates) -> Vec<f64> {
        let value = |place| axis.taps(place, mode, coordinates).iter().map(|(at, share)| *at as f64 * share).sum();
        (0..axis.to).map(value).collect()
    }

    #[test]
    fn places_are_where_onnx_has_them() {
        // Of elements 0, 1, 2: each value is the place before, as far as there are elements.
        let axis = Axis::of_sizes(3, 5);
        assert_eq!(rows(axis, Mode::Linear, Coordinates::AlignCorners), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(rows(Axis::of_sizes(3, 6), Mode::Linear, Coordinates::Asymmetric), [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]);
        assert_eq!(rows(Axis::of_sizes(2, 4), Mode::Linear, Coordinates::HalfPixel), [0.0, 0.25, 0.75, 1.0]);
        let nearest = |nearest| rows(axis, Mode::Nearest(nearest), Coordinates::HalfPixel);
        // -0.2, 0.4, 1.0, 1.6, 2.2
        assert_eq!(nearest(Nearest::Floor), [0.0, 0.0, 1.0, 1.0, 2.0]);
        assert_eq!(nearest(Nearest::Ceil), [0.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(nearest(Nearest::PreferFloor), [0.0, 0.0, 1.0, 2.0, 2.0]);
        let half = |nearest| rows(Axis::of_sizes(4, 2), Mode::Nearest(nearest), Coordinates::HalfPixel);
        assert_eq!((half(Nearest::PreferFloor), half(Nearest::PreferCeil)), (vec![0.0, 2.0], vec![1.0, 3.0]));
    }

    #[test]
    fn shares_of_cubic_convolution_sum_to_one_and_keep_lines() {
        for place in 0..9 {
            let taps = Axis::of_sizes(5, 9).taps(place, Mode::Cubic(-0.5), Coordinates::AlignCorners);
            assert!((taps.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
            if (2..7).contains(&place) {
                let value: f64 = taps.iter().map(|(at, share)| *at as f64 * share).sum();
                assert!((value - place as f64 / 2.0).abs() < 1e-12);
            }
        }
    }
}
