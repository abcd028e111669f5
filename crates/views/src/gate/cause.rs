//! Which checks follow from which: one change makes many checks fail, and a person wants the first.
//!
//! What was changed comes first: integers, tensors, encodings and versions that are others. Where data flows from that
//! to a layer or an output that got worse, this follows from it. Where nothing was changed, the first layer that got
//! worse stands for those that read it. Partitions are measured alone, on float inputs, so that noise stays in one;
//! ranges of activations and whole sequences go through all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::check::{Check, Location, Outcome};
use super::flow::Flow;
use super::rule::Rule;

/// A failed check that follows from no other, with those that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// What it is.
    pub kind: CauseKind,
    /// Where it begins: of several tensors the first in the flow.
    pub place: Location,
    /// What happened there, in a line.
    pub message: String,
    /// The check, by its position in the list of checks.
    pub check: usize,
    /// The checks that follow from it, by position, in the order of the flow.
    pub follows: Vec<usize>,
}

/// What a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CauseKind {
    /// The graph, its tensors or their integers are others.
    Graph,
    /// Encodings moved.
    Encoding,
    /// Versions, weights or settings are others.
    Version,
    /// A layer got worse, nothing that it is made from did.
    Layer,
    /// An output got worse, no layer before it did.
    Output,
    /// Something that stands for itself.
    Other,
}

impl CauseKind {
    /// Whether what follows from it does so by what reads what; from a version it may only.
    pub fn is_certain(self) -> bool {
        self != CauseKind::Version
    }
}

/// Groups the failed checks.
pub(crate) fn causes(checks: &[Check], flow: &Flow) -> Vec<Cause> {
    let failed: Vec<usize> = (0..checks.len()).filter(|&at| checks[at].outcome == Outcome::Failed).collect();
    if failed.is_empty() {
        return vec![];
    }
    let found = Found::new(checks, &failed, flow);
    let mut above = vec![None; checks.len()];
    failed.iter().for_each(|&at| above[at] = found.above(at));
    let top = |mut at: usize| {
        // Each step goes to what comes before in the flow, so there is an end.
        while let Some(next) = above[at].filter(|&next| next != at) {
            at = next;
        }
        at
    };
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in &failed {
        let group = groups.entry(top(at)).or_default();
        group.extend(Some(at).filter(|at| above[*at].is_some_and(|above| above != *at)));
    }
    let mut made: Vec<Cause> = Vec::new();
    for (at, mut follows) in groups {
        follows.sort_by_cached_key(|&one| (found.order(one), one));
        made.push(found.cause(at, follows));
    }
    made.sort_by_cached_key(|cause| (Reverse(cause.follows.len()), cause.kind, found.order(cause.check), cause.check));
    made
}

/// The failed checks where they are in the flow.
struct Found<'a> {
    checks: &'a [Check],
    failed: &'a [usize],
    flow: &'a Flow,
    /// Of each tensor: the check that tells that it was changed.
    change: Vec<Option<usize>>,
    /// Of each tensor: the first change before it or at it that brings noise, and the check that tells of it.
    changed: Vec<Option<(usize, usize)>>,
    /// The same for ranges: what comes through all partitions.
    ranges: Vec<Option<(usize, usize)>>,
    /// The first layer or output before it or at it that got worse.
    worse: Vec<Option<(usize, usize)>>,
    /// A version, weights or settings that are others and must not be: they explain what nothing else does.
    version: Option<usize>,
    /// The first check in the flow that changes what comes out at its end.
    first: Option<usize>,
}

