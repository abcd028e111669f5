//! GELU.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Which formula a GELU uses (ONNX `Gelu`, attribute `approximate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeluKind {
    /// `x/2 * (1 + erf(x / sqrt 2))`.
    Erf,
    /// `x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`.
    Tanh,
}

/// Gaussian error linear unit (Hendrycks & Gimpel, arXiv 1606.08415).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gelu {
    /// Which formula.
    pub kind: GeluKind,
}

impl Operator for Gelu {
    const SIGNATURE: Signature = Signature::new("Gelu", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let inner = |x: f64| match self.kind {
            GeluKind::Erf => erf(x / std::f64::consts::SQRT_2),
            GeluKind::Tanh => ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh(),
        };
        each(inputs, shapes, |x| 0.5 * x * (1.0 + inner(x)))
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let formula = match self.kind {
            GeluKind::Erf => "none",
            GeluKind::Tanh => "tanh",
        };
        Some(OnnxForm::new("Gelu").text("approximate", formula))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["approximate"], 20)?;
        let kind = match node.text("approximate", "none")?.as_str() {
            "none" => GeluKind::Erf,
            "tanh" => GeluKind::Tanh,
            other => return Err(format!("Gelu with the formula {other} is not known")),
        };
        Ok(Imported::new(Gelu { kind }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, kind| Sample::new(name, Gelu { kind }, vec![read([1, 16, 64])]);
        vec![sample("erf", GeluKind::Erf), sample("tanh", GeluKind::Tanh)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let kind = chance.one(&[GeluKind::Erf, GeluKind::Tanh]);
        Sample::new("", Gelu { kind }, vec![chance.read()])
    }
}

/// The error function, to 1e-15: its power series near 0, the continued fraction of its complement further out
/// (Abramowitz & Stegun, 7.1.6 and 7.1.14).
fn erf(x: f64) -> f64 {
    let size = x.abs();
    let scale = 2.0 / std::f64::consts::PI.sqrt() * (-size * size).exp();
    let found = if size < 3.0 {
        let (mut term, mut sum, mut count) = (size, size, 0.0);
        while term > sum * 1e-17 {
            count += 1.0;
            term *= 2.0 * size * size / (2.0 * count + 1.0);
            sum += term;
        }
        scale * sum
    } else {
        let fraction = (1..60).rev().fold(size, |below, count| size + f64::from(count) / 2.0 / below);
        1.0 - scale / 2.0 / fraction
    };
    found.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_known_values() {
        // DLMF, table 7.23.
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (-2.0, -0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_6),
        ] {
            assert!((erf(x) - wanted).abs() < 1e-14, "{x}: {}", erf(x));
        }
    }
}
