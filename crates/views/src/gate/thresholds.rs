//! Thresholds: a TOML file says how much worse a bundle may be than its baseline, and where that is otherwise for a
//! while.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::exception::Exception;
use super::rule::Rule;
use autoneural_base::error::{Error, Result};

/// The built-in thresholds, with comments.
pub const DEFAULT: &str = include_str!("default.toml");

/// How much worse is too much.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    #[serde(rename = "schema")]
    _schema: u32,
    /// Figures of the NPU.
    pub npu: Npu,
    /// Outputs of partitions.
    pub outputs: Outputs,
    /// Single layers.
    pub layers: Layers,
    /// Whole sequences.
    pub chain: Chain,
    /// Questions with known answers.
    pub evaluation: Evaluation,
    /// Graphs against the checkpoint.
    pub frozen: Frozen,
    /// Nodes outside the NPU.
    pub nodes: Nodes,
    /// Bytes.
    pub size: Size,
    /// Encodings that moved.
    pub encodings: Encodings,
    /// Versions and inputs.
    pub changes: Changes,
    /// Exceptions; the last that fits decides.
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
    /// The file; `None` for the built-in thresholds.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    #[serde(skip)]
    all: toml::Table,
}

/// Thresholds of figures on the NPU.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npu {
    /// Whether a figure that was not measured there cannot be judged.
    pub required: bool,
}

/// Thresholds of outputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Least SQNR in dB.
    pub floor_db: f64,
    /// Largest drop of SQNR in dB.
    pub drop_db: f64,
    /// Largest rise of the RMS error in points of percent.
    pub rms_rise_points: f64,
    /// Largest drop of SQNR in the worst sample, in dB.
    pub worst_sample_drop_db: f64,
}

/// Thresholds of layers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Least SQNR in dB.
    pub floor_db: f64,
    /// Largest drop of SQNR in dB.
    pub drop_db: f64,
    /// SQNR in dB to which any layer may fall.
    pub enough_db: f64,
}

impl Layers {
    /// How far a layer may fall that had so many dB.
    pub fn limit(&self, before: Option<f64>) -> f64 {
        let to_enough = before.map_or(0.0, |before| (1e3 * (before - self.enough_db)).round() / 1e3);
        self.drop_db.max(to_enough)
    }
}

/// Thresholds of whole sequences.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// Largest drop of the logits' SQNR in dB.
    pub drop_db: f64,
    /// Largest drop of steps with the token of float, in points of percent.
    pub same_token_drop_points: f64,
}

/// Thresholds of evaluations.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Largest drop of exact answers in points of percent.
    pub accuracy_drop_points: f64,
    /// Largest rise of perplexity in percent.
    pub perplexity_rise_percent: f64,
    /// Largest drop of samples that keep float's class, in points of percent.
    pub same_class_drop_points: f64,
    /// Largest drop of an output's SQNR over a set of samples, in dB.
    pub sqnr_drop_db: f64,
    /// Largest drop of an output's SQNR in the worst sample of a set, in dB.
    pub worst_sample_drop_db: f64,
    /// Whether an evaluation of the baseline must be in the report.
    pub required: bool,
}

/// Thresholds of frozen graphs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Least SQNR in dB against the graph that was built from the checkpoint.
    pub floor_db: f64,
}

/// Thresholds of nodes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// Most nodes of a partition outside the context binary.
    pub outside_npu: usize,
}

/// Thresholds of bytes, in percent of the baseline.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Of a context binary.
    pub binary_growth_percent: f64,
    /// Of a partition's buffers.
    pub buffer_growth_percent: f64,
    /// Of all that a device holds.
    pub device_growth_percent: f64,
}

/// Thresholds of encodings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encodings {
    /// Of an activation's range, in percent of the range.
    pub range_moved_percent: f64,
    /// Of a constant's scales, in percent of the scale.
    pub scale_moved_percent: f64,
}

/// What to do about changes of what is not a figure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Of the vendor toolkit.
    pub toolkit: Policy,
    /// Of this program.
    pub program: Policy,
    /// Of float weights and given encodings.
    pub weights: Policy,
    /// Of the model's definition, the target file, the recipe.
    pub settings: Policy,
}

/// What to do about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It is a regression.
    Fail,
    /// It is said.
    Warn,
    /// It is accepted.
    Allow,
}

