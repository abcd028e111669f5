//! Round: under encodings that are settled, constants become codes. One unit of work for each layer, which is keyed by
//! the numbers, the encodings and the method: encodings that were edited by hand give new codes, and the others stay.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;

use super::codes::{file_names, file_of_others};
use super::kept_evidence::KeptEvidence;
use super::prefix::Prefix;
use crate::runs::is_run;
use crate::shards::RoundedParts;
use autoneural_base::error::Result;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Bundle, CODES, Key, Making};
use autoneural_core::doubts::{Moments, Noting};
use autoneural_core::evidence::EvidenceSource;
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::rounding::{LayerEvidence, Method, Rounder};
use autoneural_core::quantize::{Constants, Item, Layer, Table, round_layer, round_other, unpack};
use autoneural_engines::back::codes::{CodeFile, digest, write};
use autoneural_engines::back::onnx::DataWriter;

/// The layers of a group that are to be rounded, and what is known of those before them.
pub(crate) struct Rounding<'a> {
    /// The bundle that has the graphs, the encodings and the evidence.
    bundle: &'a Bundle,
    group: &'a Group,
    graphs: (&'a [Partition], &'a [Table]),
    constants: &'a Constants<'a>,
    rounder: Rounder,
    collected: &'a KeptEvidence<'a>,
    /// Made when the first layer is to be rounded by a method that follows the others.
    prefix: OnceCell<Prefix<'a>>,
}

/// The rounding of a layer.
pub(crate) struct Task {
    /// Its file of codes, in the group's folder.
    pub file: String,
    /// What it is made of.
    pub key: Key,
}

impl<'a> Rounding<'a> {
    /// The layers of a group, of which none is rounded.
    pub(crate) fn new(
        (bundle, group): (&'a Bundle, &'a Group),
        graphs: (&'a [Partition], &'a [Table]),
        (constants, rounder): (&'a Constants<'a>, Rounder),
        collected: &'a KeptEvidence<'a>,
    ) -> Self {
        Rounding { bundle, group, graphs, constants, rounder, collected, prefix: OnceCell::new() }
    }

    /// What is to be done, in order.
    ///
    /// # Errors
    /// The bundle lacks evidence.
    pub(crate) fn tasks(&self) -> Result<Vec<Task>> {
        let Rounding { bundle, rounder, .. } = self;
        let mut made = Vec::new();
        // What a method that follows the quantized layers makes of a layer depends on all of these.
        let mut before = rounder.follows().then(|| of_runs(bundle, self.graphs.0)).transpose()?;
        for ((layer, weights, biases), file) in self.constants.layers.iter().zip(file_names(self.constants)) {
            let key = key(bundle, self.group, std::iter::once(weights).chain(biases), &rounder.name())?;
            let evidence = LayerEvidence::new(layer, self.collected, false);
            let wanted = rounder.wants(layer).into_iter().flat_map(|want| evidence.asks(want));
            let wanted: BTreeSet<String> = wanted.map(|ask| KeptEvidence::path(&ask)).collect();
            let key = if wanted.is_empty() { key } else { bundle.key(key, |path| wanted.contains(path))? };
            let key = match &mut before {
                None => key,
                Some(before) => {
                    let key = key.and("before", before.digest());
                    *before = key.clone();
                    key
                }
            };
            made.push(Task { file, key });
        }
        Ok(made)
    }

    /// The name of a layer.
    pub(crate) fn name(&self, at: usize) -> &str {
        &self.constants.layers[at].0.name
    }

    /// Rounds a layer into the file `to`. Codes of a layer before it, by its file, are read by `written`. Gives the moments
    /// that said too little.
    ///
    /// # Errors
    /// The method fails, or a file cannot be read or written.
    pub(crate) fn layer(
        &self,
        at: usize,
        tasks: &[Task],
        to: &Path,
        written: &dyn Fn(&str) -> Result<CodeFile>,
    ) -> Result<Vec<Moments>> {
        if self.rounder.follows() && self.prefix.get().is_none() {
            let made = Prefix::new(self.bundle, self.graphs.0, self.graphs.1, self.collected)?;
            for (layer, task) in self.constants.layers.iter().zip(tasks).take(at) {
                settle(&made, layer, &written(&task.file)?);
            }
            self.prefix.get_or_init(|| made);
        }
        let source: &dyn EvidenceSource = self.prefix.get().map_or(self.collected, |prefix| prefix);
        let (layer, noting) = (&self.constants.layers[at], Noting::new(source));
        let (codes, of_biases) = round_layer(self.rounder, layer, &noting)?;
        let (_, weights, biases) = layer;
        let all: Vec<_> = std::iter::once((*weights, codes)).chain(biases.iter().copied().zip(of_biases)).collect();
        write(to, &all, &self.rounder.name())?;
        Ok(noting.doubtful())
    }

