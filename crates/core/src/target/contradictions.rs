//! Statements about an operator that cannot all be true.

use super::form::{Bias, Form, form, known};
use super::operator::{Case, Operator};
use super::types::{Activations, Granularity, Weights};
use crate::encoding::IntegerType;

/// Most entries of a list. An operator has about a dozen combinations, and the lists are multiplied with each other.
const MOST_LISTED: usize = 64;

/// Refuses numbers of axes that say nothing.
pub(super) fn possible_axes(most: Option<usize>) -> Result<(), String> {
    match most.filter(|most| !(2..=16).contains(most)) {
        Some(most) => Err(format!("most_axes = {most}; 2 to 16 make sense")),
        None => Ok(()),
    }
}

impl Operator {
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
        self.refuse_pairs()?;
        self.refuse_unused()
    }

    /// Refuses pairs of which the chip does not take the halves, and those that need not be written as pairs.
    fn refuse_pairs(&self) -> Result<(), String> {
        for weights in &self.in_pairs {
            let is_whole = matches!(weights.granularity, Granularity::Channel | Granularity::Tensor);
            if weights.integer != IntegerType::Int16 || !is_whole {
                return Err(format!("in_pairs: `{weights}`: int16 per channel and int16 per tensor can be pairs"));
            }
            if self.weights.contains(weights) {
                return Err(format!("in_pairs: `{weights}` is taken as it stands"));
            }
            let activations = Activations::Same(IntegerType::Uint16);
            if !self.takes(&Case { activations, weights: Some(*weights), bias: None }) {
                let half = Weights { integer: IntegerType::Int8, ..*weights };
                return Err(format!("in_pairs: `{weights}` needs `{half}` with uint16"));
            }
        }
        Ok(())
    }

    /// Refuses statements about inputs or axes that the operator does not have.
    fn refuse_without_place(&self, form: Form) -> Result<(), String> {
        let stated_weights = self
            .weights
            .iter()
            .chain(&self.in_pairs)
            .chain(self.refused.iter().filter_map(|refusal| refusal.weights.as_ref()));
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
            ("in_pairs", self.in_pairs.len()),
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
        possible_axes(self.most_axes)?;
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
        if let Some(weights) = repeated(&self.in_pairs) {
            return Err(format!("in_pairs: `{weights}` stands twice"));
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
