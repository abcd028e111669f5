//! Checks of what is no figure: encodings, tensors, versions, inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, Location, Outcome, Rule};
use super::facts::{Facts, PartitionFacts};
use super::judge::Judge;
use super::tensor::TensorFact;
use autoneural_bundle::INPUTS;

/// Names that a sentence has at most.
const MOST_NAMES: usize = 5;

/// A few of many names, for a sentence.
pub(crate) fn some<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Adds all checks of changes.
pub(crate) fn check(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let (gone, new) = differences(&baseline.partitions, &now.partitions);
    if !gone.is_empty() || !new.is_empty() {
        let place = Location::of("", "partitions");
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

/// Something of a graph that is otherwise: a tensor, or the partition as a whole where the name is empty.
struct Difference<'a> {
    kind: &'static str,
    name: &'a str,
    text: String,
}

fn graph_differences<'a>(before: &'a PartitionFacts, now: &'a PartitionFacts) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    let mut tell = |kind: &'static str, (gone, new): (Vec<&'a str>, Vec<&'a str>)| {
        for (names, word) in [(gone, "gone"), (new, "new")] {
            found.extend(names.into_iter().map(|name| Difference { kind, name, text: word.to_string() }));
        }
    };
    tell("output", differences(&before.outputs, &now.outputs));
    tell("activation", differences(&before.activations, &now.activations));
    tell("constant", differences(&before.constants, &now.constants));
    let mut whole = |text: String| found.push(Difference { kind: "", name: "", text });
    if before.nodes != now.nodes {
        whole(format!("{} nodes, {} in the baseline", now.nodes, before.nodes));
    }
    if before.weights != now.weights {
        whole(format!("bits are {}, {} in the baseline", now.weights, before.weights));
    }
    for (old, new) in [(&before.activations, &now.activations), (&before.constants, &now.constants)] {
        for (name, fact) in new {
            if let Some(old) = old.get(name).filter(|old| old.integer() != fact.integer()) {
                let text = format!("{name} is {}, {} in the baseline", fact.integer().name(), old.integer().name());
                found.push(Difference { kind: "integers", name, text });
            }
        }
    }
    found
}

/// Outputs and tensors that are gone or new, and tensors whose integers are others. An exception is one for the
/// partition, or for a tensor of it.
fn graph(judge: &mut Judge, partition: &str, before: &PartitionFacts, now: &PartitionFacts) {
    let all = graph_differences(before, now);
    let mut exception = None;
    let (mut accepted, mut found) = (Vec::new(), Vec::new());
    let whole = judge.exception(Rule::GraphChanged, &Location::of(partition, ""));
    for difference in all {
        let own = match difference.name {
            "" => None,
            name => judge.exception(Rule::GraphChanged, &Location::of(partition, name)),
        };
        match own.or(whole) {
            Some(fits) => {
                exception = Some(judge.need(fits));
                accepted.push(difference);
            }
            None => found.push(difference),
        }
    }
    let (outcome, shown) = match (found.is_empty(), accepted.is_empty()) {
        (false, _) => (Outcome::Failed, &found),
        (true, false) => (Outcome::Excepted, &accepted),
        (true, true) => (Outcome::Passed, &found),
    };
    let mut parts: Vec<String> = Vec::new();
    for kind in ["output", "activation", "constant"] {
        let named = |word: &str| -> Vec<&str> {
            shown.iter().filter(|d| d.kind == kind && d.text == word).map(|d| d.name).collect()
        };
        parts.extend(Some(gone_and_new(kind, &named("gone"), &named("new"))).filter(|text| !text.is_empty()));
    }
    parts.extend(shown.iter().filter(|d| d.kind.is_empty()).map(|d| d.text.clone()));
    let others: Vec<String> = shown.iter().filter(|d| d.kind == "integers").map(|d| d.text.clone()).collect();
    if !others.is_empty() {
        parts.push(format!("other integers: {}", some(&others)));
    }
    let message =
        if parts.is_empty() { "the same tensors with the same integers".to_string() } else { parts.join("; ") };
    let about = shown.iter().map(|difference| difference.name.to_string()).collect();
    let details = if others.len() > MOST_NAMES { others } else { vec![] };
    let exception = exception.filter(|_| outcome == Outcome::Excepted);
    let check = Check::new(Rule::GraphChanged, Location::of(partition, ""), outcome, message);
    judge.add(Check { details, about, exception, ..check });
}