    /// Tells layers that follow what a layer became, where the method wants to know.
    ///
    /// # Errors
    /// The layer's codes cannot be read.
    pub(crate) fn settle(&self, at: usize, read: impl FnOnce() -> Result<CodeFile>) -> Result<()> {
        if let Some(prefix) = self.prefix.get() {
            settle(prefix, &self.constants.layers[at], &read()?);
        }
        Ok(())
    }
}

/// Makes the codes of all constants of a group: a file for each layer, and one for all other constants. Where there are
/// `parts`, layers were rounded before, and are taken from them. Gives the moments that said too little of what they were
/// asked for.
///
/// # Errors
/// A rounding method fails, evidence is missing, a file cannot be written, or a part does not have what it should.
pub(crate) fn round(
    (bundle, group): (&Making, &Group),
    graphs: (&[Partition], &[Table]),
    (constants, rounder): (&Constants, Rounder),
    parts: Option<&RoundedParts>,
    progress: &dyn Progress,
) -> Result<Vec<Moments>> {
    let collected = KeptEvidence(bundle);
    let rounding = Rounding::new((bundle, group), graphs, (constants, rounder), &collected);
    let (tasks, mut doubtful) = (rounding.tasks()?, Vec::new());
    let of_others = key(bundle, group, constants.others.iter(), "")?;
    let unit = |file: &str| format!("emit/codes/{group}/{file}");
    let mut is_known = constants.others.is_empty() || bundle.knows(&unit(""), &of_others)?;
    for Task { file, key } in &tasks {
        is_known &= bundle.knows(&unit(file), key)?;
    }
    if !is_known {
        progress.start(&format!("round {group}"), tasks.len() as u64);
    }
    let written = |file: &str| {
        let path = format!("{CODES}{group}/{file}");
        CodeFile::open(bundle.map(&path)?, &bundle.path(path))
    };
    for (at, Task { file, key }) in tasks.iter().enumerate() {
        if !is_known {
            progress.begin(rounding.name(at));
        }
        let folder_of_codes = format!("{CODES}{group}");
        let found: Vec<Moments> =
            bundle.unit(&unit(file), &folder_of_codes, key.clone(), &Silent, |folder| match parts {
                Some(parts) => parts.copy(&format!("{group}/{file}"), &key.digest(), &folder.join(file)),
                None => rounding.layer(at, &tasks, &folder.join(file), &written),
            })?;
        doubtful.extend(found);
        rounding.settle(at, || written(file))?;
        if !is_known {
            progress.tick(rounding.name(at));
        }
    }
    if !constants.others.is_empty() {
        bundle.unit(&unit(""), CODES.trim_end_matches('/'), of_others, &Silent, |folder| {
            let all: Vec<_> =
                constants.others.iter().map(|item| Ok((*item, round_other(item)?))).collect::<Result<_>>()?;
            write(&folder.join(file_of_others(group)), &all, Method::default().name())
        })?;
    }
    match is_known {
        true => progress.reuse(&format!("round {group}")),
        false => progress.finish(),
    }
    Ok(doubtful)
}

/// Tells the quantized prefix what a layer that is rounded stands for.
fn settle(prefix: &Prefix, (_, weights, biases): &(Layer, Item, Vec<Item>), codes: &CodeFile) {
    for Item { value, encoding } in std::iter::once(weights).chain(biases) {
        if let Some(packed) = codes.find(value, encoding) {
            let codes = unpack(encoding.integer, packed, value.shape.iter().product());
            prefix.settle(&value.name, encoding.dequantize(&codes, &value.shape));
        }
    }
}

/// What the runs of graphs and the encodings of their values are.
fn of_runs(bundle: &Bundle, partitions: &[Partition]) -> Result<Key> {
    bundle.key(Key::new(), |path| {
        let of_encodings = |partition: &Partition| path == format!("encodings/{}.json", partition.name);
        is_run(path, partitions) || partitions.iter().any(of_encodings)
    })
}

/// What codes are made of: numbers, by the file that they are in and their place in it, encodings, and the method.
fn key<'a>(bundle: &Bundle, group: &Group, items: impl Iterator<Item = &'a Item<'a>>, method: &str) -> Result<Key> {
    let data = format!("{}{}", bundle.folder_of(group), DataWriter::name_of(group));
    let key = bundle.key(Key::new(), |path| path == data)?.and("rounding", method);
    Ok(items.fold(key, |key, Item { value, encoding }| {
        let start = value.constant().and_then(|constant| constant.start());
        key.setting("constant", &(&value.name, &value.shape, start)).and("encoding", digest(encoding))
    }))
}
