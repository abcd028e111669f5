//! What came out of a text: a record per window and engine, and the figures over all of them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::plan::TextPlan;
use super::source::Text;
use autoneural_bundle::round;
use autoneural_core::recipe::Windows;
use autoneural_engines::engine::EngineKind;

/// One window on one engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TextRecord {
    /// Natural logarithm of the probability of all judged tokens together.
    pub log_probability: f64,
    /// The likeliest token at each judged place, given what stands before it in the window.
    pub chosen: Vec<u32>,
}

/// One engine's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextEngine {
    /// The engine.
    pub engine: EngineKind,
    /// `exp` of the mean negative log-probability of the judged tokens, each given what stands before it in its window.
    pub perplexity: f64,
    /// Places at which the likeliest token is that of float; `None` where float is not known.
    pub token_agreement_percent: Option<f64>,
    /// How far perplexity is above that of float, in percent; `None` where float is not known.
    pub above_float_percent: Option<f64>,
}

/// What is known of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextReport {
    /// Name of the file.
    pub text: String,
    /// SHA-256 of its contents.
    pub sha256: String,
    /// Tokens of the whole file.
    pub tokens: usize,
    /// Tokens of a window.
    pub window: usize,
    /// The windows that were measured.
    pub windows: Windows,
    /// Tokens that were judged: all of the windows but the first of each.
    pub judged: usize,
    /// One entry per engine.
    pub engines: Vec<TextEngine>,
}

impl TextReport {
    /// Figures of what each engine made of the windows.
    pub(crate) fn new(
        plan: &TextPlan,
        text: &Text,
        windows: Range<usize>,
        engines: &[(EngineKind, Vec<TextRecord>)],
    ) -> Self {
        let judged = windows.len() * (plan.window - 1);
        let float = engines.iter().find(|(kind, _)| *kind == EngineKind::Float).map(|(_, records)| records);
        let perplexity = |records: &[TextRecord]| {
            (-records.iter().map(|record| record.log_probability).sum::<f64>() / judged as f64).exp()
        };
        let report = |(kind, records): &(EngineKind, Vec<TextRecord>)| {
            let float = float.filter(|_| *kind != EngineKind::Float);
            let agreed = |float: &Vec<TextRecord>| {
                let pairs = records.iter().zip(float).flat_map(|(own, float)| own.chosen.iter().zip(&float.chosen));
                round(100.0 * pairs.filter(|(own, float)| own == float).count() as f64 / judged as f64)
            };
            TextEngine {
                engine: *kind,
                perplexity: perplexity(records),
                token_agreement_percent: float.map(agreed),
                above_float_percent: float.map(|float| round(100.0 * (perplexity(records) / perplexity(float) - 1.0))),
            }
        };
        TextReport {
            text: text.name.clone(),
            sha256: text.sha256.clone(),
            tokens: text.tokens.len(),
            window: plan.window,
            windows: Windows { start: windows.start, end: windows.end },
            judged,
            engines: engines.iter().map(report).collect(),
        }
    }

    /// Whether another evaluation read the same.
    pub fn reads_the_same(&self, other: &Self) -> bool {
        let all = |report: &Self| (report.text.clone(), report.sha256.clone(), report.window, report.windows);
        all(self) == all(other)
    }
}

/// The figures as a table for a terminal.
pub fn text_table(report: &TextReport) -> String {
    let mut rows = vec![["engine", "perplexity", "above float", "tokens as float"].map(String::from)];
    for engine in &report.engines {
        let percent = |figure: Option<f64>| figure.map_or("-".into(), |figure| format!("{figure:.1} %"));
        rows.push([
            engine.engine.name().to_string(),
            format!("{:.3}", engine.perplexity),
            percent(engine.above_float_percent),
            percent(engine.token_agreement_percent),
        ]);
    }
    format!(
        "windows {} of {} tokens of {}: {} tokens judged\n\n{}",
        report.windows,
        report.window,
        autoneural_base::shown::in_line(&report.text),
        report.judged,
        autoneural_base::text::columns(&rows)
    )
}
