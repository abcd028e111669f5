//! Samples in a list: a text with a line for each, as Qualcomm's tools read it. On a line are the files of the inputs,
//! separated by blanks: `INPUT:=FILE`, or only files in the order of the inputs. What begins with `#` or `%` names
//! outputs there, and is nothing here.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::entry::{Entry, Found, KINDS, MOST, Sort, entries_of};
use crate::drivers::Intake;
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_core::recipe::Origin;

/// Reads a list. Files are relative to it.
///
/// # Errors
/// A line that names what is not there, what is no sample, or too few or too many files, by its number.
pub(crate) fn in_list(path: &Path, intakes: &[Intake]) -> Result<Found> {
    let (text, origin) = (text::read(path)?, Origin::beside(path));
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '%']) {
            continue;
        }
        let place = format!("{}:{}", path.display(), number + 1);
        entries.extend(of_line(line, &origin.folder, intakes).map_err(|error| error.within(&place))?);
        if entries.len() > MOST {
            return Err(Error::input(path.display(), format!("names more than {MOST} samples")));
        }
    }
    match entries.is_empty() {
        true => Err(Error::input(path.display(), "names no sample").help(KINDS)),
        false => Ok(Found { origin, entries, left_out: vec![] }),
    }
}

fn of_line(line: &str, folder: &Path, intakes: &[Intake]) -> Result<Vec<Entry>> {
    // A picture's name may have blanks in it, where a line is one file.
    if !line.contains(":=")
        && intakes.len() == 1
        && let Ok(file) = file(line, folder)
    {
        return one(&file, folder, intakes);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let pairs: Vec<_> = words.iter().filter_map(|word| word.split_once(":=")).collect();
    if pairs.is_empty() && words.len() == 1 {
        return one(&file(words[0], folder)?, folder, intakes);
    }
    let listed: Vec<String> = intakes.iter().map(Intake::words).collect();
    let help = format!("inputs are {}", listed.join(", "));
    let files: Vec<(&Intake, &str)> = match pairs.len() {
        0 if words.len() == intakes.len() => intakes.iter().zip(words).collect(),
        0 => {
            let message = format!("names {} files; the model takes {} inputs", words.len(), intakes.len());
            return Err(Error::input("", message).help(help));
        }
        count if count < words.len() => {
            return Err(Error::input("", "says of some files which input they are, and of others not").help(help));
        }
        _ => {
            let of = |name: &str| {
                let whole = |intake: &Intake| format!("{}/{}", intake.graph, intake.name);
                intakes.iter().find(|intake| intake.name == name || whole(intake) == name)
            };
            let one = |&(name, file)| match of(name) {
                Some(intake) => Ok((intake, file)),
                None => Err(Error::input("", format!("`{name}` is the input of no graph")).help(&help)),
            };
            pairs.iter().map(one).collect::<Result<_>>()?
        }
    };
    let mut made = BTreeMap::new();
    for (intake, name) in files {
        let found = file(name, folder)?;
        if Sort::of(&found).is_none() {
            return Err(Error::input("", format!("`{name}` is no kind of file that samples are read from")).help(KINDS));
        }
        if made.insert(intake.name.clone(), found).is_some() {
            return Err(Error::input("", format!("`{}` is named twice", intake.name)));
        }
    }
    if let Some(missing) = intakes.iter().find(|intake| !made.contains_key(&intake.name)) {
        return Err(Error::input("", format!("names no file for `{}`", missing.name)).help(help));
    }
    Ok(vec![Entry::Each(made)])
}

/// The samples in a file that a line names.
///
/// # Errors
/// It is no kind of file that samples are read from, or does not fit the inputs.
pub(crate) fn one(file: &Path, folder: &Path, intakes: &[Intake]) -> Result<Vec<Entry>> {
    match Sort::of(file) {
        Some(sort) => entries_of(sort, folder, file, intakes),
        None => {
            Err(Error::input("", format!("`{}` is no kind of file that samples are read from", file.display()))
                .help(KINDS))
        }
    }
}

/// The path of a file in the folder of the list, if it is there.
///
/// # Errors
/// It is not there, or leaves the folder.
pub(crate) fn file(name: &str, folder: &Path) -> Result<PathBuf> {
    let named = Path::new(name);
    // A whole path is taken where it leads into the folder.
    let inside = match named.is_absolute() {
        true => {
            std::path::absolute(folder).ok().and_then(|folder| named.strip_prefix(folder).ok()).map(Path::to_path_buf)
        }
        false => Some(named.components().filter(|part| *part != Component::CurDir).collect()),
    };
    let Some(path) = inside.filter(|path: &PathBuf| text::stays_inside(path) && !path.as_os_str().is_empty()) else {
        return Err(Error::input("", format!("`{name}` leaves the folder of the list"))
            .help("put the list into the folder of the samples, and name them relative to it"));
    };
    match folder.join(&path).is_file() {
        true => Ok(path),
        false => Err(Error::input("", format!("`{name}` is not there"))
            .help(format!("files are relative to the list's folder, `{}`", folder.display()))),
    }
}
