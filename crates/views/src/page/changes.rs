//! What changed against a baseline or another bundle: figures that got better or worse, the first layer that got worse,
//! what it was made from, encodings.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Trend;
use super::layers::{Layer, PartitionLayers};
use super::subject::{Reference, Subject};
use super::table::{Cell, Table};
use crate::gate::{PartitionFacts, TensorFact};
use autoneural_app::report::Columns;

/// Lines of a list that are shown at most.
const MOST: usize = 100;

/// How many figures turned out how.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    better: usize,
    same: usize,
    worse: usize,
}

impl Counts {
    fn add(&mut self, turn: Trend) {
        match turn {
            Trend::Better => self.better += 1,
            Trend::Same => self.same += 1,
            Trend::Worse => self.worse += 1,
        }
    }

    fn cells(self) -> [Cell; 2] {
        if self.better + self.same + self.worse == 0 {
            return [Cell::Missing, Cell::Nothing];
        }
        [Cell::Number(self.better.to_string()), Cell::Number(self.worse.to_string()).bad_if(self.worse > 0)]
    }

    fn all(self) -> usize {
        self.better + self.same + self.worse
    }
}

/// A layer or an output that both have a figure of.
struct Compared<'a> {
    name: &'a str,
    ours: f64,
    theirs: f64,
    turn: Trend,
}

/// The column that both have: the NPU's, else the simulation's.
fn both(ours: Columns, theirs: Columns) -> Option<(f64, f64)> {
    ours.npu.zip(theirs.npu).or(match (ours.npu, theirs.npu) {
        (None, None) => ours.simulated.zip(theirs.simulated),
        _ => None,
    })
}

/// The layers of a partition, in the network's order.
fn layers<'a>(subject: &Subject, part: &'a PartitionLayers, theirs: &PartitionFacts) -> Vec<(&'a Layer, Compared<'a>)> {
    let compared = |layer: &'a Layer| {
        let (ours, theirs) = both(Columns { simulated: layer.sim, npu: layer.npu }, *theirs.layers.get(&layer.name)?)?;
        let turn = subject.tolerances.layer(ours, theirs);
        Some((layer, Compared { name: &layer.name, ours, theirs, turn }))
    };
    let is_measured = part.measured && !theirs.layers.is_empty();
    if is_measured { part.layers.iter().filter_map(compared).collect() } else { vec![] }
}

fn outputs<'a>(subject: &'a Subject, name: &str, theirs: &PartitionFacts) -> Vec<Compared<'a>> {
    let Some(partition) = subject.report.partitions.iter().find(|partition| partition.name == name) else {
        return vec![];
    };
    let compared = |output: &'a autoneural_app::report::OutputReport| {
        let (ours, theirs) = both(output.sqnr_db, theirs.outputs.get(&output.name)?.sqnr_db)?;
        let turn = Trend::of(ours - theirs, subject.tolerances.output_db);
        Some(Compared { name: &output.name, ours, theirs, turn })
    };
    partition.outputs.iter().filter_map(compared).collect()
}

