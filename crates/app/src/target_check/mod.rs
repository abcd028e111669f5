//! Whether a target file is right: every statement in it becomes a one-operator graph, is compiled for the target with
//! CPU fallback disabled, and runs on the NPU (or its emulator) against ONNX Runtime's CPU execution of the same
//! quantized model.
//!
//! In come a target and the loaded engine; out goes a [`Report`] with one finding per statement.

mod experiment;
mod judge;
mod report;
mod sample;
mod statement;
mod sum_step;
mod table;

pub use report::{Finding, Report, SampleFinding, Status};
pub use table::table;

use autoneural_base::error::{IoContext, Result};
use autoneural_base::progress::Progress;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::Runtime;
use judge::Judge;
use statement::statements;

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
