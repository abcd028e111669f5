//! What a target states about one operator: which combinations of integers it takes, and what else encodings must
//! follow.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use super::form::{Bias, Form, form};
use super::types::{Activations, Granularity, Weights};
use crate::encoding::IntegerType;

/// What the chip takes of one operator: every combination of the listed types except the refused ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The operator's name ([`crate::ir::Op::name`]).
    pub name: String,
    /// Encodings of inputs and outputs that are not constant.
    pub activations: Vec<Activations>,
    /// Encodings of a constant second input, or of a constant first operand of two; the preferred one first.
    #[serde(default)]
    pub weights: Vec<Weights>,
    /// Encodings of a constant third input, the preferred one first.
    #[serde(default)]
    pub bias: Vec<IntegerType>,
    /// Encodings in 16 bits of a constant second input that are written as two of 8 bits, each with a product of its own,
    /// whose sum is what the operator makes. Activations must have 16 bits.
    #[serde(default)]
    pub in_pairs: Vec<Weights>,
    /// Combinations of the listed types that the chip does not take.
    #[serde(default)]
    pub refused: Vec<Refusal>,
    /// Combinations that are taken, and that the chip computes in 16-bit floating point and not in integers.
    #[serde(default)]
    pub in_fp16: Vec<Refusal>,
    /// How many significant bits after the leading one the chip keeps of the multiplier from sums to outputs. `None`:
    /// enough.
    pub multiplier_bits: Option<u32>,
    /// The chip keeps sums in steps of this many integers, a power of two. Each constant part of a sum is cut off to
    /// such a step by itself.
    pub sum_step: Option<u32>,
    /// The chip reads the second of two computed operands of 16 bits in so many bits. `None`: in all of them.
    pub second_bits: Option<u32>,
    /// Whether the operator works on the last axis only.
    #[serde(default)]
    pub last_axis_only: bool,
    /// Most axes that its inputs and outputs may have. `None`: as many as the target states for all operators.
    pub most_axes: Option<usize>,
    /// Range of the output as real numbers, if it does not depend on the input.
    pub output_range: Option<[f32; 2]>,
}

/// Combinations that the chip does not take, or takes in a way of their own. A field that is `None` stands for all listed types.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Encodings of inputs and outputs.
    pub activations: Option<Activations>,
    /// Encoding of a constant second input.
    pub weights: Option<Weights>,
    /// Encoding of a constant third input.
    pub bias: Option<IntegerType>,
}

/// One combination of integers, which a node has or a target states.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Encodings of inputs and outputs that are not constant.
    pub activations: Activations,
    /// Encoding of the second input, if it is constant.
    pub weights: Option<Weights>,
    /// Encoding of the constant third input, if there is one.
    pub bias: Option<IntegerType>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_parts(f, Some(&self.activations), self.weights, self.bias)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_parts(f, self.activations.as_ref(), self.weights, self.bias)
    }
}

