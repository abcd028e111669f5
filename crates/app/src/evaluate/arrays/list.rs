//! Lists of samples with labels: CSV or TSV, with a file and a label in every line.

use std::path::Path;

use super::labels::{Label, Labels};
use crate::drivers::Intake;
use crate::samples::{Found, MOST, file, one};
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_core::recipe::Origin;

/// What such a list is.
const FORM: &str = "a line is `file,label`, and files are relative to the list; a first line may name the columns \
                    `file` and `label`, among others";

/// The columns of file and label.
type Columns = (usize, usize);

/// Reads a list. Fields are separated by commas, in a `.tsv` by tabs.
///
/// # Errors
/// A line that has no file or no label, or whose file is not there or is not one sample, by its number.
pub(crate) fn read(path: &Path, is_tabbed: bool, intakes: &[Intake]) -> Result<(Found, Labels)> {
    let (text, origin) = (text::read(path)?, Origin::beside(path));
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if is_tabbed { b'\t' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut entries, mut all, mut columns): (_, _, Option<Columns>) = (Vec::new(), Vec::new(), None);
    for record in reader.records() {
        let record = record.map_err(|error| Error::input(path.display(), error).help(FORM))?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = format!("{}:{line}", path.display());
        let (at_file, at_label) = match columns {
            Some(known) => known,
            None => match header(&record) {
                Some(named) => {
                    columns = Some(named);
                    continue;
                }
                None if record.len() == 2 => *columns.insert((0, 1)),
                None => {
                    let message = format!("has {} fields, and the first line names no columns", record.len());
                    return Err(Error::input(place, message).help(FORM));
                }
            },
        };
        let (Some(name), Some(class)) = (field(&record, at_file), field(&record, at_label)) else {
            return Err(Error::input(place, "has no file or no label").help(FORM));
        };
        let mut found = file(name, &origin.folder)
            .and_then(|file| one(&file, &origin.folder, intakes))
            .map_err(|error| error.within(&place))?;
        match (found.pop(), found.len()) {
            (Some(entry), 0) => entries.push(entry),
            (_, more) => {
                let message = format!("`{name}` holds {} samples, for one label", more + 1);
                return Err(Error::input(place, message)
                    .help("put the labels into the file, as an array `labels`, and name the file itself"));
            }
        }
        all.push(Label { class: class.to_string(), place });
        if entries.len() > MOST {
            return Err(Error::input(path.display(), format!("names more than {MOST} samples")));
        }
    }
    match entries.is_empty() {
        true => Err(Error::input(path.display(), "names no sample").help(FORM)),
        false => Ok((Found { origin, entries, left_out: vec![] }, Labels { all, are_folders: false })),
    }
}

fn field(record: &csv::StringRecord, at: usize) -> Option<&str> {
    record.get(at).filter(|field| !field.is_empty())
}

/// The columns that a first line names.
fn header(record: &csv::StringRecord) -> Option<Columns> {
    let named = |wanted: &str| record.iter().position(|field| field.eq_ignore_ascii_case(wanted));
    Some((named("file")?, named("label")?))
}
