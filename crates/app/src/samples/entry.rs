//! Samples, and what single files hold of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::arrays::{ENDS, LABELS, Rows, open};
use crate::drivers::Intake;
use crate::drivers::tensors::{PICTURES, RAW, end_of};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ElementType;
use autoneural_core::recipe::{Origin, Preprocess};

/// A sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A file of arrays, and which of the samples that are stacked in it.
    Stacked(PathBuf, Option<usize>),
    /// A file for each input.
    Each(BTreeMap<String, PathBuf>),
}

/// Samples.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where they are.
    pub origin: Origin,
    /// The samples in order, by paths in that folder.
    pub entries: Vec<Entry>,
    /// What lies beside them and is none.
    pub left_out: Vec<String>,
}

impl Found {
    /// Whether an input is made of pictures.
    pub(crate) fn has_pictures_of(&self, intake: &Intake) -> bool {
        let is_picture = |path: &PathBuf| PICTURES.contains(&end_of(path).as_str());
        self.entries.iter().any(|entry| match entry {
            Entry::Each(files) => files.get(&intake.name).is_some_and(is_picture),
            Entry::Stacked(..) => false,
        })
    }
}

/// What is said where something cannot be taken for samples.
pub(crate) const KINDS: &str = "samples are a recipe (.toml), a folder or a list (.txt) of pictures (.png, .jpg), of arrays \
                         (.npz, .npy, .safetensors) or of raw numbers (.raw, .bin), or one such file";

/// What kind of sample a file is, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    /// A picture.
    Picture,
    /// Arrays with names, or one without.
    Arrays,
    /// Raw numbers.
    Raw,
}

impl Sort {
    /// That of a file, if it is one.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match end_of(path).as_str() {
            end if PICTURES.contains(&end) => Some(Sort::Picture),
            end if ENDS.contains(&end) => Some(Sort::Arrays),
            end if RAW.contains(&end) => Some(Sort::Raw),
            _ => None,
        }
    }

    /// What it is called.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Sort::Picture => "pictures",
            Sort::Arrays => "arrays",
            Sort::Raw => "raw numbers",
        }
    }
}

/// The samples in one file; `name` is its path in a folder.
///
/// # Errors
/// It is for no input, or does not fit one.
pub(crate) fn entries_of(sort: Sort, folder: &Path, name: &Path, intakes: &[Intake]) -> Result<Vec<Entry>> {
    match sort {
        Sort::Arrays => stacked(&folder.join(name), name, intakes),
        Sort::Picture | Sort::Raw => {
            let only = the_only(&folder.join(name), sort, intakes)?;
            Ok(vec![Entry::Each(BTreeMap::from([(only.name.clone(), name.to_path_buf())]))])
        }
    }
}

/// The one input that files without a name for it are of.
fn the_only<'a>(path: &Path, sort: Sort, intakes: &'a [Intake]) -> Result<&'a Intake> {
    let listed: Vec<String> = intakes.iter().map(Intake::words).collect();
    let [only] = intakes else {
        let message = format!("holds {} for one input; the model takes {}", sort.words(), listed.join(", "));
        return Err(Error::input(path.display(), message)
            .help("give an .npz with an array for each input, or a list whose lines say `INPUT:=FILE`"));
    };
    let fits = sort != Sort::Picture || takes_pictures(only);
    match fits {
        true => Ok(only),
        false => Err(Error::input(path.display(), format!("is a picture; the model takes {}", listed.join(", ")))
            .help("pictures become float inputs [1, C, rows, columns] or [1, rows, columns, C], with 1 or 3 channels")),
    }
}

fn takes_pictures(intake: &Intake) -> bool {
    intake.element == ElementType::F32 && Preprocess::guess(&intake.shape).is_some()
}

/// The samples that are stacked in a file of arrays.
fn stacked(path: &Path, name: &Path, intakes: &[Intake]) -> Result<Vec<Entry>> {
    let file = open(path)?;
    let mut rows: Option<(String, Rows)> = None;
    let is_label = |array: &str| array == LABELS && intakes.iter().all(|intake| intake.name != LABELS);
    for (array, about) in file.abouts().iter().filter(|(array, _)| !is_label(array)) {
        let place = match array.as_str() {
            "" => path.display().to_string(),
            array => format!("{}: `{array}`", path.display()),
        };
        let is_only = file.abouts().len() == 1 && intakes.len() == 1 && (array.is_empty() || array == "arr_0");
        let of_name = |intake: &&Intake| {
            let whole = array.strip_prefix(&intake.graph).and_then(|rest| rest.strip_prefix('/'));
            intake.name == *array || is_only || whole == Some(&intake.name)
        };
        let Some(intake) = intakes.iter().find(of_name) else {
            let listed: Vec<String> = intakes.iter().map(Intake::words).collect();
            return Err(
                Error::input(&place, "is the input of no graph").help(format!("inputs are {}", listed.join(", ")))
            );
        };
        let Some(found) = Rows::of(&about.shape, &intake.shape) else {
            let (kind, shape) = (about.kind.name(), &about.shape);
            return Err(Error::input(
                &place,
                format!("is {kind} {shape:?}; {} takes {}", intake.graph, intake.words()),
            )
            .help("one sample has the input's shape; several are stacked on a new first axis"));
        };
        match &rows {
            Some((other, before)) if before.count() != found.count() => {
                let message = format!("holds {} samples, and `{other}` {}", found.count(), before.count());
                return Err(Error::input(&place, message));
            }
            _ => rows = Some((array.clone(), found)),
        }
    }
    let Some((_, rows)) = rows else {
        return Err(Error::input(path.display(), "holds no array"));
    };
    match rows {
        Rows::One => Ok(vec![Entry::Stacked(name.to_path_buf(), None)]),
        Rows::Stacked(0) => Err(Error::input(path.display(), "holds 0 samples")),
        // Of more nobody takes some.
        Rows::Stacked(count) => {
            Ok((0..count.min(MOST)).map(|row| Entry::Stacked(name.to_path_buf(), Some(row))).collect())
        }
    }
}

/// Most samples that are looked at.
pub(crate) const MOST: usize = 1_000_000;
