//! Round: under encodings that are settled, constants become codes. One unit of work for each layer, which is keyed by the
//! numbers, the encodings and the method: encodings that were edited by hand give new codes, and the others stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::back::bundle::{Bundle, CODES, Key, digest};
use crate::back::codes::{CodeFile, write};
use crate::back::onnx::DataWriter;
use crate::encoding::Encoding;
use crate::error::{Error, Result};
use crate::ir::Value;
use crate::partition::Component;
use crate::progress::{Progress, Silent};
use crate::quantize::rounding::Method;
use crate::quantize::{CodeSource, Constants, Item, RoundedNow, round_layer, round_other};

/// Most letters of a layer's name in that of its file.
const LONGEST: usize = 120;
/// Digits of a hash in the name of a file whose layer's name does not fit.
const DIGITS: usize = 16;

/// The codes of all constants of a component: a file for each layer, and one for what is no layer's.
pub fn round(
    bundle: &Bundle,
    component: Component,
    constants: &Constants,
    method: Method,
    progress: &dyn Progress,
) -> Result<()> {
    let group = component.name();
    let files = file_names(constants);
    let keys: Vec<Key> = (constants.layers.iter())
        .map(|(_, weights, biases)| key(bundle, component, std::iter::once(weights).chain(biases), method.name()))
        .collect::<Result<_>>()?;
    let of_others = key(bundle, component, constants.others.iter(), "")?;
    let unit = |file: &str| format!("emit/codes/{group}/{file}");
    let mut is_known = constants.others.is_empty() || bundle.knows(&unit(""), &of_others)?;
    for (file, key) in files.iter().zip(&keys) {
        is_known &= bundle.knows(&unit(file), key)?;
    }
    if !is_known {
        progress.start(&format!("round {group}"), files.len() as u64);
    }
    for (((layer, weights, biases), file), key) in constants.layers.iter().zip(&files).zip(keys) {
        if !is_known {
            progress.begin(&layer.name);
        }
        bundle.unit(&unit(file), &format!("{CODES}{group}"), key, &Silent, |folder| {
            let (codes, of_biases) = round_layer(method, layer, weights, biases)?;
            let all: Vec<_> = std::iter::once((*weights, codes)).chain(biases.iter().copied().zip(of_biases)).collect();
            write(&folder.join(file), &all, method.name())
        })?;
        if !is_known {
            progress.tick(&layer.name);
        }
    }
    if !constants.others.is_empty() {
        bundle.unit(&unit(""), CODES.trim_end_matches('/'), of_others, &Silent, |folder| {
            let all: Vec<_> =
                constants.others.iter().map(|item| Ok((*item, round_other(item)?))).collect::<Result<_>>()?;
            write(&folder.join(file_of_others(component)), &all, Method::default().name())
        })?;
    }
    match is_known {
        true => progress.reuse(&format!("round {group}")),
        false => progress.finish(),
    }
    Ok(())
}

/// Whether a file of the bundle, by its path, has codes of a component.
pub fn is_code(component: Component, path: &str) -> bool {
    let file = path.strip_prefix(CODES).unwrap_or_default();
    file == file_of_others(component) || file.strip_prefix(component.name()).is_some_and(|rest| rest.starts_with('/'))
}

/// Where the integers of a component's constants come from: the bundle's codes. A bundle of a version that kept none was rounded
/// to the nearest integers.
///
/// # Errors
/// A file that cannot be read, or has no codes.
pub fn codes<'a>(bundle: &'a Bundle, component: Component, constants: &Constants) -> Result<Box<dyn CodeSource + 'a>> {
    if !bundle.has_files(|path| is_code(component, path))? {
        return Ok(Box::new(RoundedNow));
    }
    let mut made = Codes { bundle, component, of_layers: BTreeMap::new(), of_others: None };
    for ((_, weights, biases), file) in constants.layers.iter().zip(file_names(constants)) {
        for item in std::iter::once(weights).chain(biases) {
            made.of_layers.entry(item.value.name.clone()).or_default().push(file.clone());
        }
    }
    if !constants.others.is_empty() {
        made.of_others = Some(made.open(&file_of_others(component))?);
    }
    Ok(Box::new(made))
}

/// The codes of a component in a bundle.
struct Codes<'a> {
    bundle: &'a Bundle,
    component: Component,
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
            let file = self.open(&format!("{}/{file}", self.component.name()))?;
            if let Some(codes) = file.find(value, encoding) {
                return take(codes);
            }
        }
        let place = format!("{}: `{}`", self.bundle.path(CODES).display(), value.name);
        Err(Error::input(place, "has no codes under its encoding, which was changed since")
            .help("`autoneural emit` rounds it anew"))
    }
}

fn file_of_others(component: Component) -> String {
    format!("{}.safetensors", component.name())
}

/// What codes are made of: numbers, by the file that they are in and their place in it, encodings, and the method.
fn key<'a>(
    bundle: &Bundle,
    component: Component,
    items: impl Iterator<Item = &'a Item<'a>>,
    method: &str,
) -> Result<Key> {
    let data = format!("model/{}", DataWriter::name_of(component));
    let key = bundle.key(Key::new(), |path| path == data)?.and("rounding", method);
    Ok(items.fold(key, |key, Item { value, encoding }| {
        let start = value.constant().and_then(|constant| constant.start());
        key.setting("constant", &(&value.name, &value.shape, start))
            .and("encoding", crate::back::codes::digest(encoding))
    }))
}

/// Names of the layers' files, in order: the layer's own where it is short and plain.
fn file_names(constants: &Constants) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name = |(layer, ..): &(crate::quantize::Layer, Item, Vec<Item>)| {
        let name = &layer.name;
        let is_plain = name.chars().all(plain) && name.len() <= LONGEST && !name.starts_with('.');
        let stem = match is_plain {
            true => name.clone(),
            false => {
                let kept: String =
                    name.chars().map(|letter| if plain(letter) { letter } else { '_' }).take(LONGEST).collect();
                format!("{}-{}", kept.trim_start_matches('.'), &digest([name.as_str()].into_iter())[..DIGITS])
            }
        };
        // A weight that stands here under several encodings has several files.
        let names = (1..).map(|number| if number == 1 { stem.clone() } else { format!("{stem}.{number}") });
        let free = names.into_iter().find(|name| taken.insert(name.clone())).unwrap_or_default();
        format!("{free}.safetensors")
    };
    constants.layers.iter().map(name).collect()
}
