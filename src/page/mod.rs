//! The report as a page for people: a bundle's report, manifest, graphs, encodings and statistics go in, one HTML file that
//! needs nothing else comes out, or Markdown. Both are views of `report.json`; nothing is computed anew.
//!
//! What stands in those files is other people's text. It is escaped where it becomes markup, and what the script of the
//! page shows it sets as text; the page allows itself no script but its own, and no network.

mod base64;
mod calibration;
mod html;
mod layers;
mod markdown;
mod provenance;
mod sections;
mod sizes;
mod table;
mod weak;

pub use html::html;
pub use markdown::markdown;

use crate::back::bundle::{Bundle, IMAGES, InputRecord, Manifest};
use crate::error::Result;
use crate::gate::{Facts, Judgement};
use crate::observe::StatisticsTable;
use crate::progress::Silent;
use crate::recipe::Recipe;
use crate::report::{Columns, Report};
use layers::Part;

/// The recipe's copy in a bundle.
const RECIPE: &str = "calibration/recipe.toml";

/// What a page is about.
pub struct Subject {
    /// The bundle, as it was named.
    pub name: String,
    report: Report,
    manifest: Manifest,
    facts: Facts,
    parts: Vec<Part>,
    picture: String,
    recipe: Recipe,
    images: Vec<InputRecord>,
    statistics: StatisticsTable,
    other: Option<Other>,
    gate: Option<Gate>,
    least_db: f64,
}

/// The bundle beside it.
struct Other {
    name: String,
    report: Report,
    facts: Facts,
}

/// What the gate says of it.
pub struct Gate {
    /// The baseline's file, as it was named.
    pub file: String,
    /// What was accepted.
    pub baseline: Facts,
    /// The judgement.
    pub judgement: Judgement,
}

impl Subject {
    /// Reads a bundle that was verified, and another one to show beside it. `least_db` is the goal of every output where the
    /// report has none of its own.
    ///
    /// # Errors
    /// A bundle that was never verified or is damaged.
    pub fn read(bundle: &Bundle, name: &str, against: Option<(&Bundle, &str)>, least_db: f64) -> Result<Self> {
        let (facts, report) = Facts::of(bundle)?;
        let read = |path: &str| {
            path == RECIPE
                || path.starts_with("encodings/")
                || path == "model/target.toml"
                || (path.starts_with("model/") || path.starts_with("calibration/")) && path.ends_with(".json")
        };
        bundle.check(&read, &Silent)?;
        let other = match against {
            Some((bundle, name)) => {
                let (facts, report) = Facts::of(bundle)?;
                Some(Other { name: name.to_string(), report, facts })
            }
            None => None,
        };
        let recipe = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
        let parts = layers::parts(bundle, &recipe, &report, other.as_ref().map(|other| &other.report))?;
        let drawn = crate::drawing::Subject::read(bundle)?;
        Ok(Subject {
            name: name.to_string(),
            least_db: report.demands.min_sqnr_db.unwrap_or(least_db),
            picture: crate::drawing::overview(&drawn, crate::drawing::Tensors::Border)?,
            recipe,
            images: if bundle.has_file(IMAGES) { bundle.json(IMAGES)? } else { vec![] },
            manifest: bundle.manifest.clone(),
            facts,
            parts,
            statistics: bundle.statistics()?,
            report,
            other,
            gate: None,
        })
    }

    /// Adds what the gate says.
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// What the page is about, for the gate.
    pub fn facts(&self) -> (&Facts, &Report) {
        (&self.facts, &self.report)
    }

    /// Whether all is well, and the sentence that says so.
    fn verdict(&self) -> (State, String) {
        use crate::gate::{Outcome, Verdict};
        if let Some(gate) = &self.gate {
            let count = |outcome| gate.judgement.count(outcome);
            return match gate.judgement.verdict {
                Verdict::Passed => (State::Well, format!("Passed: nothing is worse than in {}", gate.file)),
                Verdict::Regression => {
                    (State::Bad, format!("Regression: {} checks failed against {}", count(Outcome::Failed), gate.file))
                }
                Verdict::Unjudged => (
                    State::Unknown,
                    format!("{} checks could not be judged against {}", count(Outcome::Unjudged), gate.file),
                ),
            };
        }
        let outputs = || self.report.partitions.iter().flat_map(|partition| &partition.outputs);
        let below = outputs().filter(|output| output.sqnr_db.npu.is_some_and(|db| db < self.least_db)).count();
        let unmeasured = outputs().filter(|output| output.sqnr_db.npu.is_none()).count();
        match (self.report.failures.len(), below, unmeasured) {
            (0, 0, 0) => (State::Well, format!("Every output reaches its goal of {} dB on the NPU", self.least_db)),
            (0, 0, count) => (State::Unknown, format!("{count} outputs were not measured on the NPU")),
            (failures, below, _) => {
                (State::Bad, format!("{} outputs fall short of what was demanded", failures.max(below)))
            }
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Well,
    Bad,
    Unknown,
}

impl State {
    /// Class in the page.
    fn class(self) -> &'static str {
        match self {
            State::Well => "well",
            State::Bad => "bad",
            State::Unknown => "unknown",
        }
    }
}

/// A figure of an output in a report; none where it is not there or was not measured.
fn output_of(report: &Report, partition: &str, name: &str) -> Option<Columns> {
    let partition = report.partitions.iter().find(|found| found.name == partition)?;
    partition.outputs.iter().find(|found| found.name == name).map(|found| found.sqnr_db)
}
