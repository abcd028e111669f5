//! GELU.

use serde::{Deserialize, Serialize};

use super::arithmetic::{each, erf};
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
