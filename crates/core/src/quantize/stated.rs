//! What a model that is quantized already says of its values, held against the graph that was made of it.

use autoneural_base::text::listed;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::joined;
use crate::encoding::Encoding;
use crate::ir::{Graph, Value};

/// Encodings that a quantized model states.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stated {
    /// Of inputs and of what nodes make, by name.
    pub activations: BTreeMap<String, Encoding>,
    /// Of constants, by name.
    pub params: BTreeMap<String, Encoding>,
}

impl Stated {
    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        self.activations.is_empty() && self.params.is_empty()
    }

    /// What of it is of values of a graph, under their names there, and sentences about the rest. Constants may have
    /// been moved or changed on the way into the graph and have a longer name then; what their integers do not stand
    /// for any more is left out.
    pub fn fitted(mut self, graph: &Graph) -> (Stated, Vec<String>) {
        let mut made = Stated::default();
        for (_, value) in graph.values().filter(|(_, value)| value.element.is_real()) {
            if value.constant().is_none() {
                if let Some(encoding) = self.activations.remove(&value.name) {
                    made.activations.insert(value.name.clone(), encoding);
                }
                continue;
            }
            if let Some(encoding) = of_constant(&self.params, value) {
                made.params.insert(value.name.clone(), encoding);
            }
        }
        joined::complete(graph, &mut made.activations);
        let is_gone = |name: &&String| !made.params.keys().any(|kept| base(kept).any(|base| base == name.as_str()));
        // What nodes of a bias have in 32 bits follows from the others.
        let lost: Vec<&String> = self
            .params
            .iter()
            .filter(|(_, encoding)| encoding.integer != crate::encoding::IntegerType::Int32)
            .map(|(name, _)| name)
            .filter(is_gone)
            .chain(self.activations.keys())
            .collect();
        let names: Vec<String> = lost.iter().map(|name| format!("`{name}`")).collect();
        let said = match lost.len() {
            0 => vec![],
            count => vec![format!(
                "{count} encodings are of no value of the graph that was made of the model, and are left out: {}",
                listed(&names)
            )],
        };
        (made, said)
    }

    /// What is impossible of it, with the name: files may be damaged.
    ///
    /// # Errors
    /// Numbers that no encoding has.
    pub fn check(&self) -> Result<(), (String, String)> {
        for (name, encoding) in self.activations.iter().chain(&self.params) {
            let Encoding { integer, scale, zero_point, axis, block } = encoding;
            let (least, most) = integer.limits();
            let is_sound = !scale.is_empty()
                && scale.len() == zero_point.len()
                && scale.iter().all(|scale| scale.is_finite() && *scale > 0.0)
                && zero_point.iter().all(|zero_point| (least..=most).contains(zero_point))
                && (axis.is_some() || scale.len() == 1 && block.is_none())
                && block.is_none_or(|block| block > 0);
            if !is_sound {
                return Err((name.clone(), "has an encoding that is impossible".into()));
            }
        }
        Ok(())
    }
}

/// A name, and what it was before the changes that are written behind it.
fn base(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        let (base, change) = name.rsplit_once('.')?;
        let is_change = matches!(change, "folded" | "scaled") || change.bytes().all(|byte| byte.is_ascii_digit());
        is_change.then_some(base)
    })
}

/// The encoding of a constant, with its axes as they lie in the graph.
fn of_constant(params: &BTreeMap<String, Encoding>, value: &Value) -> Option<Encoding> {
    let (name, encoding) = base(&value.name).find_map(|name| Some((name, params.get(name)?)))?;
    if name == value.name && encoding.axis.is_none_or(|axis| value.shape.get(axis) == Some(&encoding.scale.len())) {
        return Some(encoding.clone());
    }
    let numbers = value.constant()?.to_f32();
    let stands_for = |encoding: &Encoding| {
        let back = encoding.dequantize(&encoding.quantize(&numbers, &value.shape), &value.shape);
        let largest = numbers.iter().fold(0f32, |most, number| most.max(number.abs()));
        numbers.iter().zip(back).all(|(number, back)| (number - back).abs() <= 1e-5 * largest)
    };
    let axes: Vec<Option<usize>> = match (encoding.axis, encoding.block) {
        (None, _) => vec![None],
        (Some(_), None) => {
            let fits = |axis: &usize| value.shape[*axis] == encoding.scale.len();
            (0..value.shape.len()).filter(fits).map(Some).collect()
        }
        (Some(axis), Some(block)) => {
            let count = value
                .shape
                .get(axis)
                .filter(|size| size.is_multiple_of(block))
                .map(|_| encoding.scale_shape(&value.shape).iter().product::<usize>());
            if count == Some(encoding.scale.len()) { vec![Some(axis)] } else { vec![] }
        }
    };
    axes.into_iter().map(|axis| Encoding { axis, ..encoding.clone() }).find(stands_for)
}
