//! What came out: one record per question and engine, and the figures over many of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::set::{Question, Set};
use crate::verify::Sqnr;
use autoneural_bundle::round;
use autoneural_engines::engine::EngineKind;

/// One question on one engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The model's own answer.
    pub answer: String,
    /// Whether it is the right one, letter by letter.
    pub exact: bool,
    /// Tokens of the right answer with the one that ends it.
    pub tokens: usize,
    /// Natural logarithm of the right answer's probability.
    pub log_probability: f64,
    /// The most likely token at each place of the right answer, given what is right before it.
    pub chosen: Vec<u32>,
    /// Features of pictures against float; empty where float is not known.
    pub features: Sqnr,
    /// Logits against float at each place of the right answer; empty where float is not known.
    pub logits: Sqnr,
}

/// Figures over questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Number of questions.
    pub questions: usize,
    /// Answers that are right letter by letter.
    pub exact_match_percent: f64,
    /// `exp` of the mean negative log-probability of the right answers' tokens, each given what is right before it.
    pub perplexity: f64,
    /// Places of the right answers at which the most likely token is that of float.
    pub token_agreement_percent: Option<f64>,
    /// Features of pictures against float.
    pub features_sqnr_db: Option<f64>,
    /// Logits against float.
    pub logits_sqnr_db: Option<f64>,
}

/// An answer that is not right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wrong {
    /// File and line of the question.
    pub place: String,
    /// The question.
    pub question: String,
    /// The right answer.
    pub right: String,
    /// What the model said.
    pub said: String,
}

/// One engine's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// The engine.
    pub engine: EngineKind,
    /// Over all questions.
    pub total: Figures,
    /// For each use.
    pub uses: BTreeMap<String, Figures>,
    /// Answers that are not right.
    pub wrong: Vec<Wrong>,
}

/// What one evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Name of the set.
    pub set: String,
    /// Whether every picture was replaced by a grey one.
    pub blank: bool,
    /// Number of questions.
    pub questions: usize,
    /// How many the set has; none in a report of a version that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_set: Option<usize>,
    /// One entry per engine.
    pub engines: Vec<EngineReport>,
}

impl EvaluationReport {
    /// Figures of what each engine answered.
    pub fn new(set: &Set, questions: &[Question], plan: &Plan, engines: &[(EngineKind, Vec<Record>)]) -> Self {
        let float = engines.iter().find(|(kind, _)| *kind == EngineKind::Float).map(|(_, records)| records.as_slice());
        let report = |(kind, records): &(EngineKind, Vec<Record>)| {
            let of = |use_case: Option<&str>| {
                let chosen = |at: &usize| use_case.is_none_or(|wanted| questions[*at].use_case == wanted);
                let places: Vec<usize> = (0..questions.len()).filter(chosen).collect();
                Figures::new(&places, records, float.filter(|_| *kind != EngineKind::Float))
            };
            let names: std::collections::BTreeSet<&str> = questions.iter().map(|q| q.use_case.as_str()).collect();
            let wrong = questions.iter().zip(records).filter(|(_, record)| !record.exact);
            EngineReport {
                engine: *kind,
                total: of(None),
                uses: names.into_iter().map(|name| (name.to_string(), of(Some(name)))).collect(),
                wrong: wrong
                    .map(|(question, record)| Wrong {
                        place: question.place.clone(),
                        question: question.question.clone(),
                        right: question.answer.clone(),
                        said: record.answer.clone(),
                    })
                    .collect(),
            }
        };
        EvaluationReport {
            set: set.name.clone(),
            blank: plan.blank,
            questions: questions.len(),
            in_set: Some(set.count()),
            engines: engines.iter().map(report).collect(),
        }
    }

    /// Whether another evaluation asked the same.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        (&self.set, self.blank, self.questions) == (&other.set, other.blank, other.questions)
    }
}

impl Figures {
    fn new(places: &[usize], records: &[Record], float: Option<&[Record]>) -> Self {
        let (mut exact, mut tokens, mut log_probability, mut agreed) = (0usize, 0usize, 0.0, 0usize);
        let (mut features, mut logits) = (Sqnr::default(), Sqnr::default());
        for &at in places {
            let record = &records[at];
            exact += usize::from(record.exact);
            tokens += record.tokens;
            log_probability += record.log_probability;
            features.merge(&record.features);
            logits.merge(&record.logits);
            if let Some(float) = float {
                agreed += record.chosen.iter().zip(&float[at].chosen).filter(|(a, b)| a == b).count();
            }
        }
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let db = |sqnr: Sqnr| (sqnr.count() > 0 && float.is_some()).then(|| round(sqnr.db()));
        Figures {
            questions: places.len(),
            exact_match_percent: round(share(exact, places.len())),
            perplexity: (-log_probability / tokens.max(1) as f64).exp(),
            token_agreement_percent: float.map(|_| round(share(agreed, tokens))),
            features_sqnr_db: db(features),
            logits_sqnr_db: db(logits),
        }
    }
}

/// The figures as a table for a terminal: one line per use and engine, then the totals.
pub fn table(report: &EvaluationReport) -> String {
    let mut rows = vec![
        ["use", "engine", "questions", "exact match", "perplexity", "tokens as float", "SQNR features", "SQNR logits"]
            .map(String::from),
    ];
    let mut add = |name: &str, engine: &EngineReport, figures: &Figures| {
        let percent = |figure: f64| format!("{figure:.1} %");
        let db = |figure: Option<f64>| figure.map_or("-".into(), |figure| format!("{figure:.1} dB"));
        rows.push([
            name.to_string(),
            engine.engine.name().to_string(),
            figures.questions.to_string(),
            percent(figures.exact_match_percent),
            format!("{:.4}", figures.perplexity),
            figures.token_agreement_percent.map_or("-".into(), percent),
            db(figures.features_sqnr_db),
            db(figures.logits_sqnr_db),
        ]);
    };
    let names: Vec<&String> = report.engines.first().map_or(vec![], |engine| engine.uses.keys().collect());
    for name in names {
        report.engines.iter().for_each(|engine| add(name, engine, &engine.uses[name]));
    }
    report.engines.iter().for_each(|engine| add("all", engine, &engine.total));
    let blank = if report.blank { ", every picture blanked" } else { "" };
    format!(
        "{} questions of {}{blank}\n\n{}",
        report.questions,
        autoneural_base::shown::in_line(&report.set),
        autoneural_base::text::columns(&rows)
    )
}
