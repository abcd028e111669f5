//! Checks of what is no figure: encodings, tensors, versions, inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, Outcome, Place, Rule};
use super::facts::{Facts, PartitionFacts};
use super::judge::Judge;
use super::tensor::TensorFact;
use crate::back::bundle::IMAGES;

/// Names that a sentence has at most.
const MOST_NAMES: usize = 5;

/// A few of many names, for a sentence.
pub fn some<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Adds all checks of changes.
pub fn check(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let (gone, new) = differences(&baseline.partitions, &now.partitions);
    if !gone.is_empty() || !new.is_empty() {
        let place = Place::of("", "partitions");
        judge.add(Check::new(Rule::GraphChanged, place, Outcome::Failed, gone_and_new("partition", &gone, &new)));
    }
    for (name, partition) in &now.partitions {
        if let Some(before) = baseline.partitions.get(name) {
            graph(judge, name, before, partition);
            let encodings = &judge.thresholds.encodings;
            let (range, scale) = (encodings.range_moved_percent, encodings.scale_moved_percent);
            moved(judge, Rule::ActivationsMoved, name, &before.activations, &partition.activations, range);
            moved(judge, Rule::ConstantsMoved, name, &before.constants, &partition.constants, scale);
        }
    }
    versions(judge, baseline, now);
    inputs(judge, baseline, now);
}

fn differences<'a, T>(before: &'a BTreeMap<String, T>, now: &'a BTreeMap<String, T>) -> (Vec<&'a str>, Vec<&'a str>) {
    let missing = |from: &'a BTreeMap<String, T>, of: &BTreeMap<String, T>| {
        from.keys().filter(|name| !of.contains_key(*name)).map(String::as_str).collect()
    };
    (missing(before, now), missing(now, before))
}

fn gone_and_new(what: &str, gone: &[&str], new: &[&str]) -> String {
    let part = |names: &[&str], word: &str| match names.len() {
        0 => None,
        1 => Some(format!("1 {what} is {word} ({})", names[0])),
        count => Some(format!("{count} {what}s are {word} ({})", some(names))),
    };
    [part(gone, "gone"), part(new, "new")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Outputs and tensors that are gone or new, and tensors whose integers are others.
fn graph(judge: &mut Judge, partition: &str, before: &PartitionFacts, now: &PartitionFacts) {
    let mut parts = Vec::new();
    let mut tell = |what: &str, (gone, new): (Vec<&str>, Vec<&str>)| {
        parts.extend(Some(gone_and_new(what, &gone, &new)).filter(|text| !text.is_empty()));
    };
    tell("output", differences(&before.outputs, &now.outputs));
    tell("activation", differences(&before.activations, &now.activations));
    tell("constant", differences(&before.constants, &now.constants));
    if before.nodes != now.nodes {
        parts.push(format!("{} nodes, {} in the baseline", now.nodes, before.nodes));
    }
    if before.weights != now.weights {
        parts.push(format!("bits are {}, {} in the baseline", now.weights, before.weights));
    }
    let mut others = Vec::new();
    for (old, new) in [(&before.activations, &now.activations), (&before.constants, &now.constants)] {
        for (name, fact) in new {
            if let Some(old) = old.get(name)
                && old.integer() != fact.integer()
            {
                others.push(format!("{name} is {}, {} in the baseline", fact.integer().name(), old.integer().name()));
            }
        }
    }
    if !others.is_empty() {
        parts.push(format!("other integers: {}", some(&others)));
    }
    let (outcome, message) = match parts.is_empty() {
        true => (Outcome::Passed, "the same tensors with the same integers".to_string()),
        false => (Outcome::Failed, parts.join("; ")),
    };
    let details = if others.len() > MOST_NAMES { others } else { vec![] };
    judge.add(Check { details, ..Check::new(Rule::GraphChanged, Place::of(partition, ""), outcome, message) });
}

/// One check for all encodings of a kind in a partition, with the tensors that moved too far as its details; a set of
/// samples that is another moves hundreds.
fn moved(
    judge: &mut Judge,
    rule: Rule,
    partition: &str,
    before: &BTreeMap<String, TensorFact>,
    now: &BTreeMap<String, TensorFact>,
    limit: f64,
) {
    let (mut compared, mut farthest, mut found) = (0, 0.0f64, Vec::new());
    for (name, fact) in now {
        let Some(old) = before.get(name).filter(|old| old.integer() == fact.integer()) else { continue };
        let percent = fact.moved_percent(old).unwrap_or(f64::INFINITY);
        let (most, _) = judge.limit(rule, &Place::of(partition, name), limit);
        compared += 1;
        if percent > most {
            found.push((percent, name, format!("{name} moved by {percent:.1} %: {fact}, {old} in the baseline")));
        } else {
            farthest = farthest.max(percent);
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let details: Vec<String> = found.iter().map(|(_, _, text)| text.clone()).collect();
    let (outcome, message) = match found.first() {
        None => (Outcome::Passed, format!("{compared} compared, the farthest moved by {farthest:.2} %")),
        Some((_, _, worst)) => {
            let others =
                if found.len() > 1 { format!(" (the worst of {} of {compared})", found.len()) } else { String::new() };
            (Outcome::Failed, format!("{worst}; at most {limit} % allowed{others}"))
        }
    };
    // The place is the tensor that moved farthest, so that it can be found in the baseline.
    let place = Place::of(partition, found.first().map_or("", |(_, name, _)| name));
    let now = found.first().map_or(farthest, |(percent, ..)| *percent);
    let details = if details.len() > 1 { details } else { vec![] };
    let check = Check::new(rule, place, outcome, message);
    judge.add(Check { now: Some(now), limit: Some(limit), worse: now, details, ..check });
}

fn versions(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let names: BTreeSet<&String> = baseline.versions.keys().chain(now.versions.keys()).collect();
    let changes = &judge.thresholds.changes;
    let (toolkit, program) = (changes.toolkit, changes.program);
    for name in names {
        let policy = if name == env!("CARGO_PKG_NAME") { program } else { toolkit };
        let say = |version: Option<&String>| version.map_or("none".to_string(), String::clone);
        let (before, after) = (baseline.versions.get(name), now.versions.get(name));
        let place = Place::of("", name);
        match before == after {
            true => judge.add(Check::new(Rule::Version, place, Outcome::Passed, format!("version {}", say(after)))),
            false => {
                let message = format!("version {}, {} in the baseline", say(after), say(before));
                judge.change(Rule::Version, place, policy, message);
            }
        }
    }
}

fn inputs(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let paths: BTreeSet<&str> = baseline.inputs.keys().chain(now.inputs.keys()).map(String::as_str).collect();
    let others = paths.into_iter().filter(|path| baseline.inputs.get(*path) != now.inputs.get(*path));
    let (settings, weights): (Vec<&str>, Vec<&str>) =
        others.partition(|path| path.ends_with(".toml") || *path == IMAGES);
    let changes = &judge.thresholds.changes;
    for (kind, policy, paths) in [("weights", changes.weights, weights), ("settings", changes.settings, settings)] {
        let place = Place::of("", kind);
        match paths.is_empty() {
            true => judge.add(Check::new(Rule::Input, place, Outcome::Passed, "the same as in the baseline")),
            false => judge.change(Rule::Input, place, policy, format!("others than in the baseline: {}", some(&paths))),
        }
    }
}
