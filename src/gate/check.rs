//! Checks: what is looked at, where, and what came of it.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is checked. The order is that of summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Least SQNR of an output.
    SqnrFloor,
    /// SQNR of an output against the baseline.
    SqnrDrop,
    /// RMS error of an output against the baseline.
    RmsError,
    /// Least SQNR of a layer.
    LayerFloor,
    /// SQNR of a layer against the baseline.
    LayerDrop,
    /// SQNR of whole sequences.
    ChainSqnr,
    /// Tokens of whole sequences.
    ChainTokens,
    /// What `compile` or `verify` demanded.
    Demands,
    /// Exact answers.
    Accuracy,
    /// Perplexity of the right answers.
    Perplexity,
    /// Nodes outside the context binary.
    NodesOutside,
    /// Encodings of activations.
    ActivationsMoved,
    /// Encodings of constants.
    ConstantsMoved,
    /// Integer types, tensors, outputs and partitions that are new or gone.
    GraphChanged,
    /// Bytes of a context binary.
    BinarySize,
    /// Bytes of a partition's buffers.
    BufferSize,
    /// Bytes that a device holds.
    DeviceSize,
    /// Versions.
    Version,
    /// Weights and settings.
    Input,
    /// Exceptions that are over, or fit nothing.
    Override,
}

impl Rule {
    /// All checks.
    pub const ALL: [Rule; 20] = [
        Rule::SqnrFloor,
        Rule::SqnrDrop,
        Rule::RmsError,
        Rule::LayerFloor,
        Rule::LayerDrop,
        Rule::ChainSqnr,
        Rule::ChainTokens,
        Rule::Demands,
        Rule::Accuracy,
        Rule::Perplexity,
        Rule::NodesOutside,
        Rule::ActivationsMoved,
        Rule::ConstantsMoved,
        Rule::GraphChanged,
        Rule::BinarySize,
        Rule::BufferSize,
        Rule::DeviceSize,
        Rule::Version,
        Rule::Input,
        Rule::Override,
    ];

    /// Its name.
    pub fn id(self) -> &'static str {
        self.words().0
    }

    /// What it looks at, in a sentence.
    pub fn describe(self) -> &'static str {
        self.words().1
    }

    /// Part of the baseline, or of a partition in it, in which what it looks at has its line.
    pub fn section(self) -> &'static str {
        match self {
            Rule::LayerFloor | Rule::LayerDrop => "layers",
            Rule::ActivationsMoved => "activations",
            Rule::ConstantsMoved => "constants",
            Rule::ChainSqnr | Rule::ChainTokens => "chain",
            Rule::Accuracy | Rule::Perplexity => "evaluations",
            Rule::DeviceSize => "device_bytes",
            Rule::Version => "versions",
            Rule::Input => "inputs",
            _ => "outputs",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Rule::SqnrFloor => ("sqnr-floor", "An output of a partition has at least so much SQNR."),
            Rule::SqnrDrop => ("sqnr-drop", "SQNR of an output of a partition is not below the baseline."),
            Rule::RmsError => ("rms-error", "RMS error of an output of a partition is not above the baseline."),
            Rule::LayerFloor => ("layer-floor", "A layer has at least so much SQNR."),
            Rule::LayerDrop => ("layer-drop", "SQNR of a layer is not below the baseline."),
            Rule::ChainSqnr => ("chain-sqnr", "SQNR of the logits over whole sequences is not below the baseline."),
            Rule::ChainTokens => ("chain-tokens", "Whole sequences keep the tokens of float."),
            Rule::Demands => ("demands", "The report fulfils what compile or verify demanded of it."),
            Rule::Accuracy => ("accuracy", "An evaluation has no fewer exact answers than in the baseline."),
            Rule::Perplexity => ("perplexity", "Perplexity of an evaluation is not above the baseline."),
            Rule::NodesOutside => ("nodes-outside-npu", "No node of a partition left the context binary."),
            Rule::ActivationsMoved => ("activations-moved", "Ranges of activations are where they were."),
            Rule::ConstantsMoved => ("constants-moved", "Scales of constants are what they were."),
            Rule::GraphChanged => ("graph-changed", "The same tensors have the same integers."),
            Rule::BinarySize => ("binary-size", "A context binary did not grow."),
            Rule::BufferSize => ("buffer-size", "Inputs and outputs of a partition did not grow."),
            Rule::DeviceSize => ("device-size", "What a device holds did not grow."),
            Rule::Version => ("version", "Versions of the program and the vendor toolkit are those of the baseline."),
            Rule::Input => ("input", "Weights and settings are those of the baseline."),
            Rule::Override => ("override", "Exceptions are in force and fit something."),
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.id())
    }
}

/// What is looked at: something of a partition, or of the bundle where there is no partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the partition; empty for the bundle as a whole.
    pub partition: String,
    /// Name of the output, layer or what else; empty for the partition as a whole.
    pub name: String,
}

impl Place {
    /// Something of a partition.
    pub fn of(partition: &str, name: &str) -> Self {
        Place { partition: partition.to_string(), name: name.to_string() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.partition.as_str(), self.name.as_str()) {
            ("", "") => write!(f, "bundle"),
            ("", name) => write!(f, "{name}"),
            (partition, "") => write!(f, "{partition}"),
            (partition, name) => write!(f, "{partition}: {name}"),
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A regression.
    Failed,
    /// It could not be judged.
    Unjudged,
    /// Worth a look, no regression.
    Warning,
    /// There is nothing to compare: not measured, or not in the baseline.
    Skipped,
    /// All is well.
    Passed,
}

/// A check with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was checked.
    pub rule: Rule,
    /// Where.
    pub place: Place,
    /// What came of it.
    pub outcome: Outcome,
    /// The figure of the baseline.
    pub baseline: Option<f64>,
    /// The figure now.
    pub now: Option<f64>,
    /// The limit: of what `now` may be, or of how far it may be from `baseline`, as the message says.
    pub limit: Option<f64>,
    /// How much worse it is, to sort by.
    #[serde(skip)]
    pub worse: f64,
    /// All of it in one line.
    pub message: String,
    /// What there is beside it, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Reason of the exception that set the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
}

impl Check {
    /// A check without figures.
    pub fn new(rule: Rule, place: Place, outcome: Outcome, message: impl Into<String>) -> Self {
        Check {
            rule,
            place,
            outcome,
            baseline: None,
            now: None,
            limit: None,
            worse: 0.0,
            message: message.into(),
            details: vec![],
            exception: None,
        }
    }
}

/// The sum of all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing got worse.
    Passed,
    /// Something did.
    Regression,
    /// Nothing that was judged got worse, but not all could be judged.
    Unjudged,
}

impl Verdict {
    /// The exit status, which is part of the public interface.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Regression => 1,
            Verdict::Unjudged => 2,
        }
    }
}
