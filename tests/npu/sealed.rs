//! A copy of a bundle whose files a test changes, with a manifest that knows of it: what a regression looks like to the
//! gate, without compiling one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::{copy, json, root, stderr, stdout};

/// A bundle, a baseline and whatever else a test writes, in a folder of their own.
pub struct Sealed {
    folder: tempfile::TempDir,
}

impl Sealed {
    /// No bundle yet.
    pub fn empty() -> Self {
        Sealed { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A copy of a bundle.
    pub fn of(bundle: &Path) -> Self {
        let made = Sealed::empty();
        copy(bundle, &made.path("bundle"));
        made
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn text(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
    }

    pub fn write(&self, relative: &str, text: &str) {
        std::fs::write(self.path(relative), text).expect("written");
    }

    /// Changes a JSON file of the bundle.
    pub fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path("bundle").join(file);
        let mut value = json(&path);
        change(&mut value);
        std::fs::write(&path, serde_json::to_vec_pretty(&value).expect("JSON")).expect("written");
        if file != "manifest.json" {
            self.seal(file);
        }
    }

    /// Replaces text in a file of the bundle.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path("bundle").join(file);
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(&path, text.replace(from, to)).expect("written");
        self.seal(file);
    }

    /// Makes the manifest know a file as it is.
    pub fn seal(&self, file: &str) {
        let bytes = std::fs::read(self.path("bundle").join(file)).expect("the file");
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.edit("manifest.json", |manifest| {
            let files = manifest["files"].as_array_mut().expect("files");
            let record = files.iter_mut().find(|record| record["path"] == file).expect("a file of the bundle");
            record["bytes"] = bytes.len().into();
            record["sha256"] = hash.into();
        });
    }

    /// Runs the program in this folder, at noon of 2026-06-15.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_autoneural"))
            .args(args)
            .env_remove("COLUMNS")
            .env("SOURCE_DATE_EPOCH", "1781524800")
            .current_dir(self.folder.path())
            .output()
            .expect("the program starts")
    }

    /// Runs the gate with more arguments; gives exit status and standard output, and standard error where it failed to
    /// judge.
    pub fn gate(&self, more: &[&str]) -> (i32, String) {
        let args = [&["gate", "bundle", "--baseline", "quant-baseline.json"], more].concat();
        let output = self.run(&args);
        let text = if output.stdout.is_empty() { stderr(&output) } else { stdout(&output) };
        (output.status.code().expect("a status"), text)
    }

    /// Writes the baseline of the bundle as it is.
    pub fn accept(&self) {
        assert_eq!(self.gate(&["--update"]).0, 0);
    }

    /// Writes the baseline of the bundle as it is, whatever is worse.
    pub fn accept_loosened(&self) {
        assert_eq!(self.gate(&["--update", "--loosen"]).0, 0);
    }
}

/// A file of the project, for commands that run elsewhere.
pub fn project(relative: &str) -> String {
    root(relative).to_str().expect("UTF-8").to_string()
}
