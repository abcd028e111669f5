//! What a target states about one operator: which combinations of integers it takes, and what else encodings must
//! follow.

use std::fmt;

use serde::Deserialize;

use super::types::{Activations, Granularity, Weights};
use crate::encoding::IntegerType;
use crate::ir::ops::{Input, InputKind, OPERATORS, Signature};

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
    fn covers(&self, case: &Case) -> bool {
        self.activations.as_ref().is_none_or(|activations| *activations == case.activations)
            && (self.weights.is_none() || self.weights == case.weights)
            && (self.bias.is_none() || self.bias == case.bias)
    }
}

/// Which activations and constants an operator can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// How many activations it reads if no input is constant; 0 if its second input always is constant.
    activations: usize,
    /// The second input may be constant.
    weights: bool,
    /// The scales of that input may differ along channels.
    channels: bool,
    /// Whether there is a third input, which is constant.
    bias: Bias,
    /// It has an axis along which it computes.
    axis: bool,
}

/// Whether an operator has a third input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bias {
    Never,
    Sometimes,
    Always,
}

impl Form {
    fn of(signature: &Signature) -> Self {
        let inputs = || signature.inputs.iter();
        let has = |kind: InputKind| inputs().any(|input| input.kind == kind);
        let is_read = |input: &&Input| !input.is_constant && input.kind != InputKind::Indices;
        let always = inputs().any(|input| input.is_constant && input.kind != InputKind::Bias);
        Form {
            activations: if always { 0 } else { inputs().filter(is_read).count() },
            weights: has(InputKind::Weight) || has(InputKind::Gain) || has(InputKind::Operand),
            channels: has(InputKind::Weight),
            bias: match (has(InputKind::Bias), signature.optional) {
                (false, _) => Bias::Never,
                (true, 0) => Bias::Always,
                (true, _) => Bias::Sometimes,
            },
            axis: signature.has_axis,
        }
    }
}

/// Most entries of a list. An operator has about a dozen combinations, and the lists are multiplied with each other.
const MOST_LISTED: usize = 64;

/// The operators that may stand in a frozen graph.
fn known() -> impl Iterator<Item = &'static Signature> {
    OPERATORS.iter().map(|kind| &kind.signature).filter(|signature| !signature.is_composite)
}

