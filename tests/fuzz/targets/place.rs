//! The folder in which a target puts its input, and the bundle that inputs take a part of.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use autoneural::bundle::{Manifest, hash_bytes};
use autoneural::files::Folder;

/// A bundle of the smallest model that has everything: `autoneural synth` of its own `model/definition.toml`, compiled
/// with its `calibration/recipe.toml`. What is not looked into, such as context binaries, is left out.
const BUNDLE: &str = "tests/fuzz/bundle";

/// Where inputs are put.
pub struct Place {
    folder: PathBuf,
    /// Files that are there, apart from what a target put there.
    expected: RefCell<BTreeSet<PathBuf>>,
    bundles: RefCell<BTreeMap<String, Copy>>,
    cases: RefCell<usize>,
}

/// A bundle of which a target changes one file.
#[derive(Clone)]
struct Copy {
    folder: PathBuf,
    manifest: Manifest,
    /// The file that was changed last.
    changed: Option<String>,
}

/// Path of a file of the project.
pub fn project(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The files of a folder in the project, or the one file, in the order of their names.
pub fn files_of(relative: &str) -> Vec<PathBuf> {
    let path = project(relative);
    if !path.is_dir() {
        return vec![path];
    }
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

impl Place {
    pub fn new(folder: PathBuf) -> Self {
        let made =
            Place { folder, expected: RefCell::default(), bundles: RefCell::default(), cases: RefCell::default() };
        made.expected.replace(made.listed());
        made
    }

    /// Writes the input, as a file of this name.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        if !self.expected.borrow().contains(&path) {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            self.expected.borrow_mut().insert(path.clone());
        }
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// The bundle of a target, as it is.
    pub fn bundle(&self, target: &str) -> PathBuf {
        if let Some(copy) = self.bundles.borrow().get(target) {
            return copy.folder.clone();
        }
        let folder = self.folder.join(target);
        let manifest = Manifest::read(&Folder::open(&project(BUNDLE)).expect("a folder")).expect("a manifest");
        for file in &manifest.files {
            let (from, to) = (project(BUNDLE).join(&file.path), folder.join(&file.path));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            match from.is_file() {
                true => drop(std::fs::copy(&from, &to).expect("a file")),
                // Nobody looks into it.
                false => std::fs::File::create(&to)
                    .and_then(|file_on_disk| file_on_disk.set_len(file.bytes))
                    .expect("a file"),
            }
        }
        manifest.write(&Folder::open(&folder).expect("a folder")).expect("a manifest");
        self.expected.replace(self.listed());
        let copy = Copy { folder: folder.clone(), manifest, changed: None };
        self.bundles.borrow_mut().insert(target.to_string(), copy);
        folder
    }

    /// The bundle of a target with the input in place of one of its files, and the manifest as if it belonged there.
    pub fn bundle_with(&self, target: &str, file: &str, bytes: &[u8]) -> PathBuf {
        let folder = self.bundle(target);
        let mut copy = self.bundles.borrow()[target].clone();
        if let Some(before) = copy.changed.take().filter(|before| before != file) {
            std::fs::copy(project(BUNDLE).join(&before), folder.join(&before)).expect("a file");
        }
        let path = folder.join(file);
        std::fs::write(&path, bytes).expect("a file");
        let mut manifest = copy.manifest.clone();
        for record in manifest.files.iter_mut().filter(|record| record.path == file) {
            record.bytes = bytes.len() as u64;
            record.sha256 = hash_bytes(bytes);
        }
        manifest.write(&Folder::open(&folder).expect("a folder")).expect("a manifest");
        copy.changed = Some(file.to_string());
        self.bundles.borrow_mut().insert(target.to_string(), copy);
        folder
    }

    /// A file that nobody was to make. Looked for now and then: folders where nothing is to change at all are watched.
    pub fn stray(&self) -> Option<String> {
        let cases = self.cases.replace_with(|cases| *cases + 1);
        if !cases.is_multiple_of(256) {
            return None;
        }
        let listed = self.listed();
        let expected = self.expected.borrow();
        let found = listed.symmetric_difference(&expected).next()?;
        Some(format!("`{}` was made or removed", found.display()))
    }

    fn listed(&self) -> BTreeSet<PathBuf> {
        let (mut found, mut folders) = (BTreeSet::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    true => folders.push(entry.path()),
                    false => drop(found.insert(entry.path())),
                }
            }
        }
        found
    }
}

/// What was read, for what comes next; a defect that an error tells of is none that may pass.
pub fn look<T>(result: autoneural::Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind == autoneural::error::Kind::Internal => panic!("status 70: {error}"),
        result => result.ok(),
    }
}
