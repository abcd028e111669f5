//! Codes that a bundle has: where they are, and what they are read by.

use std::collections::{BTreeMap, BTreeSet};

use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_bundle::{Bundle, CODES};
use autoneural_core::encoding::Encoding;
use autoneural_core::ir::Value;
use autoneural_core::program::Group;
use autoneural_core::quantize::{CodeSource, Constants, Layer, RoundedNow};
use autoneural_engines::back::codes::CodeFile;

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

/// The file of all constants of a group that belong to no layer.
pub(crate) fn file_of_others(group: &Group) -> String {
    format!("{}.safetensors", group.name())
}

/// Names of the layers' files, in order: the layer's own where it is short and plain.
pub(crate) fn file_names(constants: &Constants) -> Vec<String> {
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
