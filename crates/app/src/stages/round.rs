//! Round: under encodings that are settled, constants become codes. One unit of work for each layer, which is keyed by
//! the numbers, the encodings and the method: encodings that were edited by hand give new codes, and the others stay.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::kept_evidence::KeptEvidence;
use super::prefix::Prefix;
use crate::runs::is_run;
use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Bundle, CODES, Key, Making};
use autoneural_core::doubts::{Moments, Noting};
use autoneural_core::encoding::Encoding;
use autoneural_core::evidence::EvidenceSource;
use autoneural_core::ir::Value;
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::rounding::{LayerEvidence, Method, Rounder};
use autoneural_core::quantize::{
    CodeSource, Constants, Item, Layer, RoundedNow, Table, round_layer, round_other, unpack,
};
use autoneural_engines::back::codes::{CodeFile, digest, write};
use autoneural_engines::back::onnx::DataWriter;

/// Makes the codes of all constants of a group: a file for each layer, and one for all other constants. Gives the
/// moments that said too little of what they were asked for.
///
/// # Errors
/// A rounding method fails, evidence is missing, or a file cannot be written.
pub(crate) fn round(
    (bundle, group): (&Making, &Group),
    (partitions, tables): (&[Partition], &[Table]),
    constants: &Constants,
    rounder: Rounder,
    progress: &dyn Progress,
) -> Result<Vec<Moments>> {
    let files = file_names(constants);
    let mut doubtful = Vec::new();
    let (collected, mut keys, follows) = (KeptEvidence(bundle), Vec::new(), rounder.method.follows());
    // What a method that follows the quantized layers makes of a layer depends on all of these.
    let mut before = follows.then(|| of_runs(bundle, partitions)).transpose()?;
    for (layer, weights, biases) in &constants.layers {
        let key = key(bundle, group, std::iter::once(weights).chain(biases), &rounder.name())?;
        let evidence = LayerEvidence::new(layer, &collected, false);
        let wanted = rounder.wants(layer).into_iter().flat_map(|want| evidence.asks(want));
        let wanted: BTreeSet<String> = wanted.map(|ask| KeptEvidence::path(&ask)).collect();
        let key = if wanted.is_empty() { key } else { bundle.key(key, |path| wanted.contains(path))? };
        keys.push(match &mut before {
            None => key,
            Some(before) => {
                let key = key.and("before", before.digest());
                *before = key.clone();
                key
            }
        });
    }
    let of_others = key(bundle, group, constants.others.iter(), "")?;
    let unit = |file: &str| format!("emit/codes/{group}/{file}");
    let mut is_known = constants.others.is_empty() || bundle.knows(&unit(""), &of_others)?;
    for (file, key) in files.iter().zip(&keys) {
        is_known &= bundle.knows(&unit(file), key)?;
    }
    if !is_known {
        progress.start(&format!("round {group}"), files.len() as u64);
    }
    // Made when the first layer is to be rounded, with what is known of those before it.
    let prefix: OnceCell<Prefix> = OnceCell::new();
    for (at, ((layer, file), key)) in constants.layers.iter().zip(&files).zip(keys).enumerate() {
        if !is_known {
            progress.begin(&layer.0.name);
        }
        let found: Vec<Moments> = bundle.unit(&unit(file), &format!("{CODES}{group}"), key, &Silent, |folder| {
            if follows && prefix.get().is_none() {
                let made = Prefix::new(bundle, partitions, tables, &collected)?;
                for (layer, file) in constants.layers.iter().zip(&files).take(at) {
                    settle(bundle, group, &made, layer, file)?;
                }
                prefix.get_or_init(|| made);
            }
            let source: &dyn EvidenceSource = prefix.get().map_or(&collected, |prefix| prefix);
            let noting = Noting::new(source);
            let (codes, of_biases) = round_layer(rounder, layer, &noting)?;
            let (_, weights, biases) = layer;
            let all: Vec<_> = std::iter::once((*weights, codes)).chain(biases.iter().copied().zip(of_biases)).collect();
            write(&folder.join(file), &all, &rounder.name())?;
            Ok(noting.doubtful())
        })?;
        doubtful.extend(found);
        if let Some(prefix) = prefix.get() {
            settle(bundle, group, prefix, layer, file)?;
        }
        if !is_known {
            progress.tick(&layer.0.name);
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
fn settle(
    bundle: &Bundle,
    group: &Group,
    prefix: &Prefix,
    (_, weights, biases): &(Layer, Item, Vec<Item>),
    file: &str,
) -> Result<()> {
    let path = format!("{CODES}{group}/{file}");
    let codes = CodeFile::open(bundle.map(&path)?, &bundle.path(path))?;
    for Item { value, encoding } in std::iter::once(weights).chain(biases) {
        if let Some(packed) = codes.find(value, encoding) {
            let codes = unpack(encoding.integer, packed, value.shape.iter().product());
            prefix.settle(&value.name, encoding.dequantize(&codes, &value.shape));
        }
    }
    Ok(())
}

/// What the runs of graphs and the encodings of their values are.
fn of_runs(bundle: &Making, partitions: &[Partition]) -> Result<Key> {
    bundle.key(Key::new(), |path| {
        let of_encodings = |partition: &Partition| path == format!("encodings/{}.json", partition.name);
        is_run(path, partitions) || partitions.iter().any(of_encodings)
    })
}

/// Whether a file of the bundle, by its path, has codes of a group.
pub(crate) fn is_code(group: &Group, path: &str) -> bool {
    let file = path.strip_prefix(CODES).unwrap_or_default();
    file == file_of_others(group) || file.strip_prefix(group.name()).is_some_and(|rest| rest.starts_with('/'))
}

/// Where the integers of a group's constants come from: the bundle's codes. A bundle of a version that kept none was
/// rounded to the nearest integers.
///
/// # Errors
/// A file that cannot be read, or has no codes.
pub(crate) fn codes<'a>(bundle: &'a Bundle, group: &Group, constants: &Constants) -> Result<Box<dyn CodeSource + 'a>> {
    if !bundle.has_files(|path| is_code(group, path)) {
        return Ok(Box::new(RoundedNow));
    }
    let mut made = Codes { bundle, group: group.clone(), of_layers: BTreeMap::new(), of_others: None };
    for ((_, weights, biases), file) in constants.layers.iter().zip(file_names(constants)) {
        for item in std::iter::once(weights).chain(biases) {
            made.of_layers.entry(item.value.name.clone()).or_default().push(file.clone());
        }
    }
    if !constants.others.is_empty() {
        made.of_others = Some(made.open(&file_of_others(group))?);
    }
    Ok(Box::new(made))
}

/// The codes of a group in a bundle.
struct Codes<'a> {
    bundle: &'a Bundle,
    group: Group,
    /// Files of layers, by the constants that may be in them.
    of_layers: BTreeMap<String, Vec<String>>,
    of_others: Option<CodeFile>,
}

