//! Goals: what the figures of a model must reach to be good enough to ship. The table `[goal]` of a recipe states them;
//! the report carries them, so that every reader judges by the same goals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::partition::Partition;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::glob;

/// Highest SQNR that a goal may state, in dB: the SQNR of two equal tensors.
const HIGHEST_DB: f64 = 200.0;

/// All goals of a model; empty if the recipe states none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// Least SQNR of outputs against float, in dB, by `partition/output`; `*` stands for any run of characters. Of
    /// several patterns that fit a name, the one with the most characters beside `*` counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sqnr_db: BTreeMap<String, f64>,
    /// Goals of whole sequences, in which errors add up from step to step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<SequenceGoals>,
    /// Goals of questions with known answers, and of samples with labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationGoals>,
}

/// Goals of whole sequences, each engine on its own state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceGoals {
    /// Least SQNR of the logits against float, in dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits_sqnr_db: Option<f64>,
    /// Least share of steps whose most likely token is that of float, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_token_percent: Option<f64>,
}

/// Goals of `autoneural eval`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationGoals {
    /// Name of the set, which is that of its folder or file. Without it the goals are about every set that was
    /// evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// How many questions are enough; without it, all questions of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<usize>,
    /// Least share of answers that are right letter by letter, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_match_percent: Option<f64>,
    /// How far that share may be below float's, in percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_match_loss_points: Option<f64>,
    /// How far perplexity may be above float's, in percent of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity_increase_percent: Option<f64>,
    /// Least share of the right answers' tokens at which the most likely token is that of float, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_agreement_percent: Option<f64>,
    /// How many samples with labels are enough; without it, all samples of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Least share of samples whose most likely class is the right one, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_percent: Option<f64>,
    /// How far that share may be below float's, in percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_loss_points: Option<f64>,
    /// Least share of samples whose right class is among the five most likely ones, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5_percent: Option<f64>,
    /// How far that share may be below float's, in percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5_loss_points: Option<f64>,
    /// Least share of samples whose most likely class is that of float, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_class_percent: Option<f64>,
}

impl Goals {
    /// Whether there are no goals.
    pub fn is_empty(&self) -> bool {
        self.numbers().is_empty()
    }

    /// The least SQNR that an output must reach, in dB; `None` if no goal is about it.
    pub fn of_output(&self, partition: &str, output: &str) -> Option<f64> {
        let name = format!("{partition}/{output}");
        let fitting = self.sqnr_db.iter().filter(|(pattern, _)| glob(pattern, &name));
        let exactness = |pattern: &str| pattern.chars().filter(|c| *c != '*').count();
        // Of two patterns that are equally exact the stricter goal counts.
        fitting.max_by(|a, b| exactness(a.0).cmp(&exactness(b.0)).then(a.1.total_cmp(b.1))).map(|(_, least)| *least)
    }

    /// Every number of the goals: its key, the number, and the largest one that is possible.
    fn numbers(&self) -> Vec<(String, f64, f64)> {
        let mut made: Vec<(String, f64, f64)> =
            self.sqnr_db.iter().map(|(name, db)| (format!("sqnr_db.\"{name}\""), *db, HIGHEST_DB)).collect();
        let mut add = |table: &str, list: &[(&str, Option<f64>, f64)]| {
            let stated =
                list.iter().filter_map(|(key, number, most)| Some((format!("{table}.{key}"), (*number)?, *most)));
            made.extend(stated);
        };
        if let Some(of) = &self.sequences {
            let same = ("same_token_percent", of.same_token_percent, 100.0);
            add("sequences", &[("logits_sqnr_db", of.logits_sqnr_db, HIGHEST_DB), same]);
        }
        if let Some(of) = &self.evaluation {
            add(
                "evaluation",
                &[
                    ("exact_match_percent", of.exact_match_percent, 100.0),
                    ("exact_match_loss_points", of.exact_match_loss_points, 100.0),
                    ("perplexity_increase_percent", of.perplexity_increase_percent, f64::MAX),
                    ("token_agreement_percent", of.token_agreement_percent, 100.0),
                    ("top1_percent", of.top1_percent, 100.0),
                    ("top1_loss_points", of.top1_loss_points, 100.0),
                    ("top5_percent", of.top5_percent, 100.0),
                    ("top5_loss_points", of.top5_loss_points, 100.0),
                    ("same_class_percent", of.same_class_percent, 100.0),
                ],
            );
        }
        made
    }

