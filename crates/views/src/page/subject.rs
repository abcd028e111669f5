//! What a page is about: a bundle, and what it is held against.

use std::collections::BTreeMap;

use super::change::Tolerances;
use super::layers::{self, PartitionLayers};
use super::settings;
use super::state::State;
use crate::gate::{Facts, GateVerdict, Judgement, Outcome, Thresholds};
use autoneural_app::drivers::of_bundle;
use autoneural_app::report::{Report, VerdictState};
use autoneural_base::error::Result;
use autoneural_base::progress::Silent;
use autoneural_bundle::{Bundle, INPUTS, InputRecord, Manifest};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::recipe::Recipe;

/// The recipe's copy in a bundle.
const RECIPE: &str = "calibration/recipe.toml";

/// What a page is about.
pub struct Subject {
    /// The bundle, as it was named.
    pub name: String,
    pub(super) report: Report,
    pub(super) manifest: Manifest,
    pub(super) facts: Facts,
    pub(super) parts: Vec<PartitionLayers>,
    pub(super) picture: String,
    pub(super) recipe: Recipe,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) images: Vec<InputRecord>,
    pub(super) statistics: StatisticsTable,
    /// What a run of calibration is.
    pub(super) about_runs: &'static str,
    /// Whether an evaluation left answers that the report has no figures of.
    pub(super) has_answers: bool,
    pub(super) other: Option<Other>,
    pub(super) gate: Option<Gate>,
    pub(super) tolerances: Tolerances,
}

/// The bundle beside it.
pub(super) struct Other {
    pub(super) name: String,
    pub(super) report: Report,
    pub(super) facts: Facts,
    pub(super) settings: BTreeMap<String, String>,
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

/// What a bundle is held against: a baseline or another bundle.
pub(super) struct Reference<'a> {
    /// What it is called.
    pub(super) title: &'static str,
    /// Title of the figures of this bundle against it.
    pub(super) against: &'static str,
    /// Its name.
    pub(super) name: &'a str,
    pub(super) facts: &'a Facts,
    /// Settings of its recipe; a baseline has none.
    pub(super) settings: Option<&'a BTreeMap<String, String>>,
}

impl Subject {
    /// Reads a bundle that was verified, and another one to hold it against. Within the tolerances of `thresholds`
    /// figures are the same.
    ///
    /// # Errors
    /// A bundle that was never verified or is damaged.
    pub fn read(
        bundle: &Bundle,
        name: &str,
        against: Option<(&Bundle, &str)>,
        thresholds: &Thresholds,
    ) -> Result<Self> {
        let (facts, report) = Facts::of(bundle)?;
        let read = |path: &str| {
            path == RECIPE
                || path.starts_with("encodings/")
                || path == "model/target.toml"
                || (path.starts_with("model/") || path.starts_with("calibration/")) && path.ends_with(".json")
        };
        bundle.check(&read, &Silent)?;
        let recipe_of = |bundle: &Bundle| Ok((bundle.text(RECIPE)?, bundle.path(RECIPE)));
        let other = match against {
            Some((bundle, name)) => {
                let (facts, report) = Facts::of(bundle)?;
                bundle.check(&|path| path == RECIPE, &Silent)?;
                let (text, path) = recipe_of(bundle)?;
                Some(Other { name: name.to_string(), report, facts, settings: settings::settings(&text, &path)? })
            }
            None => None,
        };
        let (text, path) = recipe_of(bundle)?;
        let settings = settings::settings(&text, &path)?;
        let recipe = Recipe::parse(text, &path)?;
        let parts = layers::parts(bundle, &recipe, &report, other.as_ref().map(|other| &other.report))?;
        let drawn = crate::drawing::Subject::read(bundle)?;
        Ok(Subject {
            name: name.to_string(),
            tolerances: Tolerances::of(thresholds),
            picture: crate::drawing::overview(&drawn, crate::drawing::Tensors::Border)?,
            recipe,
            settings,
            images: if bundle.has_file(INPUTS) { bundle.json(INPUTS)? } else { vec![] },
            manifest: bundle.manifest.clone(),
            has_answers: report.evaluations.is_empty() && bundle.has_answers(),
            facts,
            parts,
            statistics: bundle.statistics()?,
            about_runs: of_bundle(bundle)?.about_runs(),
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

    /// What it is held against.
    pub(super) fn references(&self) -> Vec<Reference<'_>> {
        let gate = self.gate.as_ref().map(|gate| Reference {
            title: "baseline",
            against: "against the baseline",
            name: &gate.file,
            facts: &gate.baseline,
            settings: None,
        });
        let other = self.other.as_ref().map(|other| Reference {
            title: "other bundle",
            against: "against the other",
            name: &other.name,
            facts: &other.facts,
            settings: Some(&other.settings),
        });
        gate.into_iter().chain(other).collect()
    }

    /// Whether it can ship, and the sentence that says so.
    pub(super) fn verdict(&self) -> (State, String) {
        let verdict = &self.report.verdict;
        let sentence = verdict.sentence();
        match verdict.state {
            VerdictState::Met => (State::Well, format!("Can it ship? Yes: {sentence}")),
            VerdictState::Missed => (State::Bad, format!("Can it ship? No: {sentence}")),
            VerdictState::NotMeasured => (State::Unknown, format!("Can it ship? Not known: {sentence}")),
            VerdictState::NoGoal => {
                (State::Unknown, format!("Can it ship? Not known: {sentence}, so nobody said what is good enough"))
            }
        }
    }

    /// What the gate says, where there is a baseline.
    pub(super) fn gate_verdict(&self) -> Option<(State, String)> {
        let gate = self.gate.as_ref()?;
        let checks = |outcome| match gate.judgement.count(outcome) {
            1 => "1 check".to_string(),
            count => format!("{count} checks"),
        };
        Some(match gate.judgement.verdict {
            GateVerdict::Passed => (State::Well, format!("Against the baseline {}: nothing got worse", gate.file)),
            GateVerdict::Regression => {
                (State::Bad, format!("Against the baseline {}: worse, {} failed", gate.file, checks(Outcome::Failed)))
            }
            GateVerdict::Unjudged => {
                let count = checks(Outcome::Unjudged);
                (State::Unknown, format!("Against the baseline {}: {count} could not be judged", gate.file))
            }
        })
    }

    /// Where a link to a layer leads: the script opens it.
    pub(super) fn layer_link(&self, part: usize, name: &str) -> String {
        let at = self.parts[part].layers.iter().position(|layer| layer.name == name).unwrap_or_default();
        format!("layer-{part}-{at}")
    }
}