/// A line per partition: outputs and layers that got better and worse, and the first layer that got worse.
pub fn figures(subject: &Subject, reference: &Reference) -> Table {
    let mut table = Table::new(&[
        "partition",
        "outputs better",
        "outputs worse",
        "layers better",
        "layers worse",
        "first layer that got worse",
        "by",
    ]);
    for (at, part) in subject.parts.iter().enumerate() {
        let Some(theirs) = reference.facts.partitions.get(&part.name) else {
            table.row(vec![Cell::text(&part.name), Cell::text("new")]);
            continue;
        };
        let (mut of_outputs, mut of_layers) = (Counts::default(), Counts::default());
        outputs(subject, &part.name, theirs).iter().for_each(|found| of_outputs.add(found.turn));
        let layers = layers(subject, part, theirs);
        layers.iter().for_each(|(_, found)| of_layers.add(found.turn));
        let mut row = vec![Cell::text(&part.name)];
        row.extend(of_outputs.cells());
        row.extend(of_layers.cells());
        // What only moves numbers moves their noise: the layer before it is the one.
        let first = layers.iter().find(|(layer, found)| found.turn == Trend::Worse && !layer.moves);
        match first {
            Some((layer, found)) => {
                row.push(Cell::Link(layer.name.clone(), subject.layer_link(at, &layer.name)));
                row.push(Cell::Bad(format!("{:.1} dB, was {:.1} dB", found.ours, found.theirs)));
            }
            None if of_layers.all() == 0 => row.extend([Cell::text("layers were not measured in both"), Cell::Nothing]),
            None => row.extend([Cell::text("none"), Cell::Nothing]),
        }
        table.row(row);
    }
    for name in reference.facts.partitions.keys().filter(|name| subject.parts.iter().all(|part| part.name != **name)) {
        table.row(vec![Cell::text(name), Cell::text("gone")]);
    }
    table
}

/// Every output and layer that got better or worse, those that got worse first and in the network's order.
pub fn places(subject: &Subject, reference: &Reference) -> (Table, usize) {
    let mut table = Table::new(&["partition", "what", "name", reference.title, "this bundle", reference.against]);
    let mut rows: Vec<(Trend, Vec<Cell>)> = Vec::new();
    for part in &subject.parts {
        let Some(theirs) = reference.facts.partitions.get(&part.name) else { continue };
        let found = outputs(subject, &part.name, theirs).into_iter().map(|found| ("output", found));
        let of_layers = layers(subject, part, theirs);
        let found = found.chain(of_layers.into_iter().map(|(_, found)| ("layer", found)));
        rows.extend(found.filter(|(_, found)| found.turn != Trend::Same).map(|(what, found)| {
            let change = super::change::Change::of(found.ours, found.theirs, 0.0, 2, " dB");
            let cells = vec![
                Cell::text(&part.name),
                Cell::text(what),
                Cell::text(found.name),
                Cell::figure(Some(found.theirs), 1, " dB"),
                Cell::figure(Some(found.ours), 1, " dB"),
                Cell::Change(change),
            ];
            (found.turn, cells)
        }));
    }
    rows.sort_by_key(|(turn, _)| *turn != Trend::Worse);
    let more = rows.len().saturating_sub(MOST);
    rows.into_iter().take(MOST).for_each(|(_, row)| table.row(row));
    (table, more)
}

/// What it was made from and with: settings of the recipe where both are known, versions, files.
pub fn made_from(subject: &Subject, reference: &Reference) -> Table {
    let mut table = Table::new(&["what", reference.title, "this bundle"]);
    let (ours, theirs) = (&subject.facts, reference.facts);
    let mut differ = |what: &str, theirs: Option<&str>, ours: Option<&str>, none: &str| {
        if theirs != ours {
            let say = |text: Option<&str>| Cell::text(text.unwrap_or(none));
            table.row(vec![Cell::text(what), say(theirs), say(ours)]);
        }
    };
    differ("model", Some(&theirs.model), Some(&ours.model), "");
    differ("target", Some(&theirs.target), Some(&ours.target), "");
    differ("recipe's name", Some(&theirs.recipe), Some(&ours.recipe), "");
    let samples = |samples: usize, steps: usize| format!("{samples} samples, {steps} steps behind each");
    let (before, now) = (samples(theirs.samples, theirs.steps), samples(ours.samples, ours.steps));
    differ("verification", Some(&before), Some(&now), "");
    if let Some(before) = reference.settings {
        for key in union(before, &subject.settings) {
            let value = |settings: &BTreeMap<String, String>| settings.get(key).cloned();
            differ(&format!("recipe: {key}"), value(before).as_deref(), value(&subject.settings).as_deref(), "not set");
        }
    }
    for key in union(&theirs.versions, &ours.versions) {
        let value = |of: &BTreeMap<String, String>| of.get(key).cloned();
        differ(
            &format!("version of {key}"),
            value(&theirs.versions).as_deref(),
            value(&ours.versions).as_deref(),
            "none",
        );
    }
    for key in union(&theirs.inputs, &ours.inputs) {
        let value = |of: &BTreeMap<String, String>| of.get(key).map(|hash| format!("sha256 {hash}…"));
        differ(key, value(&theirs.inputs).as_deref(), value(&ours.inputs).as_deref(), "not there");
    }
    for (name, now) in &ours.partitions {
        let before = theirs.partitions.get(name).map(|before| before.weights.as_str());
        differ(&format!("bits of {name}"), before, Some(&now.weights), "no such partition");
    }
    table
}

