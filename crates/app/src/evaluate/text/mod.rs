//! How likely a text is to a language model: perplexity over windows of a file, on every engine.
//!
//! The file is one row of tokens, and a window is a stretch of it that begins a sequence of its own. Prefill takes it
//! in chunk by chunk, with the engine's own state from chunk to chunk, in a graph that gives the logits of all tokens.

mod every_token;
mod plan;
mod reader;
mod record;
mod source;
mod window;

pub use plan::TextPlan;
pub(crate) use reader::Reader;
pub use record::{TextEngine, TextReport, text_table};

use std::path::Path;

use super::joined::journal as joined;
use super::journal::Journal;
use autoneural_base::error::{Error, Result};
use autoneural_base::files::Folder;
use autoneural_base::progress::Progress;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_engines::engine::{Engine, EngineKind};
use autoneural_front::PREFILL;
use autoneural_host::Codec;
use record::TextRecord;
use source::Text;

/// Loads the graph of a [`Reader`] on an engine.
pub(crate) type LoadReader<'a> = dyn FnMut(EngineKind, &Partition) -> Result<Box<dyn Engine>> + 'a;

/// Where what engines made of windows is kept.
#[derive(Clone, Copy)]
pub(crate) enum Answers<'a> {
    /// With the bundle, in slices where the plan says so.
    WithBundle(&'a Bundle),
    /// In a folder of their own.
    In(&'a Path),
}

impl Answers<'_> {
    fn journal(&self, plan: &TextPlan, text: &Text) -> Result<Journal<TextRecord>> {
        match self {
            Answers::WithBundle(bundle) => joined(&plan.slices, bundle, &text.key(), &plan.kinds),
            Answers::In(folder) => Journal::open(Folder::open(folder)?.folder(text.key())?),
        }
    }
}

/// The graph of a language model that takes in chunks, made to give the logits of every token.
///
/// # Errors
/// The model has no such graph, or one in which the choice of the last token cannot be left out.
pub(crate) fn reading(partitions: &[Partition]) -> Result<(usize, Partition)> {
    let at = partitions.iter().position(|partition| partition.name == PREFILL);
    let at = at.ok_or_else(|| Error::input(PREFILL, "this partition is missing"))?;
    Ok((at, every_token::every_token(&partitions[at])?))
}

/// Measures a text. What engines made of windows is kept, so that a run that was stopped goes on where it was.
///
/// # Errors
/// A file that cannot be read, one with fewer windows than are asked for, windows that do not fit into the context, an
/// engine that cannot be loaded or fails.
pub(crate) fn evaluate_text(
    reader: &Reader,
    answers: Answers,
    plan: &TextPlan,
    load: &mut LoadReader,
    progress: &dyn Progress,
) -> Result<TextReport> {
    plan.refuse_unfit(&reader.partition, &reader.definition.language)?;
    let text = Text::read(plan, reader.tokenizer)?;
    let windows = plan.chosen(text.windows())?;
    let journal = answers.journal(plan, &text)?;
    let mut engines = Vec::new();
    for &kind in &plan.kinds {
        let (known, mut engine) = (journal.records(kind)?, None);
        let codec = match (kind, reader.table) {
            (EngineKind::Float, _) => Codec::Float,
            (_, Some(table)) => Codec::Codes(table),
            (_, None) => return Err(Error::internal("text", format!("no encodings for `{}`", kind.name()))),
        };
        progress.start(&format!("evaluate {}", kind.name()), windows.len() as u64);
        let mut records = Vec::with_capacity(windows.len());
        for number in windows.clone() {
            let name = format!("window {number}");
            progress.begin(&name);
            let record = match known.get(&number) {
                Some(record) => record.clone(),
                None => {
                    let loaded = match &mut engine {
                        Some(engine) => engine,
                        none => none.insert(load(kind, &reader.partition)?),
                    };
                    let record = window::judge(reader, &mut **loaded, codec, text.window(number))?;
                    journal.add(kind, number, &record)?;
                    record
                }
            };
            records.push(record);
            progress.tick(&name);
        }
        progress.finish();
        engines.push((kind, records));
    }
    Ok(TextReport::new(plan, &text, windows, &engines))
}