    /// Refuses goals that make no sense. The error is the key in the recipe, and what is wrong with it.
    ///
    /// # Errors
    /// A number is out of bounds, a table states no goal, or a name is empty.
    pub fn check(&self) -> Result<(), (String, String)> {
        for (key, number, most) in self.numbers() {
            if !(0.0..=most).contains(&number) {
                let wanted = if most == f64::MAX { "a number of at least 0".into() } else { format!("0 to {most}") };
                return Err((format!("goal.{key}"), format!("{number} is no goal; {wanted} is wanted")));
            }
        }
        let asks = |table: &str| self.numbers().iter().any(|(key, ..)| key.starts_with(table));
        for (table, is_there) in [("sequences.", self.sequences.is_some()), ("evaluation.", self.evaluation.is_some())]
        {
            if is_there && !asks(table) {
                let key = format!("goal.{}", table.trim_end_matches('.'));
                return Err((key, "states no goal; write one, or take the table out".into()));
            }
        }
        let of = self.evaluation.as_ref();
        let counts = of.map(|of| [("questions", of.questions), ("samples", of.samples)]).unwrap_or_default();
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == Some(0)) {
            return Err((format!("goal.evaluation.{key}"), format!("0 {key} tell nothing")));
        }
        if of.is_some_and(|of| of.set.as_ref().is_some_and(String::is_empty)) {
            return Err(("goal.evaluation.set".into(), "the name is empty".into()));
        }
        Ok(())
    }

    /// Refuses goals of outputs that the model does not have; `place` is the recipe's path, for the message.
    ///
    /// # Errors
    /// A pattern fits no output; the error lists the outputs.
    pub fn refuse_idle(&self, partitions: &[Partition], place: &str) -> Result<()> {
        let outputs = partitions.iter().flat_map(|p| p.outputs.iter().map(|port| format!("{}/{}", p.name, port.name)));
        let outputs: Vec<String> = outputs.collect();
        match self.sqnr_db.keys().find(|pattern| !outputs.iter().any(|name| glob(pattern, name))) {
            Some(pattern) => Err(Error::input(format!("{place}: goal.sqnr_db"), format!("`{pattern}` fits no output"))
                .help(format!("outputs are named `partition/output`: {}", outputs.join(", ")))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goals(text: &str) -> Goals {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_most_exact_pattern_counts() {
        let made = goals(
            "[sqnr_db]\n\"*\" = 20\n\"vision/*\" = 30\n\"vision/features\" = 40.5\n\"*/k_new\" = 10\n\"*_new\" = 5",
        );
        for (partition, output, wanted) in [
            ("vision", "features", 40.5),
            ("vision", "other", 30.0),
            ("language.decode", "logits", 20.0),
            ("a", "k_new", 10.0),
        ] {
            assert_eq!(made.of_output(partition, output), Some(wanted), "{partition}/{output}");
        }
        assert_eq!(goals("[sqnr_db]\n\"a*\" = 1\n\"*a\" = 2").of_output("a", "a"), Some(2.0));
        assert_eq!(Goals::default().of_output("vision", "features"), None);
    }

    #[test]
    fn what_no_model_can_be_asked_for_is_refused() {
        for (text, key) in [
            ("[sqnr_db]\n\"*\" = nan", "goal.sqnr_db.\"*\""),
            ("[sqnr_db]\n\"*\" = -1", "goal.sqnr_db.\"*\""),
            ("[sqnr_db]\n\"*\" = 201", "goal.sqnr_db.\"*\""),
            ("[evaluation]\nexact_match_percent = 100.1", "goal.evaluation.exact_match_percent"),
            ("[evaluation]\nperplexity_increase_percent = inf", "goal.evaluation.perplexity_increase_percent"),
            ("[evaluation]\nset = \"a\"", "goal.evaluation"),
            ("[sequences]", "goal.sequences"),
            ("[evaluation]\nquestions = 0\nexact_match_percent = 1", "goal.evaluation.questions"),
            ("[evaluation]\nsamples = 0\ntop5_percent = 1", "goal.evaluation.samples"),
            ("[evaluation]\ntop1_percent = 101", "goal.evaluation.top1_percent"),
            ("[evaluation]\ntop1_loss_points = -1", "goal.evaluation.top1_loss_points"),
            ("[evaluation]\nsamples = 5", "goal.evaluation"),
        ] {
            assert_eq!(goals(text).check().unwrap_err().0, key, "{text}");
        }
        assert!(toml::from_str::<Goals>("accuracy = 1").is_err());
        let sound = goals("sqnr_db = { \"*\" = 20 }\nevaluation = { exact_match_loss_points = 1 }");
        assert!(sound.check().is_ok() && !sound.is_empty() && Goals::default().is_empty());
    }
}