fn union<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

/// A line per partition whose encodings changed.
pub fn encodings(subject: &Subject, reference: &Reference) -> Table {
    let titles =
        ["partition", "other integers", "ranges that moved", "scales that moved", "new tensors", "gone", "farthest"];
    let mut table = Table::new(&titles);
    let tolerances = &subject.tolerances;
    for (name, ours) in &subject.facts.partitions {
        let Some(theirs) = reference.facts.partitions.get(name) else { continue };
        let mut integers: Vec<String> = Vec::new();
        let (mut moved, mut new, mut gone) = ([0usize; 2], 0, 0);
        let mut farthest: Option<(f64, &String)> = None;
        let both = [
            (&ours.activations, &theirs.activations, tolerances.range_percent),
            (&ours.constants, &theirs.constants, tolerances.scale_percent),
        ];
        for (kind, (ours, theirs, most)) in both.into_iter().enumerate() {
            for key in union(ours, theirs) {
                match (ours.get(key), theirs.get(key)) {
                    (Some(now), Some(before)) if now.integer() != before.integer() => {
                        integers.push(format!("{key} {} → {}", before.integer().name(), now.integer().name()));
                    }
                    (Some(now), Some(before)) => {
                        // Another number of scales is farther than any percentage.
                        let percent = TensorFact::moved_percent(now, before).unwrap_or(f64::INFINITY);
                        if percent > most {
                            moved[kind] += 1;
                            if farthest.is_none_or(|(far, _)| percent > far) {
                                farthest = Some((percent, key));
                            }
                        }
                    }
                    (Some(_), None) => new += 1,
                    (None, _) => gone += 1,
                }
            }
        }
        if integers.is_empty() && moved == [0, 0] && new + gone == 0 {
            continue;
        }
        let more = integers.len().saturating_sub(3);
        let mut said = integers.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            said.push_str(&format!(" and {more} more"));
        }
        let farthest = farthest.map_or(String::new(), |(percent, name)| match percent.is_finite() {
            true => format!("{name} by {percent:.0} %"),
            false => format!("{name}, other scales"),
        });
        let mut row = vec![Cell::text(name), Cell::Text(if said.is_empty() { "none".into() } else { said })];
        row.extend([moved[0], moved[1], new, gone].map(|count| Cell::Number(count.to_string())));
        row.push(Cell::Text(farthest));
        table.row(row);
    }
    table
}

/// All of it in a sentence.
pub fn sentence(subject: &Subject, reference: &Reference) -> String {
    let (mut of_outputs, mut of_layers) = (Counts::default(), Counts::default());
    for part in &subject.parts {
        let Some(theirs) = reference.facts.partitions.get(&part.name) else { continue };
        outputs(subject, &part.name, theirs).iter().for_each(|found| of_outputs.add(found.turn));
        layers(subject, part, theirs).iter().for_each(|(_, found)| of_layers.add(found.turn));
    }
    let said = |counts: Counts, what: &str| match counts {
        counts if counts.all() == 0 => format!("{what}: not measured in both"),
        Counts { better: 0, worse: 0, same } => format!("{what}: all {same} the same"),
        Counts { better, same, worse } => format!("{what}: {better} better, {worse} worse, {same} the same"),
    };
    format!("{}; {}", said(of_outputs, "outputs"), said(of_layers, "layers"))
}
