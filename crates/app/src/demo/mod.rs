//! The demonstration: a whole project, as a user's own would be laid out, that the program carries with it.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::text;
use autoneural_bundle::hash_bytes;

/// Notes which files of a folder are the program's. A folder without it is somebody's own.
const NOTE: &str = ".autoneural-demo.json";
/// The checkpoint, its definition and its encodings.
pub const MODEL: &str = "model";
/// The definition, in the project.
pub const DEFINITION: &str = "model/definition.toml";
/// Encodings that training found, in the project.
pub const ENCODINGS: &str = "model/encodings.json";
/// The recipe, in the project.
pub const RECIPE: &str = "calibration/recipe.toml";
/// Figures to compare with, in the project.
pub const BASELINE: &str = "baseline.json";
/// The questions with known answers, in the project.
pub const QUESTIONS: &str = "questions";
/// The chip that the demonstration is compiled for.
pub const TARGET: &str = "sa8295p";
/// A picture of the questions, in the project, and what it is asked.
pub const ASKED: (&str, &str) = ("questions/images/cluster-01.png", "Which warning lamp is lit?");
/// Another.
pub const ASKED_NEXT: (&str, &str) = ("questions/images/sign-01.png", "Can I park here at 14:30?");

static CHECKPOINT: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../models/autoneural-tiny");
static PICTURES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../calibration/demo");

/// A file of the repository.
macro_rules! file {
    ($path:expr) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path)).as_slice()
    };
}

/// Pictures of the test set, by name.
macro_rules! pictures {
    ($($name:literal),*) => {
        [$(($name, file!(concat!("calibration/demo-eval/images/", $name)))),*]
    };
}

const ASKED_ABOUT: [(&str, &[u8]); 8] = pictures!(
    "cabin-00.png",
    "cabin-01.png",
    "cluster-00.png",
    "cluster-01.png",
    "screen-00.png",
    "screen-01.png",
    "sign-00.png",
    "sign-01.png"
);
const ALL_QUESTIONS: &[u8] = file!("calibration/demo-eval/questions.jsonl");

/// What became of a project's files.
#[derive(Debug, Default, Serialize)]
pub struct LaidOut {
    /// Files that were written.
    pub written: usize,
    /// Files that were there as they should be.
    pub unchanged: usize,
    /// Files that the user changed, and that were left so.
    pub changed_by_user: Vec<String>,
}

/// Puts the project's files into a folder: a new one, an empty one, or one that an earlier run made. There only what is
/// missing or from another version is written; what the user changed stays.
///
/// # Errors
/// A folder with other things in it, a link where something is to be written, what the operating system refuses.
pub fn lay_out(place: &Path) -> Result<LaidOut> {
    let before = noted(place)?;
    std::fs::create_dir_all(place).at(place)?;
    let folder = Folder::open(place)?;
    let files = files();
    let note = serde_json::to_vec_pretty(&Note {
        files: files.iter().map(|(path, bytes)| (path.clone(), hash_bytes(bytes))).collect(),
    });
    let note = note.map_err(|error| Error::internal(NOTE, error))?;
    // A run that is interrupted leaves a folder that the next one goes on with.
    if before.is_none() {
        folder.replace(NOTE, &note)?;
    }
    let before = before.unwrap_or_default();
    let mut laid_out = LaidOut::default();
    for (path, bytes) in &files {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = folder.folder(parent)?;
        match state(&parent, name, bytes, before.files.get(path))? {
            State::Right => laid_out.unchanged += 1,
            State::Changed => laid_out.changed_by_user.push(path.clone()),
            State::Missing => {
                parent.replace(name, bytes)?;
                laid_out.written += 1;
            }
        }
    }
    if laid_out.written > 0 {
        folder.replace(NOTE, &note)?;
    }
    Ok(laid_out)
}

/// What a run noted in a folder.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    /// SHA-256 of the files, by path.
    files: BTreeMap<String, String>,
}

/// What an earlier run noted; `None` for a folder that is empty or not there.
fn noted(place: &Path) -> Result<Option<Note>> {
    match std::fs::metadata(place) {
        Ok(meta) if !meta.is_dir() => {
            return Err(Error::input(place.display(), "exists and is no folder").help(ANOTHER));
        }
        // A link that leads nowhere is not there and yet cannot be made.
        Err(_) if place.is_symlink() => {
            return Err(Error::input(place.display(), "is a link that leads nowhere").help(ANOTHER));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => found.map(drop).at(place)?,
    }
    let folder = Folder::open(place)?;
    if folder.has(NOTE) {
        let path = place.join(NOTE);
        return text::json(&path, &folder.read(NOTE, text::LARGEST)?).map(Some);
    }
    match std::fs::read_dir(place).at(place)?.next() {
        None => Ok(None),
        Some(_) => Err(Error::input(place.display(), "holds files that are not of a demonstration").help(ANOTHER)),
    }
}

const ANOTHER: &str = "choose another folder with --out";

enum State {
    Missing,
    Right,
    Changed,
}

/// How a file is in the folder; one of an earlier version counts as missing.
fn state(folder: &Folder, name: &str, wanted: &[u8], before: Option<&String>) -> Result<State> {
    if !folder.has(name) {
        return Ok(State::Missing);
    }
    let there = folder.file(name)?;
    if there.metadata().at(&folder.path().join(name))?.len() > text::LARGEST {
        return Ok(State::Changed);
    }
    let there = folder.read(name, text::LARGEST)?;
    Ok(match there == wanted {
        true => State::Right,
        false if before.is_some_and(|before| *before == hash_bytes(&there)) => State::Missing,
        false => State::Changed,
    })
}

/// The project's files, by path.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = [
        ("README.md", include_bytes!("README.md").as_slice()),
        (DEFINITION, file!("graphs/autoneural-tiny.toml")),
        (RECIPE, file!("calibration/demo.toml")),
        (BASELINE, file!("calibration/demo-baseline.json")),
    ]
    .map(|(path, bytes)| (path.to_string(), bytes.to_vec()))
    .into();
    let mut add = |folder: &str, name: &str, bytes: &[u8]| files.push((format!("{folder}/{name}"), bytes.to_vec()));
    for (folder, all) in [(MODEL, &CHECKPOINT), ("calibration/demo", &PICTURES)] {
        for file in all.files() {
            // The checkpoint's card speaks of the repository.
            if let Some(name) =
                file.path().file_name().and_then(|name| name.to_str()).filter(|name| *name != "README.md")
            {
                add(folder, name, file.contents());
            }
        }
    }
    for (name, bytes) in ASKED_ABOUT {
        add("questions/images", name, bytes);
    }
    add(QUESTIONS, "questions.jsonl", &questions());
    files
}

