//! Evaluation: questions with known answers go through a model's engines; accuracy, perplexity, agreement and SQNR come
//! out.
//!
//! Engines take turns, so that a large model is in memory once. What float computed and what each engine answered is
//! kept beside the bundle's files, one line per question, so that a run that was stopped goes on where it was.

mod arrays;
mod joined;
mod journal;
mod likelihood;
mod plan;
mod record;
mod score;
mod set;
mod slices;
mod text;

pub use arrays::{Agreement, ArraysEngine, ArraysPlan, ArraysReport, Classes, Differs, arrays_table, evaluate_arrays};
pub use plan::Plan;
pub use record::{EngineReport, EvaluationReport, Record, table};
pub use set::{Question, Set};
pub use slices::Slices;
pub(crate) use text::{Answers, Reader, evaluate_text, reading};
pub use text::{TextEngine, TextPlan, TextReport, text_table};

use crate::runner::Model;
use autoneural_base::error::Result;
use autoneural_base::progress::Progress;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::EngineKind;
use autoneural_engines::engine::Tensor;
use joined::journal;
use journal::Journal;
use score::score;

/// Asks every engine every question. Figures against float are there where float is among the engines.
///
/// # Errors
/// A question that cannot be asked: all are looked at before the first is.
pub fn evaluate(
    model: &Model,
    set: &Set,
    plan: &Plan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<EvaluationReport> {
    let all = set.first(plan.limit);
    let range = plan.slices.range(all.len(), "questions")?;
    let (questions, first) = (&all[range.clone()], range.start);
    let mut asked = Vec::with_capacity(questions.len());
    for question in questions {
        asked.push(score::prepare(model, question).map_err(|error| error.within(&question.place))?);
    }
    let journal: Journal<Record> = journal(&plan.slices, model.bundle(), &set.key(plan.blank), &plan.kinds)?;
    let mut engines = Vec::new();
    for &kind in &plan.kinds {
        let mut generator = model.generator(kind, runtime)?;
        let known = journal.records(kind)?;
        progress.start(&format!("evaluate {}", kind.name()), questions.len() as u64);
        let mut records: Vec<Record> = Vec::with_capacity(questions.len());
        for (number, (question, asked)) in (first..).zip(questions.iter().zip(&asked)) {
            progress.begin(&question.question);
            let has_reference = journal.has_reference(number);
            // An answer from before float was known lacks the figures against it.
            let whole = |record: &&Record| match kind {
                EngineKind::Float => has_reference && journal.reference(number).is_ok_and(|kept| kept.is_some()),
                _ => !has_reference || record.logits.count() > 0,
            };
            let record = match known.get(&number).filter(whole) {
                Some(record) => record.clone(),
                None => {
                    let images = pictures(question, model, plan.blank)?;
                    let reference = if kind == EngineKind::Float { None } else { journal.reference(number)? };
                    let (record, outputs) = score(model, &mut generator, asked, &images, question, reference.as_ref())
                        .map_err(|error| error.within(&question.place))?;
                    if kind == EngineKind::Float {
                        journal.keep_reference(number, &outputs)?;
                    }
                    journal.add(kind, number, &record)?;
                    record
                }
            };
            records.push(record);
            progress.tick(&question.question);
        }
        progress.finish();
        engines.push((kind, records));
    }
    Ok(EvaluationReport::new(set, questions, plan, &engines))
}

fn pictures(question: &Question, model: &Model, blank: bool) -> Result<Vec<Tensor>> {
    question.images.iter().map(|path| model.picture(path, blank)).collect()
}