impl<'a> Found<'a> {
    fn new(checks: &'a [Check], failed: &'a [usize], flow: &'a Flow) -> Self {
        let count = flow.cells().len();
        let (mut change, mut range, mut symptom) = (vec![None; count], vec![None; count], vec![None; count]);
        // A change without a tensor that is still there is one of the whole partition.
        let mut whole: Vec<Option<usize>> = vec![];
        for &at in failed {
            let check = &checks[at];
            let Some(partition) = flow.partition(&check.place.partition) else { continue };
            whole.resize(whole.len().max(partition + 1), None);
            let cells = check.about.iter().map(|name| flow.find(&check.place.partition, name));
            match check.rule {
                Rule::GraphChanged => {
                    for cell in cells {
                        match cell {
                            Some(cell) => change[cell] = Some(at),
                            None => whole[partition] = Some(at),
                        }
                    }
                }
                Rule::ConstantsMoved | Rule::ActivationsMoved => {
                    for cell in cells.flatten() {
                        change[cell] = change[cell].or(Some(at));
                        range[cell] = Some(at);
                    }
                }
                rule if is_symptom(rule) => {
                    if let Some(cell) = flow.find(&check.place.partition, &check.place.name) {
                        symptom[cell] = symptom[cell].or(Some(at));
                    }
                }
                _ => {}
            }
        }
        let first =
            |from: &[Option<(usize, usize)>], cells: &[usize]| cells.iter().filter_map(|&cell| from[cell]).min();
        let (mut changed, mut ranges, mut worse) = (vec![], vec![], vec![]);
        for (at, cell) in flow.cells().iter().enumerate() {
            // Before every tensor of the partition.
            let of_all = whole.get(cell.partition).copied().flatten().map(|check| (0, check));
            // What graphs of a group have in common is changed once, in the first.
            let is_twin_changed = |check: usize| {
                cell.same
                    .iter()
                    .filter_map(|&twin| Some((twin, change[twin]?)))
                    .find(|(_, other): &(usize, usize)| checks[*other].rule == checks[check].rule)
            };
            let own = change[at].map(|check| is_twin_changed(check).unwrap_or((at, check)));
            changed.push(first(&changed, &cell.reads).into_iter().chain(of_all).chain(own).min());
            let before = first(&ranges, &cell.reads).into_iter().chain(first(&ranges, &cell.same)).min();
            ranges.push(before.or(range[at].map(|check| (at, check))));
            worse.push(first(&worse, &cell.reads).or(symptom[at].map(|check| (at, check))));
        }
        let mut found = Found { checks, failed, flow, change, changed, ranges, worse, version: None, first: None };
        found.version = found.of(&[Rule::Version, Rule::Input], None);
        let changes_numbers = |at: &&usize| {
            let Check { rule, place, .. } = &checks[**at];
            let is_change = matches!(rule, Rule::ActivationsMoved | Rule::ConstantsMoved | Rule::GraphChanged);
            (is_change || is_symptom(*rule)) && !place.partition.is_empty()
        };
        found.first = failed.iter().filter(changes_numbers).min_by_key(|at| found.order(**at)).copied();
        found
    }

    fn cell(&self, at: usize) -> Option<usize> {
        let check = &self.checks[at];
        if check.rule == Rule::Demands {
            // The sentence begins with the place.
            let (partition, rest) = check.message.split_once(": ")?;
            return self.flow.find(partition, rest.split_once(": ")?.0);
        }
        let cells = check.about.iter().filter_map(|name| self.flow.find(&check.place.partition, name));
        cells.min().or_else(|| self.flow.find(&check.place.partition, &check.place.name))
    }