impl Codes<'_> {
    fn open(&self, file: &str) -> Result<CodeFile> {
        let path = format!("{CODES}{file}");
        CodeFile::open(self.bundle.map(&path)?, &self.bundle.path(path))
    }
}

impl CodeSource for Codes<'_> {
    fn read(&self, value: &Value, encoding: &Encoding, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(codes) = self.of_others.as_ref().and_then(|file| file.find(value, encoding)) {
            return take(codes);
        }
        for file in self.of_layers.get(&value.name).into_iter().flatten() {
            let file = self.open(&format!("{}/{file}", self.group.name()))?;
            if let Some(codes) = file.find(value, encoding) {
                return take(codes);
            }
        }
        let place = format!("{}: `{}`", self.bundle.path(CODES).display(), value.name);
        Err(Error::input(place, "has no codes under its encoding, which was changed since")
            .help("`autoneural emit` rounds it anew"))
    }
}

fn file_of_others(group: &Group) -> String {
    format!("{}.safetensors", group.name())
}

/// What codes are made of: numbers, by the file that they are in and their place in it, encodings, and the method.
fn key<'a>(bundle: &Making, group: &Group, items: impl Iterator<Item = &'a Item<'a>>, method: &str) -> Result<Key> {
    let data = format!("{}{}", bundle.folder_of(group), DataWriter::name_of(group));
    let key = bundle.key(Key::new(), |path| path == data)?.and("rounding", method);
    Ok(items.fold(key, |key, Item { value, encoding }| {
        let start = value.constant().and_then(|constant| constant.start());
        key.setting("constant", &(&value.name, &value.shape, start)).and("encoding", digest(encoding))
    }))
}

/// Names of the layers' files, in order: the layer's own where it is short and plain.
fn file_names(constants: &Constants) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut name = |layer: &Layer| {
        let stem = files::stem(&layer.name);
        // A weight that stands here under several encodings has several files.
        let names = (1..).map(|number| if number == 1 { stem.clone() } else { format!("{stem}.{number}") });
        let free = names.into_iter().find(|name| taken.insert(name.clone())).unwrap_or_default();
        format!("{free}.safetensors")
    };
    constants.layers.iter().map(|(layer, ..)| name(layer)).collect()
}