impl Thresholds {
    /// Reads a file; what it does not say, and without a file everything, is as built in.
    ///
    /// # Errors
    /// A missing file, malformed TOML, an unknown key, a limit that is impossible, an exception without reason or date.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::parse(DEFAULT, Path::new("default.toml")) };
        let text = autoneural_base::text::read(path)?;
        if !text.trim().is_empty() {
            super::baseline::refuse_unfinished(path, &text)?;
        }
        let mut made = Self::parse(&text, path)?;
        made.path = Some(path.to_path_buf());
        Ok(made)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let help = "`autoneural gate --print-thresholds` prints a whole file with comments";
        let given: toml::Table =
            toml::from_str(text).map_err(|error| autoneural_base::text::toml_error(path, text, &error).help(help))?;
        let mut all: toml::Table = toml::from_str(DEFAULT).map_err(|error| Error::internal("default.toml", error))?;
        let fail = |key: &str, message: String| Error::input(format!("{}: {key}", path.display()), message).help(help);
        if let Some(schema) = given.get("schema").filter(|schema| schema.as_integer() != Some(1)) {
            return Err(fail(
                "schema",
                format!("schema {} is not known, only 1 is; the file may be of a newer version", said(schema)),
            ));
        }
        merge(&mut all, renamed(given));
        let mut made: Thresholds =
            all.clone().try_into().map_err(|error| Error::input(path.display(), error).help(help))?;
        made.all = all;
        for (key, value) in made.tolerances() {
            if !(0.0..=1e6).contains(&value) {
                return Err(fail(key, format!("{value} is impossible; 0 and more are possible")));
            }
        }
        for (key, value) in [
            ("outputs.floor_db", made.outputs.floor_db),
            ("layers.floor_db", made.layers.floor_db),
            ("layers.enough_db", made.layers.enough_db),
            ("frozen.floor_db", made.frozen.floor_db),
        ] {
            if !(-200.0..=200.0).contains(&value) {
                return Err(fail(key, format!("{value} is impossible; -200 to 200 are possible")));
            }
        }
        for (index, exception) in made.exceptions.iter().enumerate() {
            exception.check(path, &format!("exception {}", index + 1))?;
        }
        Ok(made)
    }

    /// What a check allows, in words, where it is not one number: a layer may fall by so much, or to what is enough.
    pub fn allowed(&self, rule: Rule) -> Option<String> {
        let Layers { drop_db, enough_db, .. } = self.layers;
        (rule == Rule::LayerDrop).then(|| format!("{drop_db} dB, or at least {enough_db} dB"))
    }

    /// What the thresholds say under a key such as `outputs.drop_db`, as TOML has it.
    pub fn value(&self, key: &str) -> Option<String> {
        let (table, name) = key.split_once('.')?;
        self.all.get(table)?.get(name).map(said)
    }

    fn tolerances(&self) -> [(&'static str, f64); 17] {
        [
            ("outputs.drop_db", self.outputs.drop_db),
            ("outputs.rms_rise_points", self.outputs.rms_rise_points),
            ("outputs.worst_sample_drop_db", self.outputs.worst_sample_drop_db),
            ("layers.drop_db", self.layers.drop_db),
            ("chain.drop_db", self.chain.drop_db),
            ("chain.same_token_drop_points", self.chain.same_token_drop_points),
            ("evaluation.accuracy_drop_points", self.evaluation.accuracy_drop_points),
            ("evaluation.perplexity_rise_percent", self.evaluation.perplexity_rise_percent),
            ("evaluation.same_class_drop_points", self.evaluation.same_class_drop_points),
            ("evaluation.sqnr_drop_db", self.evaluation.sqnr_drop_db),
            ("evaluation.worst_sample_drop_db", self.evaluation.worst_sample_drop_db),
            ("nodes.outside_npu", self.nodes.outside_npu as f64),
            ("size.binary_growth_percent", self.size.binary_growth_percent),
            ("size.buffer_growth_percent", self.size.buffer_growth_percent),
            ("size.device_growth_percent", self.size.device_growth_percent),
            ("encodings.range_moved_percent", self.encodings.range_moved_percent),
            ("encodings.scale_moved_percent", self.encodings.scale_moved_percent),
        ]
    }
}

/// A value as a file has it.
fn said(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => format!("{number:?}"),
        toml::Value::Boolean(flag) => flag.to_string(),
        _ => "of another type".to_string(),
    }
}

/// The table with its exceptions under the name of today, those of `[[override]]` (as it was called) first.
fn renamed(mut given: toml::Table) -> toml::Table {
    if let Some(toml::Value::Array(mut old)) = given.get("override").cloned() {
        given.remove("override");
        if let Some(toml::Value::Array(new)) = given.get("exception") {
            old.extend(new.iter().cloned());
        }
        given.insert("exception".into(), toml::Value::Array(old));
    }
    given
}

/// Puts what a file says over what is built in.
fn merge(all: &mut toml::Table, given: toml::Table) {
    for (key, value) in given {
        match (all.get_mut(&key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(given)) => merge(known, given),
            (_, value) => drop(all.insert(key, value)),
        }
    }
}
