//! Right answers of samples: as they are written, and as the classes of an output.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use crate::arrays::{LABELS, convert, open};
use crate::drivers::Intake;
use crate::samples::{Entry, Found};
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_core::ir::ElementType;
use autoneural_engines::engine::Data;

/// A label as it is written, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    /// A class, by number or by name.
    pub class: String,
    /// Where it stands, for messages.
    pub place: String,
}

/// The labels of a set, one for each sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labels {
    /// In the order of the samples.
    pub all: Vec<Label>,
    /// Whether they are the names of folders, whose order is that of the classes where there are as many.
    pub are_folders: bool,
}

/// The labels that samples have by themselves: the folders that they are in, or an array `labels` beside them. `None`
/// if they have none.
///
/// # Errors
/// Some samples have a label and others not, or an array of labels is not one whole number for each sample.
pub(crate) fn beside(found: &Found, intakes: &[Intake]) -> Result<Option<Labels>> {
    let (mut arrays, mut all) = (BTreeMap::new(), Vec::with_capacity(found.entries.len()));
    for entry in &found.entries {
        all.push(match entry {
            Entry::Stacked(file, row) => {
                let path = || found.origin.folder.join(file);
                let known = match arrays.entry(file.clone()) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(free) => free.insert(of_array(&path(), intakes)?),
                };
                let place = || format!("{}: `{LABELS}`[{}]", path().display(), row.unwrap_or(0));
                let label = known.as_ref().map(|labels| labels.get(row.unwrap_or(0)).copied());
                match label {
                    Some(Some(class)) => Some(Label { class: class.to_string(), place: place() }),
                    Some(None) => {
                        return Err(Error::input(format!("{}: `{LABELS}`", path().display()), "has too few numbers")
                            .help("it holds one whole number for each sample"));
                    }
                    None => of_folder(found, file),
                }
            }
            Entry::Each(files) => files.values().next().and_then(|file| of_folder(found, file)),
        });
    }
    let are_folders = arrays.values().all(Option::is_none);
    match all.iter().position(Option::is_none) {
        None => Ok(Some(Labels { all: all.into_iter().flatten().collect(), are_folders })),
        Some(_) if all.iter().all(Option::is_none) => Ok(None),
        Some(without) => {
            let place = found.origin.place.display();
            Err(Error::input(place, format!("sample {without} has no label, and others have one"))
                .help("put every sample into the folder of its class, or say --unlabelled"))
        }
    }
}

/// The folder that a file is in, below that of the set.
fn of_folder(found: &Found, file: &Path) -> Option<Label> {
    let mut parts = file.components().filter(|part| *part != Component::CurDir);
    let (first, _) = (parts.next()?, parts.next()?);
    let class = first.as_os_str().to_string_lossy().into_owned();
    Some(Label { place: found.origin.folder.join(&class).display().to_string(), class })
}

/// The array of labels of a file, if it has one that is no input.
fn of_array(path: &Path, intakes: &[Intake]) -> Result<Option<Vec<i32>>> {
    let mut file = open(path)?;
    let about = match file.abouts().get(LABELS) {
        Some(about) if intakes.iter().all(|intake| intake.name != LABELS) => about.clone(),
        _ => return Ok(None),
    };
    let place = format!("{}: `{LABELS}`", path.display());
    let (first, rest) = about.shape.split_first().unwrap_or((&1, &[]));
    if rest.iter().any(|&size| size != 1) {
        let message = format!("is {:?}; one whole number for each sample is wanted", about.shape);
        return Err(Error::input(place, message));
    }
    let bytes = file.read(LABELS, None)?;
    let read = convert(&place, about.kind, &bytes, vec![*first], ElementType::I32)?;
    match read.data {
        Data::I32(values) => Ok(Some(values)),
        _ => Err(Error::internal(place, "labels are no integers")),
    }
}

/// The names of classes, a line each, in the order of the output's numbers.
///
/// # Errors
/// A file that cannot be read, a name that is empty or stands twice.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let text = text::read(path)?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let (name, place) = (line.trim(), format!("{}:{}", path.display(), at + 1));
        if name.is_empty() {
            return Err(Error::input(place, "is empty").help("a list of classes has one name on a line"));
        }
        if let Some(before) = seen.insert(name, at) {
            return Err(Error::input(place, format!("`{name}` stands in line {}, too", before + 1)));
        }
    }
    match seen.is_empty() {
        true => Err(Error::input(path.display(), "names no class")),
        false => Ok(text.lines().map(|line| line.trim().to_string()).collect()),
    }
}