/// One check for all encodings of a kind in a partition, with the tensors that moved too far as its details; a set of
/// samples that is another moves hundreds. An exception is one for the partition, or for a tensor of it.
fn moved(
    judge: &mut Judge,
    rule: Rule,
    partition: &str,
    before: &BTreeMap<String, TensorFact>,
    now: &BTreeMap<String, TensorFact>,
    limit: f64,
) {
    let (mut compared, mut farthest, mut found) = (0, 0.0f64, Vec::new());
    let (mut accepted, mut exception) = (0, None);
    let whole = judge.exception(rule, &Location::of(partition, ""));
    for (name, fact) in now {
        let Some(old) = before.get(name).filter(|old| old.integer() == fact.integer()) else { continue };
        let percent = fact.moved_percent(old).unwrap_or(f64::INFINITY);
        let fits = judge.exception(rule, &Location::of(partition, name)).or(whole);
        let most = fits.map_or(limit, |exception| exception.limit.unwrap_or(f64::INFINITY));
        compared += 1;
        if percent > most {
            found.push((percent, name, format!("moved by {percent:.1} %: {fact}, {old} in the baseline")));
            continue;
        }
        farthest = farthest.max(percent);
        if let Some(fits) = fits.filter(|_| percent > limit) {
            exception = Some(judge.need(fits));
            accepted += 1;
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let details: Vec<String> = found.iter().map(|(_, name, text)| format!("{name} {text}")).collect();
    let (outcome, message) = match (found.first(), accepted) {
        (None, 0) => (Outcome::Passed, format!("{compared} compared, the farthest moved by {farthest:.2} %")),
        (None, accepted) => {
            let message =
                format!("{accepted} of {compared} moved by more than {limit} %, the farthest by {farthest:.1} %");
            (Outcome::Excepted, message)
        }
        (Some((_, _, worst)), _) => {
            let others =
                if found.len() > 1 { format!(" (the worst of {} of {compared})", found.len()) } else { String::new() };
            (Outcome::Failed, format!("{worst}; at most {limit} % allowed{others}"))
        }
    };
    // The place is the tensor that moved farthest, so that it can be found in the baseline.
    let place = Location::of(partition, found.first().map_or("", |(_, name, _)| name));
    let now = found.first().map_or(farthest, |(percent, ..)| *percent);
    let about = found.iter().map(|(_, name, _)| name.to_string()).collect();
    let exception = exception.filter(|_| outcome == Outcome::Excepted);
    let needs = Some(now.ceil()).filter(|limit| outcome == Outcome::Failed && limit.is_finite());
    let check = Check::new(rule, place, outcome, message);
    judge.add(Check { now: Some(now), limit: Some(limit), worse: now, details, about, needs, exception, ..check });
}

fn versions(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let names: BTreeSet<&String> = baseline.versions.keys().chain(now.versions.keys()).collect();
    let changes = &judge.thresholds.changes;
    let (toolkit, program) = (changes.toolkit, changes.program);
    for name in names {
        let policy = if name == autoneural_base::version::PROGRAM { program } else { toolkit };
        let say = |version: Option<&String>| version.map_or("none".to_string(), String::clone);
        let (before, after) = (baseline.versions.get(name), now.versions.get(name));
        let place = Location::of("", name);
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
        others.partition(|path| path.ends_with(".toml") || *path == INPUTS);
    let changes = &judge.thresholds.changes;
    for (kind, policy, paths) in [("weights", changes.weights, weights), ("settings", changes.settings, settings)] {
        let place = Location::of("", kind);
        match paths.is_empty() {
            true => judge.add(Check::new(Rule::Input, place, Outcome::Passed, "the same as in the baseline")),
            false => judge.change(Rule::Input, place, policy, format!("different from the baseline: {}", some(&paths))),
        }
    }
}
