//! The statements of a target file.

use autoneural_base::error::Result;
use autoneural_core::ir::ops::{Constants, OpKind, Work};
use autoneural_core::target::{Case, Operator, Refusal, Target};

/// One statement.
pub(crate) enum Statement<'a> {
    Takes(&'a Operator, Case),
    Refuses(&'a Operator, &'a Refusal),
    MultiplierBits(&'a Operator, u32),
    SumStep(&'a Operator, u32),
    SecondBits(&'a Operator, u32),
    OutputRange(&'a Operator, [f32; 2]),
    LastAxisOnly(&'a Operator),
    /// Of what is stated, an operator that shows it, and the number.
    MostAxes(&'a str, &'a Operator, usize),
    Memory(&'static str, u32),
}

/// Every statement of a target, or those about one operator.
///
/// # Errors
/// The target states nothing about the operator.
pub(crate) fn statements<'a>(target: &'a Target, only: Option<&str>) -> Result<Vec<Statement<'a>>> {
    if let Some(name) = only {
        target.refuse_unstated(name)?;
    }
    let wanted = |operator: &&Operator| only.is_none_or(|name| operator.name == name);
    let operators: Vec<&Operator> = target.operators().iter().filter(wanted).collect();
    let mut made = Vec::new();
    if only.is_none() {
        let memory = [("process_mib", target.memory.process_mib), ("context_mib", target.memory.context_mib)];
        made.extend(memory.into_iter().filter_map(|(key, size)| Some(Statement::Memory(key, size?))));
    }
    let shows_axes = |operator: &&Operator| operator.most_axes.is_none() && is_elementwise(&operator.name);
    let shown = target.usual_most_axes.zip(target.operators().iter().find(shows_axes)).filter(|_| only.is_none());
    made.extend(shown.map(|(most, operator)| Statement::MostAxes("all others", operator, most)));
    for operator in operators {
        made.extend(operator.taken().into_iter().map(|case| Statement::Takes(operator, case)));
        made.extend(operator.refused.iter().map(|refusal| Statement::Refuses(operator, refusal)));
        made.extend(operator.multiplier_bits.map(|bits| Statement::MultiplierBits(operator, bits)));
        made.extend(operator.sum_step.map(|step| Statement::SumStep(operator, step)));
        made.extend(operator.second_bits.map(|bits| Statement::SecondBits(operator, bits)));
        made.extend(operator.output_range.map(|range| Statement::OutputRange(operator, range)));
        made.extend(operator.last_axis_only.then_some(Statement::LastAxisOnly(operator)));
        made.extend(operator.most_axes.map(|most| Statement::MostAxes(&operator.name, operator, most)));
    }
    Ok(made)
}

fn is_elementwise(operator: &str) -> bool {
    let constants = Constants { weights: true, bias: true };
    let samples = OpKind::of_name(operator).map(|kind| (kind.samples)(constants)).unwrap_or_default();
    samples.first().is_some_and(|sample| sample.operator.work() == Work::Elementwise)
}

impl Statement<'_> {
    /// The operator or section, and what is stated about it.
    pub(crate) fn words(&self) -> (String, String) {
        match self {
            Statement::Takes(operator, case) => (operator.name.clone(), format!("takes {case}")),
            Statement::Refuses(operator, refusal) => (operator.name.clone(), format!("refuses {refusal}")),
            Statement::MultiplierBits(operator, bits) => (operator.name.clone(), format!("multiplier_bits = {bits}")),
            Statement::SumStep(operator, step) => (operator.name.clone(), format!("sum_step = {step}")),
            Statement::SecondBits(operator, bits) => (operator.name.clone(), format!("second_bits = {bits}")),
            Statement::OutputRange(operator, [low, high]) => {
                (operator.name.clone(), format!("output_range = [{low}, {high}]"))
            }
            Statement::LastAxisOnly(operator) => (operator.name.clone(), "last_axis_only".into()),
            Statement::MostAxes(name, _, most) => (name.to_string(), format!("most_axes = {most}")),
            Statement::Memory(key, size) => ("[memory]".into(), format!("{key} = {size}")),
        }
    }
}
