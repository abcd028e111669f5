//! The table of texts: how likely each engine finds them.

use super::change::Change;
use super::sections::engine_name;
use super::subject::Subject;
use super::table::{Cell, Table};
use crate::gate::text_name;
use autoneural_core::engine::EngineKind;

/// A line per engine of every text.
pub(crate) fn texts(subject: &Subject) -> Table {
    let mut titles = vec!["text", "windows", "engine", "perplexity", "above float", "tokens as float"];
    titles.extend(subject.references().iter().map(|reference| reference.against));
    let mut table = Table::new(&titles);
    for text in &subject.report.texts {
        for engine in &text.engines {
            let against = |figure: Option<f64>| match engine.engine {
                EngineKind::Float => Cell::Nothing,
                _ => Cell::figure(figure, 1, " %"),
            };
            let mut row = vec![
                Cell::Text(text.text.clone()),
                Cell::Text(format!("{} of {} tokens", text.windows, text.window)),
                Cell::text(engine_name(engine.engine)),
                Cell::Number(format!("{:.3}", engine.perplexity)),
                against(engine.above_float_percent),
                against(engine.token_agreement_percent),
            ];
            for reference in subject.references() {
                let known = reference.facts.evaluations.get(&text_name(text, engine.engine));
                row.push(known.map_or(Cell::text("not read there"), |theirs| {
                    let rise = theirs.perplexity * subject.tolerances.perplexity_percent / 100.0;
                    Cell::Change(Change::of_less(engine.perplexity, theirs.perplexity, rise, 3, ""))
                }));
            }
            table.row(row);
        }
    }
    table
}