    /// The check that this one follows from.
    fn above(&self, at: usize) -> Option<usize> {
        let check = &self.checks[at];
        let cell = self.cell(at);
        match check.rule {
            // Constants are what they were made to be.
            Rule::GraphChanged => self.changed_here(cell?, at),
            Rule::ActivationsMoved | Rule::ConstantsMoved => {
                self.ranges[cell?].map(|(_, check)| check).filter(|&other| other != at)
            }
            rule if is_symptom(rule) && !check.place.partition.is_empty()
                || rule == Rule::Demands && cell.is_some() =>
            {
                let before =
                    cell.and_then(|cell| self.changed[cell].or(self.worse[cell].filter(|_| self.version.is_none())));
                before.map(|(_, check)| check).or(self.version)
            }
            Rule::Goal | Rule::ChainSqnr | Rule::ChainTokens | Rule::Accuracy | Rule::Perplexity | Rule::Demands => {
                self.first.or(self.version).or_else(|| self.sequences(at))
            }
            Rule::Top5 | Rule::SameClass | Rule::SetSqnr | Rule::WorstSample => self.first.or(self.version),
            Rule::BinarySize | Rule::BufferSize | Rule::NodesOutside => {
                self.of(&[Rule::GraphChanged], Some(&check.place.partition)).or(self.version)
            }
            Rule::DeviceSize => {
                self.of(&[Rule::BinarySize, Rule::BufferSize, Rule::GraphChanged], None).or(self.version)
            }
            _ => None,
        }
    }

    /// Where the same change is told of a partition before.
    fn changed_here(&self, cell: usize, at: usize) -> Option<usize> {
        self.flow.cells()[cell].same.iter().find_map(|&twin| {
            self.change[twin].filter(|&other| other != at && self.checks[other].rule == self.checks[at].rule)
        })
    }

    /// Answers and tokens of sequences follow from the logits of sequences.
    fn sequences(&self, at: usize) -> Option<usize> {
        self.of(&[Rule::Goal, Rule::ChainSqnr, Rule::ChainTokens], Some("")).filter(|&other| other < at)
    }

    fn of(&self, rules: &[Rule], partition: Option<&str>) -> Option<usize> {
        let fits =
            |check: &Check| rules.contains(&check.rule) && partition.is_none_or(|name| check.place.partition == name);
        rules.iter().find_map(|rule| {
            self.failed.iter().copied().find(|&at| self.checks[at].rule == *rule && fits(&self.checks[at]))
        })
    }

    /// Position in the flow; what is of the bundle as a whole comes last.
    fn order(&self, at: usize) -> (usize, usize) {
        let partition = self.flow.partition(&self.checks[at].place.partition).unwrap_or(usize::MAX);
        (partition, self.cell(at).unwrap_or(usize::MAX))
    }

    fn cause(&self, at: usize, follows: Vec<usize>) -> Cause {
        let check = &self.checks[at];
        let kind = match check.rule {
            Rule::GraphChanged => CauseKind::Graph,
            Rule::ActivationsMoved | Rule::ConstantsMoved => CauseKind::Encoding,
            Rule::Version | Rule::Input => CauseKind::Version,
            Rule::LayerDrop | Rule::LayerFloor => CauseKind::Layer,
            Rule::Goal if check.place.partition.is_empty() => CauseKind::Other,
            Rule::Goal | Rule::SqnrFloor | Rule::SqnrDrop | Rule::RmsError | Rule::OutputWorst => CauseKind::Output,
            _ => CauseKind::Other,
        };
        let (mut place, mut message) = (check.place.clone(), check.message.clone());
        let cell = |name: &String| self.flow.find(&check.place.partition, name).unwrap_or(usize::MAX);
        let first = (0..check.about.len()).min_by_key(|&index| cell(&check.about[index]));
        if let Some(first) = first.filter(|&first| kind == CauseKind::Encoding && first > 0) {
            let name = &check.about[first];
            let text = check.details.get(first).and_then(|line| line.strip_prefix(name.as_str())).unwrap_or_default();
            message = format!("{}; the farthest is {}, {message}", text.trim_start(), place.name);
            place.name.clone_from(name);
        }
        Cause { kind, place, message, check: at, follows }
    }
}

/// Whether a check is about the figure of a layer or an output.
fn is_symptom(rule: Rule) -> bool {
    use Rule::{Goal, LayerDrop, LayerFloor, OutputWorst, RmsError, SqnrDrop, SqnrFloor};
    matches!(rule, Goal | SqnrFloor | SqnrDrop | RmsError | OutputWorst | LayerFloor | LayerDrop)
}