impl Labels {
    /// The labels as numbers of an output's classes. `names` are those of `--classes`.
    ///
    /// # Errors
    /// A label that is no class of the output, by its place.
    pub(crate) fn numbers(&self, names: Option<&[String]>, (output, classes): (&str, usize)) -> Result<Vec<usize>> {
        if let Some(names) = names.filter(|names| names.len() != classes) {
            let message = format!("names {} classes; `{output}` has {classes}", names.len());
            return Err(Error::input("--classes", message).help("write one name on a line for every class"));
        }
        let written: BTreeSet<&str> = self.all.iter().map(|label| label.class.as_str()).collect();
        let are_numbers = written.iter().all(|class| class.parse::<i64>().is_ok());
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        match names {
            Some(names) => known.extend(names.iter().enumerate().map(|(at, name)| (name.as_str(), at))),
            None if !are_numbers && self.are_folders && written.len() == classes => {
                known.extend(written.iter().enumerate().map(|(at, name)| (*name, at)));
            }
            None => {}
        }
        let number = |label: &Label| {
            let place = || format!("{}: label `{}`", label.place, label.class);
            if let Some(&class) = known.get(label.class.as_str()) {
                return Ok(class);
            }
            match label.class.parse::<i64>() {
                Ok(number) => usize::try_from(number).ok().filter(|class| *class < classes).ok_or_else(|| {
                    Error::input(place(), format!("is no class: `{output}` has {classes}, 0 to {}", classes - 1))
                        .help("labels are numbers of classes, from 0 on")
                }),
                Err(_) if names.is_some() => Err(Error::input(place(), "is none of the names that --classes has")),
                Err(_) => {
                    let kinds = if self.are_folders { "folders" } else { "names" };
                    let message = format!(
                        "is no number, and which class it is is not known: there are {} {kinds}, and `{output}` has \
                         {classes} classes",
                        written.len()
                    );
                    Err(Error::input(place(), message)
                        .help("give the names of all classes, one on a line, as --classes FILE; or say --unlabelled"))
                }
            }
        };
        self.all.iter().map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(written: &[&str], are_folders: bool) -> Labels {
        let label = |class: &&str| Label { class: class.to_string(), place: "a".into() };
        Labels { all: written.iter().map(label).collect(), are_folders }
    }

    #[test]
    fn labels_are_numbers_or_names() {
        let of = |written: &[&str], folders, names: Option<&[&str]>, classes| {
            let names: Option<Vec<String>> = names.map(|names| names.iter().map(|name| name.to_string()).collect());
            let made = labels(written, folders).numbers(names.as_deref(), ("out", classes));
            made.map_err(|error| error.to_string())
        };
        assert_eq!(of(&["3", "0", "3"], false, None, 4).unwrap(), [3, 0, 3]);
        assert_eq!(of(&["dog", "cat", "dog"], true, None, 2).unwrap(), [1, 0, 1]);
        assert_eq!(of(&["dog", "cat"], false, Some(&["x", "dog", "cat"]), 3).unwrap(), [1, 2]);
        // Names of folders that are numbers are those of classes, whatever order they sort in.
        assert_eq!(of(&["10", "9"], true, None, 11).unwrap(), [10, 9]);
        assert!(of(&["4"], false, None, 4).unwrap_err().contains("0 to 3"));
        assert!(of(&["-1"], false, None, 4).unwrap_err().contains("is no class"));
        assert!(of(&["dog", "cat"], true, None, 1000).unwrap_err().contains("2 folders"));
        assert!(of(&["dog", "cat"], false, None, 2).unwrap_err().contains("2 names"));
        assert!(of(&["cow"], false, Some(&["dog", "cat"]), 2).unwrap_err().contains("--classes"));
        assert!(of(&["dog"], false, Some(&["dog", "cat"]), 3).unwrap_err().contains("names 2 classes"));
    }
}