fn form(name: &str) -> Option<Form> {
    known().find(|signature| signature.name == name).map(Form::of)
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
            refused: vec![],
            in_fp16: vec![],
            multiplier_bits: None,
            sum_step: None,
            second_bits: None,
            last_axis_only: form.axis,
            output_range: None,
        }
    }

    /// Whether the chip takes a combination.
    pub fn takes(&self, case: &Case) -> bool {
        self.activations.contains(&case.activations)
            && case.weights.is_none_or(|weights| self.weights.contains(&weights))
            && case.bias.is_none_or(|bias| self.bias.contains(&bias))
            && !self.refused.iter().any(|refusal| refusal.covers(case))
    }

    /// Whether the chip computes a combination in 16-bit floating point, if it takes it.
    pub fn is_in_fp16(&self, case: &Case) -> bool {
        self.in_fp16.iter().any(|stated| stated.covers(case))
    }

    /// The preferred encoding of weights with this integer type, if any is taken.
    pub(crate) fn weights_of(&self, integer: IntegerType) -> Option<Weights> {
        let mut listed = self.weights.iter().filter(|weights| weights.integer == integer);
        // A recipe that states only bits does not choose blocks.
        listed.find(|weights| !matches!(weights.granularity, Granularity::Block(_))).copied()
    }

    /// Every combination that is taken, in the order of the file.
    pub fn taken(&self) -> Vec<Case> {
        let all = self.combinations(&self.activations, &self.weights, &self.bias);
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

    fn combinations(&self, activations: &[Activations], weights: &[Weights], bias: &[IntegerType]) -> Vec<Case> {
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

    /// Refuses statements that contradict each other, in words.
    pub(super) fn contradiction(&self) -> Result<(), String> {
        let Some(form) = form(&self.name) else {
            let mut known: Vec<&str> = known().map(|signature| signature.name).collect();
            known.sort_unstable();
            return Err(format!("is no operator of this program; it has {}", known.join(", ")));
        };
        self.refuse_too_many()?;
        self.refuse_without_place(form)?;
        self.refuse_impossible_numbers()?;
        self.refuse_twice()?;
        self.refuse_unused()
    }

    /// Refuses statements about inputs or axes that the operator does not have.
    fn refuse_without_place(&self, form: Form) -> Result<(), String> {
        let stated_weights =
            self.weights.iter().chain(self.refused.iter().filter_map(|refusal| refusal.weights.as_ref()));
        for weights in stated_weights {
            if !form.weights {
                return Err(format!("weights `{weights}`: the operator has no constant input"));
            }
            if !form.channels && weights.granularity != Granularity::Tensor {
                return Err(format!("weights `{weights}`: this constant has no channels; `per tensor` is wanted"));
            }
        }
        let states_bias = !self.bias.is_empty() || self.refused.iter().any(|refusal| refusal.bias.is_some());
        if states_bias && form.bias == Bias::Never {
            return Err("bias: the operator has no third input".into());
        }
        if form.bias == Bias::Always && self.bias.is_empty() {
            return Err("bias: missing; the operator always has one".into());
        }
        if form.activations == 0 && self.weights.is_empty() {
            return Err("weights: missing; the second input of the operator is always constant".into());
        }
        if self.multiplier_bits.is_some() && !form.channels {
            return Err("multiplier_bits: the operator has no sums to multiply".into());
        }
        if self.sum_step.is_some() && !form.channels {
            return Err("sum_step: the operator has no sums".into());
        }
        if self.second_bits.is_some() && form.activations != 2 {
            return Err("second_bits: the operator has not two operands".into());
        }
        if self.last_axis_only && !form.axis {
            return Err("last_axis_only: the operator has no axis".into());
        }
        Ok(())
    }

    fn refuse_too_many(&self) -> Result<(), String> {
        let lists = [
            ("activations", self.activations.len()),
            ("weights", self.weights.len()),
            ("bias", self.bias.len()),
            ("refused", self.refused.len()),
            ("in_fp16", self.in_fp16.len()),
        ];
        match lists.into_iter().find(|(_, count)| *count > MOST_LISTED) {
            Some((list, count)) => Err(format!("{list}: has {count} entries; at most {MOST_LISTED} make sense")),
            None => Ok(()),
        }
    }

    fn refuse_impossible_numbers(&self) -> Result<(), String> {
        if let Some(bits) = self.multiplier_bits
            && !(4..=23).contains(&bits)
        {
            return Err(format!("multiplier_bits = {bits}; 4 to 23 make sense"));
        }
        if let Some(bits) = self.second_bits.filter(|bits| *bits != 8) {
            return Err(format!("second_bits = {bits}; 8 is what can be stated"));
        }
        if let Some(step) = self.sum_step
            && !(step.is_power_of_two() && step <= 1 << 15)
        {
            return Err(format!("sum_step = {step}; a power of two up to 32768 is wanted"));
        }
        if let Some([low, high]) = self.output_range
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            return Err(format!("output_range from {low} to {high} is impossible"));
        }
        Ok(())
    }

    fn refuse_twice(&self) -> Result<(), String> {
        fn repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
            list.iter().enumerate().find(|(at, item)| list[..*at].contains(item)).map(|(_, item)| item)
        }
        if let Some(activations) = repeated(&self.activations) {
            return Err(format!("activations: `{activations}` stands twice"));
        }
        if let Some(weights) = repeated(&self.weights) {
            return Err(format!("weights: `{weights}` stands twice"));
        }
        if let Some(bias) = repeated(&self.bias) {
            return Err(format!("bias: `{}` stands twice", bias.name()));
        }
        if let Some(refusal) = repeated(&self.refused) {
            return Err(format!("refused: `{refusal}` stands twice"));
        }
        match repeated(&self.in_fp16) {
            Some(stated) => Err(format!("in_fp16: `{stated}` stands twice")),
            None => Ok(()),
        }
    }

    /// Refuses types that are listed and yet refused in every combination, and refusals that cover nothing.
    fn refuse_unused(&self) -> Result<(), String> {
        let taken = self.taken();
        let contradiction = |list: &str, item: String| {
            Err(format!("{list}: `{item}` is listed as taken, but `refused` leaves no combination with it"))
        };
        if self.activations.is_empty() {
            return Err("activations: none is listed".into());
        }
        for item in &self.activations {
            if self.combinations(std::slice::from_ref(item), &self.weights, &self.bias).is_empty() {
                return Err(format!("activations: `{item}` has another number of inputs than the operator"));
            }
            if !taken.iter().any(|case| case.activations == *item) {
                return contradiction("activations", item.to_string());
            }
        }
        if let Some(unused) = self.weights.iter().find(|item| !taken.iter().any(|case| case.weights == Some(**item))) {
            return contradiction("weights", unused.to_string());
        }
        if let Some(unused) = self.bias.iter().find(|item| !taken.iter().any(|case| case.bias == Some(**item))) {
            return contradiction("bias", unused.name().to_string());
        }
        if let Some(idle) = self.in_fp16.iter().find(|stated| !taken.iter().any(|case| stated.covers(case))) {
            return Err(format!("in_fp16: `{idle}` is no combination that is taken"));
        }
        match self.refused.iter().find(|refusal| self.refused_by(refusal).is_empty()) {
            Some(refusal) => Err(format!("refused: `{refusal}` is no combination of the operator")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Target;

    #[test]
    fn a_list_is_as_long_as_makes_sense() {
        let stated = |count: usize| {
            let weights: Vec<String> = (0..count).map(|at| format!("\"int4 in blocks of {}\"", at + 2)).collect();
            let text = format!(
                "schema = 2\nname = \"t\"\ndescription = \"t\"\nsoc = {{ soc_model = 1, htp_arch = 1, vtcm_mb = 1 }}\n\
                 [[operator]]\nname = \"MatMul\"\nactivations = [\"uint16\"]\nweights = [{}]\n",
                weights.join(", ")
            );
            Target::parse(&text, Path::new("t.toml"))
        };
        assert!(stated(64).is_ok());
        let error = stated(60_000).unwrap_err().to_string();
        assert!(error.contains("MatMul: weights: has 60000 entries; at most 64"), "{error}");
    }
}
