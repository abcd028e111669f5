//! The checks by name: what each looks at, where its limit stands, how it is excepted. One list makes them all, so that
//! none is missing where they are listed.

use serde::{Serialize, Serializer};

/// What is stated of a check.
pub struct Stated {
    /// Its name.
    pub id: &'static str,
    /// What it looks at, in a sentence.
    pub what: &'static str,
    /// Keys of the thresholds that hold it; an exception's limit stands in for the first, where that is a number.
    pub keys: &'static [&'static str],
    /// Places it looks at, as an exception names them.
    pub place: &'static str,
    /// Part of the baseline, or of a partition in it, in which what it looks at has its line.
    pub section: &'static str,
}

macro_rules! rules {
    ($(
        $(#[$doc:meta])*
        $name:ident: $id:literal, $what:literal, [$($key:literal),*], $place:literal, $section:literal;
    )*) => {
        /// What is checked. The order is that of summaries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All checks.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// What is stated of it.
            pub fn stated(self) -> Stated {
                match self {
                    $(Rule::$name => {
                        Stated { id: $id, what: $what, keys: &[$($key),*], place: $place, section: $section }
                    })*
                }
            }
        }
    };
}

rules! {
    /// Goals of the recipe.
    Goal: "goal-missed", "The figures reach the goals that the recipe states, whatever the baseline says.",
        [], "PARTITION: OUTPUT, sequences, or the name of a set", "outputs";
    /// Goals of the recipe against those of the baseline.
    GoalLoosened: "goal-loosened", "The recipe states every goal of the baseline, and none is lower.",
        [], "PARTITION: OUTPUT, sequences, or the name of a set", "goals";
    /// Least SQNR of an output.
    SqnrFloor: "sqnr-floor", "An output of a partition has at least so much SQNR.",
        ["outputs.floor_db"], "PARTITION: OUTPUT", "outputs";
    /// SQNR of an output against the baseline.
    SqnrDrop: "sqnr-drop", "SQNR of an output of a partition is not below the baseline.",
        ["outputs.drop_db"], "PARTITION: OUTPUT", "outputs";
    /// RMS error of an output against the baseline.
    RmsError: "rms-error", "RMS error of an output of a partition is not above the baseline.",
        ["outputs.rms_rise_points"], "PARTITION: OUTPUT", "outputs";
    /// SQNR of an output in the worst sample against the baseline.
    OutputWorst: "sample-drop", "SQNR of an output in the worst verification sample is not below the baseline.",
        ["outputs.worst_sample_drop_db"], "PARTITION: OUTPUT", "outputs";
    /// Least SQNR of a layer.
    LayerFloor: "layer-floor", "A layer has at least so much SQNR.",
        ["layers.floor_db"], "PARTITION: LAYER", "layers";
    /// SQNR of a layer against the baseline.
    LayerDrop: "layer-drop", "SQNR of a layer is not below the baseline.",
        ["layers.drop_db", "layers.enough_db"], "PARTITION: LAYER", "layers";
    /// SQNR of whole sequences.
    ChainSqnr: "chain-sqnr", "SQNR of the logits over whole sequences is not below the baseline.",
        ["chain.drop_db"], "sequences", "chain";
    /// Tokens of whole sequences.
    ChainTokens: "chain-tokens", "Whole sequences keep the tokens of float.",
        ["chain.same_token_drop_points"], "sequences", "chain";
    /// What `compile` or `verify` demanded.
    Demands: "demands", "The report fulfils what compile or verify demanded of it.",
        [], "bundle", "outputs";
    /// Exact answers.
    Accuracy: "accuracy", "An evaluation has no fewer exact answers, or right classes, than in the baseline.",
        ["evaluation.accuracy_drop_points", "evaluation.required"], "EVALUATION", "evaluations";
    /// Perplexity of the right answers.
    Perplexity: "perplexity", "Perplexity of an evaluation is not above the baseline.",
        ["evaluation.perplexity_rise_percent", "evaluation.required"], "EVALUATION", "evaluations";
    /// Right classes among the five most likely ones.
    Top5: "top-5", "As many samples of an evaluation have the right class among five as in the baseline.",
        ["evaluation.accuracy_drop_points", "evaluation.required"], "EVALUATION", "sets";
    /// Classes of samples against float.
    SameClass: "same-class", "As many samples of an evaluation keep the class of float as in the baseline.",
        ["evaluation.same_class_drop_points", "evaluation.required"], "EVALUATION", "sets";
    /// SQNR over a set of samples.
    SetSqnr: "set-output", "SQNR of an output over the samples of an evaluation is not below the baseline.",
        ["evaluation.sqnr_drop_db", "evaluation.required"], "EVALUATION: OUTPUT", "sets";
    /// SQNR of the worst sample of a set.
    WorstSample: "worst-sample", "SQNR of an output in the worst sample of an evaluation is not below the baseline.",
        ["evaluation.worst_sample_drop_db", "evaluation.required"], "EVALUATION: OUTPUT", "sets";
    /// A frozen graph against the checkpoint.
    FrozenFloor: "frozen-floor", "The graph of a partition computes what the checkpoint does, in float.",
        ["frozen.floor_db"], "PARTITION", "outputs";
    /// Nodes outside the context binary.
    NodesOutside: "nodes-outside-npu", "No node of a partition left the context binary.",
        ["nodes.outside_npu"], "PARTITION", "outputs";
    /// Encodings of activations.
    ActivationsMoved: "activations-moved", "Ranges of activations are where they were.",
        ["encodings.range_moved_percent"], "PARTITION: TENSOR or PARTITION", "activations";
    /// Encodings of constants.
    ConstantsMoved: "constants-moved", "Scales of constants are what they were.",
        ["encodings.scale_moved_percent"], "PARTITION: TENSOR or PARTITION", "constants";
    /// Integer types, tensors, outputs and partitions that are new or gone.
    GraphChanged: "graph-changed", "The same partitions have the same tensors with the same integers.",
        [], "PARTITION: TENSOR, PARTITION, or partitions", "outputs";
    /// Bytes of a context binary.
    BinarySize: "binary-size", "A context binary did not grow.",
        ["size.binary_growth_percent"], "PARTITION", "outputs";
    /// Bytes of a partition's buffers.
    BufferSize: "buffer-size", "Inputs and outputs of a partition did not grow.",
        ["size.buffer_growth_percent"], "PARTITION", "outputs";
    /// Bytes that a device holds.
    DeviceSize: "device-size", "What a device holds did not grow.",
        ["size.device_growth_percent"], "device", "device_bytes";
    /// Versions.
    Version: "version", "Versions of the program and the vendor toolkit are those of the baseline.",
        ["changes.toolkit", "changes.program"], "onnxruntime, onnxruntime_qnn or autoneural", "versions";
    /// Weights and settings.
    Input: "input", "Weights and settings are those of the baseline.",
        ["changes.weights", "changes.settings"], "weights or settings", "inputs";
    /// Exceptions that are over, or fit nothing.
    Exception: "exception", "Exceptions are in force and fit something.",
        [], "", "outputs";
}

impl Rule {
    /// Its name.
    pub fn id(self) -> &'static str {
        self.stated().id
    }

    /// What it looks at, in a sentence.
    pub fn describe(self) -> &'static str {
        self.stated().what
    }

    /// The unit of its limit, with a space before it where there is one; `None` if it has no figure to limit.
    pub fn unit(self) -> Option<&'static str> {
        let key = *self.stated().keys.first()?;
        match key.rsplit('_').next() {
            _ if key.starts_with("changes.") => None,
            Some("db") => Some(" dB"),
            Some("percent") => Some(" %"),
            Some("points") => Some(" points of percent"),
            _ => Some(""),
        }
    }

    /// Whether an exception may be made from it; one from the check of exceptions is a later last day.
    pub fn can_be_excepted(self) -> bool {
        self != Rule::Exception
    }

    /// Whether its limit is the least that is allowed, whatever the baseline says.
    pub fn is_floor(self) -> bool {
        matches!(self, Rule::SqnrFloor | Rule::LayerFloor | Rule::FrozenFloor)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.id())
    }
}
