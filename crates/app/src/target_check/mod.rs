//! Whether a target file is right: every statement in it becomes a one-operator graph, is compiled for the target with
//! CPU fallback disabled, and runs on the NPU (or its emulator) against ONNX Runtime's CPU execution of the same
//! quantized model.
//!
//! In come a target and the loaded engine; out goes a [`Report`] with one finding per statement.

mod experiment;
mod judge;
mod sample;
mod table;

pub use table::table;

use serde::Serialize;

use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::progress::Progress;
use autoneural_core::target::{Case, Operator, Refusal, Target};
use autoneural_engines::back::qnn::Runtime;
use judge::Judge;

/// What the engine says to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is as stated.
    Confirmed,
    /// It is otherwise.
    Wrong,
    /// No experiment here decides it.
    Untested,
}

impl Status {
    /// Name, as in the table.
    pub fn name(self) -> &'static str {
        match self {
            Status::Confirmed => "confirmed",
            Status::Wrong => "wrong",
            Status::Untested => "untested",
        }
    }
}

/// One statement of a target file and what the engine says to it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The operator, or the section of the file.
    pub operator: String,
    /// The statement in words.
    pub statement: String,
    /// What the engine says.
    pub status: Status,
    /// NPU against CPU in dB, the lowest of the samples that it is about; none if nothing ran.
    pub sqnr_db: Option<f64>,
    /// Why it is wrong or untested, or how it was confirmed where no figure says so.
    pub note: Option<String>,
    /// Each sample on its own.
    pub samples: Vec<SampleFinding>,
}

/// What one sample gave.
#[derive(Debug, Clone, Serialize)]
pub struct SampleFinding {
    /// What sets it apart from other samples of the operator.
    pub name: String,
    /// NPU against CPU, in dB; none if it did not run.
    pub sqnr_db: Option<f64>,
    /// Why the engine refuses it, if it does.
    pub refused: Option<String>,
}

/// What was found about a target.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the target.
    pub target: String,
    /// One line about the chip.
    pub description: String,
    /// NPU and CPU must agree to this many dB.
    pub floor_db: f64,
    /// One per statement, in the order of the file.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Number of findings of a status.
    pub fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// # Errors
    /// A statement is wrong; the first ones are named.
    pub fn demand_right(&self) -> Result<()> {
        const MOST_NAMED: usize = 3;
        let wrong: Vec<&Finding> = self.findings.iter().filter(|finding| finding.status == Status::Wrong).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = wrong
            .iter()
            .take(MOST_NAMED)
            .map(|finding| {
                let note = finding.note.as_deref().unwrap_or_default();
                format!("{}: {} ({note})", finding.operator, finding.statement)
            })
            .collect();
        let more = if wrong.len() > MOST_NAMED { ", …" } else { "" };
        let message = format!("{} statements are wrong: {}{more}", wrong.len(), named.join("; "));
        Err(Error::verification(&self.target, message)
            .help("correct the target file, or check it with another toolkit"))
    }
}

/// One statement.
enum Statement<'a> {
    Takes(&'a Operator, Case),
    Refuses(&'a Operator, &'a Refusal),
    MultiplierBits(&'a Operator, u32),
    SumStep(&'a Operator, u32),
    OutputRange(&'a Operator, [f32; 2]),
    LastAxisOnly(&'a Operator),
    Memory(&'static str, u32),
}

/// Checks every statement of a target, or those about one operator.
///
/// # Errors
/// The target states nothing about the operator, the engine is missing, the operating system refuses.
pub fn check(
    target: &Target,
    runtime: &Runtime,
    operator: Option<&str>,
    floor_db: f64,
    progress: &dyn Progress,
) -> Result<Report> {
    let statements = statements(target, operator)?;
    let folder = tempfile::tempdir().at(&std::env::temp_dir())?;
    let judge = Judge { target, runtime, folder: folder.path(), floor_db };
    progress.start("target check", statements.len() as u64);
    let mut findings = Vec::new();
    for statement in &statements {
        let (operator, text) = statement.words();
        let what = format!("{operator}: {text}");
        progress.begin(&what);
        let verdict = judge.judge(statement)?;
        findings.push(Finding {
            operator,
            statement: text,
            status: verdict.status,
            sqnr_db: verdict.sqnr_db,
            note: verdict.note,
            samples: verdict.samples,
        });
        progress.tick(&what);
    }
    progress.finish();
    let (target, description) = (target.name.clone(), target.description.clone());
    Ok(Report { target, description, floor_db, findings })
}

fn statements<'a>(target: &'a Target, only: Option<&str>) -> Result<Vec<Statement<'a>>> {
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
        made.extend(operator.output_range.map(|range| Statement::OutputRange(operator, range)));
        made.extend(operator.last_axis_only.then_some(Statement::LastAxisOnly(operator)));
    }
    Ok(made)
}

impl Statement<'_> {
    /// The operator or section, and what is stated about it.
    fn words(&self) -> (String, String) {
        match self {
            Statement::Takes(operator, case) => (operator.name.clone(), format!("takes {case}")),
            Statement::Refuses(operator, refusal) => (operator.name.clone(), format!("refuses {refusal}")),
            Statement::MultiplierBits(operator, bits) => (operator.name.clone(), format!("multiplier_bits = {bits}")),
            Statement::SumStep(operator, step) => (operator.name.clone(), format!("sum_step = {step}")),
            Statement::OutputRange(operator, [low, high]) => {
                (operator.name.clone(), format!("output_range = [{low}, {high}]"))
            }
            Statement::LastAxisOnly(operator) => (operator.name.clone(), "last_axis_only".into()),
            Statement::Memory(key, size) => ("[memory]".into(), format!("{key} = {size}")),
        }
    }
}