fn write_parts(
    f: &mut fmt::Formatter<'_>,
    activations: Option<&Activations>,
    weights: Option<Weights>,
    bias: Option<IntegerType>,
) -> fmt::Result {
    let parts = [
        activations.map(ToString::to_string),
        weights.map(|weights| format!("weights {weights}")),
        bias.map(|bias| format!("bias {}", bias.name())),
    ];
    f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

impl Refusal {
    pub(super) fn covers(&self, case: &Case) -> bool {
        self.activations.as_ref().is_none_or(|activations| *activations == case.activations)
            && (self.weights.is_none() || self.weights == case.weights)
            && (self.bias.is_none() || self.bias == case.bias)
    }
}

impl Operator {
    /// The statement for an operator that runs on the CPU. The CPU takes every combination, so these are the integers
    /// in which constants lose least.
    pub fn on_cpu(name: &str) -> Self {
        let none = Form { activations: 1, weights: false, channels: false, bias: Bias::Never, axis: false };
        let form = form(name).unwrap_or(none);
        let per_channel = |integer| Weights { integer, granularity: Granularity::Channel };
        let weights = match (form.channels, form.bias) {
            (true, _) => [IntegerType::Int8, IntegerType::Int4, IntegerType::Int16].map(per_channel).to_vec(),
            // The scale of the bias depends on that of the weights, and must not become so small that the bias
            // overflows.
            (false, Bias::Always) => vec![Weights::per_tensor(IntegerType::Uint8)],
            (false, _) => vec![Weights::per_tensor(IntegerType::Uint16)],
        };
        Operator {
            name: name.to_string(),
            activations: [IntegerType::Uint16, IntegerType::Uint8].map(Activations::Same).to_vec(),
            weights: if form.weights { weights } else { vec![] },
            bias: if form.bias == Bias::Never { vec![] } else { vec![IntegerType::Int32] },
            in_pairs: vec![],
            refused: vec![],
            in_fp16: vec![],
            multiplier_bits: None,
            sum_step: None,
            second_bits: None,
            last_axis_only: form.axis,
            most_axes: None,
            output_range: None,
        }
    }

    /// Whether the chip takes a combination, as it stands or in the form in which it is written.
    pub fn takes(&self, case: &Case) -> bool {
        let case = &*self.written(case);
        self.activations.contains(&case.activations)
            && case.weights.is_none_or(|weights| self.weights.contains(&weights))
            && case.bias.is_none_or(|bias| self.bias.contains(&bias))
            && !self.refused.iter().any(|refusal| refusal.covers(case))
    }

    /// Whether the chip computes a combination in 16-bit floating point, if it takes it.
    pub fn is_in_fp16(&self, case: &Case) -> bool {
        let case = &*self.written(case);
        self.in_fp16.iter().any(|stated| stated.covers(case))
    }

    /// Whether a combination has weights that are written as pairs.
    pub fn has_pairs(&self, case: &Case) -> bool {
        let is_wide = case.activations == Activations::Same(IntegerType::Uint16);
        is_wide && case.weights.is_some_and(|weights| self.in_pairs.contains(&weights))
    }

    /// A combination as the chip gets it: each of a pair has 8 bits.
    fn written<'a>(&self, case: &'a Case) -> Cow<'a, Case> {
        let half = |weights| Weights { integer: IntegerType::Int8, ..weights };
        match self.has_pairs(case) {
            true => Cow::Owned(Case { weights: case.weights.map(half), ..case.clone() }),
            false => Cow::Borrowed(case),
        }
    }

    /// Encodings of weights that are taken, as they stand or in pairs, the preferred ones first.
    pub fn all_weights(&self) -> impl Iterator<Item = Weights> {
        self.weights.iter().chain(&self.in_pairs).copied()
    }

    /// The preferred encoding of weights with this integer type, if any is taken.
    pub(crate) fn weights_of(&self, integer: IntegerType) -> Option<Weights> {
        let mut listed = self.all_weights().filter(|weights| weights.integer == integer);
        // A recipe that states only bits does not choose blocks.
        listed.find(|weights| !matches!(weights.granularity, Granularity::Block(_)))
    }

    /// Every combination that is taken, in the order of the file.
    pub fn taken(&self) -> Vec<Case> {
        let weights: Vec<Weights> = self.all_weights().collect();
        let all = self.combinations(&self.activations, &weights, &self.bias);
        all.into_iter().filter(|case| self.takes(case)).collect()
    }

    /// Every combination of the listed types that a refusal covers.
    pub fn refused_by(&self, refusal: &Refusal) -> Vec<Case> {
        let activations = refusal.activations.as_ref().map_or(self.activations.as_slice(), std::slice::from_ref);
        let weights = refusal.weights.as_ref().map_or(self.weights.as_slice(), std::slice::from_ref);
        let bias = refusal.bias.as_ref().map_or(self.bias.as_slice(), std::slice::from_ref);
        let all = self.combinations(activations, weights, bias);
        all.into_iter().filter(|case| refusal.covers(case)).collect()
    }

    pub(super) fn combinations(
        &self,
        activations: &[Activations],
        weights: &[Weights],
        bias: &[IntegerType],
    ) -> Vec<Case> {
        let Some(form) = form(&self.name) else { return vec![] };
        let mut cases = Vec::new();
        for activations in activations {
            if form.activations > 0 && activations.inputs(form.activations).is_some() {
                cases.push(Case { activations: activations.clone(), weights: None, bias: None });
            }
            for &weights in weights.iter().filter(|_| activations.inputs(1).is_some()) {
                let mut add =
                    |bias| cases.push(Case { activations: activations.clone(), weights: Some(weights), bias });
                if form.bias != Bias::Always {
                    add(None);
                }
                bias.iter().for_each(|&bias| add(Some(bias)));
            }
        }
        cases
    }
}
