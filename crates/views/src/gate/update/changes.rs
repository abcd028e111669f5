//! What a new baseline changes, in lists.

use serde::Serialize;

use crate::gate::check::Location;

/// What a change is about. The order is that of summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Goals of the recipe.
    Goals,
    /// Outputs of partitions.
    Outputs,
    /// Layers.
    Layers,
    /// Whole sequences.
    Sequences,
    /// Evaluations.
    Evaluations,
    /// Partitions, nodes, tensors and their integers.
    Graph,
    /// Encodings that moved.
    Encodings,
    /// Bytes.
    Sizes,
    /// Versions, weights and settings.
    Versions,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 9] = [
        Group::Goals,
        Group::Outputs,
        Group::Layers,
        Group::Sequences,
        Group::Evaluations,
        Group::Graph,
        Group::Encodings,
        Group::Sizes,
        Group::Versions,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Group::Goals => "goals",
            Group::Outputs => "outputs",
            Group::Layers => "layers",
            Group::Sequences => "sequences",
            Group::Evaluations => "evaluations",
            Group::Graph => "graph",
            Group::Encodings => "encodings",
            Group::Sizes => "sizes",
            Group::Versions => "versions",
        }
    }
}

/// Something that a new baseline changes, or would.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it is about.
    pub group: Group,
    /// Where.
    pub place: Location,
    /// What, in a line.
    pub message: String,
    /// How far it is from what was accepted, to sort by: in percent of what the thresholds allow.
    #[serde(skip)]
    pub size: f64,
}

/// What a new baseline changes, in each list the farthest first.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Changes {
    /// Worse than the thresholds allow, or no longer there; accepted on purpose alone.
    pub looser: Vec<Change>,
    /// Better, or held for the first time.
    pub tighter: Vec<Change>,
    /// Worse or elsewhere within the thresholds: stays as it was accepted.
    pub kept: Vec<Change>,
    /// Under an exception, whatever it is: stays as it was accepted before.
    pub excepted: Vec<Change>,
    /// Neither better nor worse: encodings that moved, tensors, versions and inputs that are others.
    pub others: Vec<Change>,
}

impl Changes {
    /// Whether both are the same.
    pub fn is_empty(&self) -> bool {
        [&self.looser, &self.tighter, &self.kept, &self.excepted, &self.others].iter().all(|list| list.is_empty())
    }

    /// Puts the farthest of each group first.
    pub fn sort(&mut self) {
        let Changes { looser, tighter, kept, excepted, others } = self;
        for list in [looser, tighter, kept, excepted, others] {
            list.sort_by(|a, b| a.group.cmp(&b.group).then(b.size.total_cmp(&a.size)));
        }
    }
}
