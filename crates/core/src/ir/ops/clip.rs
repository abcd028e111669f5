//! Limits.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Every element, but at least `min` and at most `max`; all of them `max` where `min` is above it. With 0 and 6 this is
/// the ReLU6 of MobileNets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Lower limit, if there is one.
    pub min: Option<f32>,
    /// Upper limit, if there is one.
    pub max: Option<f32>,
}

impl Operator for Clip {
    const SIGNATURE: Signature = Signature::new("Clip", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        match [self.min, self.max].into_iter().flatten().find(|limit| !limit.is_finite()) {
            Some(limit) => Err(format!("Clip has the limit {limit}; a number is wanted")),
            None => Ok(vec![inputs[0].clone()]),
        }
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (min, max) = (self.min.map_or(f64::NEG_INFINITY, f64::from), self.max.map_or(f64::INFINITY, f64::from));
        each(inputs, shapes, |x| x.max(min).min(max))
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("Clip");
        let form = match (self.min, self.max) {
            (Some(min), _) => form.real("min", min),
            (None, Some(_)) => form.absent(),
            (None, None) => form,
        };
        Some(if let Some(max) = self.max { form.real("max", max) } else { form })
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["min", "max"], 6)?;
        // Attributes up to operator set 10, inputs since.
        let stated = |position: usize, name: &str, none: f32| match node.opset {
            ..11 => node.float(name, none).map(Some),
            _ => node.real(position),
        };
        // Some exporters write the largest number, or infinity, where there is no limit.
        let min = stated(1, "min", f32::MIN)?.filter(|min| *min != f32::MIN && *min != f32::NEG_INFINITY);
        let max = stated(2, "max", f32::MAX)?.filter(|max| *max != f32::MAX && *max != f32::INFINITY);
        Ok(Imported::new(Clip { min, max }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, min, max| Sample::new(name, Clip { min, max }, vec![read([1, 16, 64])]);
        vec![
            sample("0 to 2", Some(0.0), Some(2.0)),
            sample("-1 to 1", Some(-1.0), Some(1.0)),
            sample("from -1", Some(-1.0), None),
            sample("to 1", None, Some(1.0)),
        ]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let min = chance.one(&[None, Some(0.0), Some(-0.5)]);
        let max = chance.one(&[None, Some(0.5), Some(0.25), Some(-0.75)]);
        Sample::new("", Clip { min, max }, vec![chance.read()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{Attribute, OnnxInput};
    use super::*;
    use crate::ir::types::ElementType;

    fn node(opset: i64, attributes: &[(&str, f32)], limits: &[Option<f32>]) -> OnnxNode {
        let input =
            |shape: &[usize], constant| OnnxInput { shape: shape.to_vec(), element: ElementType::F32, constant };
        let limit =
            |limit: &Option<f32>| limit.map(|limit| input(&[], Some(Constant::from_values(vec![limit], vec![]))));
        OnnxNode {
            op_type: "Clip".into(),
            opset,
            attributes: attributes.iter().map(|(name, value)| (name.to_string(), Attribute::Float(*value))).collect(),
            inputs: std::iter::once(Some(input(&[2, 3], None))).chain(limits.iter().map(limit)).collect(),
            outputs: 1,
        }
    }

    #[test]
    fn limits_are_attributes_in_old_models_and_inputs_in_new_ones() {
        let of = |node: OnnxNode| Clip::from_onnx(&node).map(|made| (made.operator.min, made.operator.max));
        assert_eq!(of(node(6, &[("min", 0.0), ("max", 6.0)], &[])).unwrap(), (Some(0.0), Some(6.0)));
        assert_eq!(of(node(10, &[("max", 6.0)], &[])).unwrap(), (None, Some(6.0)));
        assert_eq!(of(node(11, &[], &[Some(0.0), Some(6.0)])).unwrap(), (Some(0.0), Some(6.0)));
        assert_eq!(of(node(13, &[], &[None, Some(6.0)])).unwrap(), (None, Some(6.0)));
        assert_eq!(of(node(13, &[], &[Some(0.0), Some(f32::MAX)])).unwrap(), (Some(0.0), None));
        let mut computed = node(13, &[], &[Some(0.0)]);
        computed.inputs[1].as_mut().unwrap().constant = None;
        assert!(of(computed).unwrap_err().contains("input 1 of Clip is computed"));
    }

    #[test]
    fn limits_in_disorder_give_the_upper_one() {
        let clip = Clip { min: Some(2.0), max: Some(1.0) };
        let x = Constant::from_values(vec![0.0, 3.0], vec![2]);
        assert_eq!(clip.evaluate(&[x], vec![vec![2]])[0].to_f32(), [1.0, 1.0]);
    }
}