/// Lines of the test set that ask about the pictures that are carried, and no others.
fn questions() -> Vec<u8> {
    #[derive(Deserialize)]
    struct Line {
        images: Vec<String>,
    }
    let carried = |line: &&[u8]| {
        let images = serde_json::from_slice::<Line>(line).map(|line| line.images).unwrap_or_default();
        let is_carried = |image: &String| ASKED_ABOUT.iter().any(|(name, _)| *image == format!("images/{name}"));
        !images.is_empty() && images.iter().all(is_carried)
    };
    ALL_QUESTIONS.split_inclusive(|byte| *byte == b'\n').filter(carried).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let project = place.path().join("a/project");
        let laid_out = lay_out(&project).unwrap();
        assert_eq!((laid_out.unchanged, laid_out.changed_by_user.len()), (0, 0));
        autoneural_core::recipe::Recipe::read(&project.join(RECIPE)).unwrap();
        let recipe = std::fs::read_to_string(project.join(RECIPE)).unwrap();
        let pictures: Vec<&str> = recipe.split('"').filter(|text| text.ends_with(".png")).collect();
        assert!(pictures.len() >= 60, "{}", pictures.len());
        pictures.iter().for_each(|picture| assert!(project.join("calibration").join(picture).is_file(), "{picture}"));
        let set = crate::evaluate::Set::read(&project.join(QUESTIONS)).unwrap();
        assert!(set.first(None).len() >= 16, "{}", set.first(None).len());
        for (picture, question) in [ASKED, ASKED_NEXT] {
            let asked = set.first(None).iter().filter(|one| one.question == question);
            assert!(asked.into_iter().any(|one| one.images.iter().any(|image| image.ends_with(picture))), "{question}");
        }
    }

    #[test]
    fn what_the_user_changed_stays_and_what_is_old_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let project = place.path();
        let all = lay_out(project).unwrap().written;
        assert_eq!(lay_out(project).unwrap().unchanged, all);
        std::fs::write(project.join(RECIPE), "mine").unwrap();
        std::fs::remove_file(project.join(BASELINE)).unwrap();
        // As an earlier version left it.
        std::fs::write(project.join("README.md"), "old").unwrap();
        let note = std::fs::read_to_string(project.join(NOTE)).unwrap();
        let ours = hash_bytes(include_bytes!("README.md"));
        std::fs::write(project.join(NOTE), note.replace(&ours, &hash_bytes(b"old"))).unwrap();
        let laid_out = lay_out(project).unwrap();
        assert_eq!((laid_out.written, laid_out.unchanged), (2, all - 3));
        assert_eq!(laid_out.changed_by_user, [RECIPE]);
        assert_eq!(std::fs::read(project.join("README.md")).unwrap(), include_bytes!("README.md"));
        assert_eq!(std::fs::read_to_string(project.join(RECIPE)).unwrap(), "mine");
        assert_eq!(lay_out(project).unwrap().changed_by_user, [RECIPE], "and the next time, too");
    }

    #[test]
    fn folders_of_others_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let there = place.path().join("there");
        std::fs::create_dir(&there).unwrap();
        lay_out(&there).unwrap();
        std::fs::remove_file(there.join(NOTE)).unwrap();
        std::fs::remove_dir_all(there.join(MODEL)).unwrap();
        let refused = lay_out(&there).unwrap_err();
        assert!(refused.message.contains("not of a demonstration"), "{refused}");
        assert!(!there.join(MODEL).exists() && !there.join(NOTE).exists());
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(lay_out(&file).unwrap_err().message.contains("no folder"));
        std::os::unix::fs::symlink("nowhere", place.path().join("link")).unwrap();
        assert!(lay_out(&place.path().join("link")).unwrap_err().message.contains("leads nowhere"));
        // A link in a folder that says it is ours leads elsewhere.
        let ours = place.path().join("ours");
        lay_out(&ours).unwrap();
        std::fs::remove_dir_all(ours.join(QUESTIONS)).unwrap();
        std::os::unix::fs::symlink(place.path(), ours.join(QUESTIONS)).unwrap();
        assert!(lay_out(&ours).unwrap_err().message.contains("is a link"));
        assert!(!place.path().join("questions.jsonl").exists());
    }
}
