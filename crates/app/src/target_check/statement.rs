//! The statements of a target file.

use autoneural_base::error::Result;
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
    for operator in operators {
        made.extend(operator.taken().into_iter().map(|case| Statement::Takes(operator, case)));
        made.extend(operator.refused.iter().map(|refusal| Statement::Refuses(operator, refusal)));
        made.extend(operator.multiplier_bits.map(|bits| Statement::MultiplierBits(operator, bits)));
        made.extend(operator.sum_step.map(|step| Statement::SumStep(operator, step)));
        made.extend(operator.second_bits.map(|bits| Statement::SecondBits(operator, bits)));
        made.extend(operator.output_range.map(|range| Statement::OutputRange(operator, range)));
        made.extend(operator.last_axis_only.then_some(Statement::LastAxisOnly(operator)));
    }
    Ok(made)
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
            Statement::Memory(key, size) => ("[memory]".into(), format!("{key} = {size}")),
        }
    }
}
