//! Everything that a compilation reads, to change between two runs, and what they did.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::bench::{Tensors, names};
use crate::common::{GRAPH, RECIPE, WEIGHTS, autoneural, files, root, stderr, stdout, toolkit};

pub const SAMPLES: &str = r#"
[[calibration]]
image = "photos/cat.jpg"
prompt = "What colour are the eyes of the cat?"

[[calibration]]
prompt = "Which colours do you see?"

[[verification]]
image = "photos/rocket.jpg"
prompt = "Is it day or night?"
"#;

/// Everything a compilation reads, to change, and where it goes.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let desk = Desk { folder: TempDir::new().unwrap() };
        for folder in ["weights", "photos", "empty"] {
            std::fs::create_dir(desk.path(folder)).unwrap();
        }
        let photos = root("calibration/photos");
        for name in names(&photos).iter().filter(|name| name.ends_with(".jpg")) {
            std::fs::copy(photos.join(name), desk.path("photos").join(name)).unwrap();
        }
        for file in ["model.safetensors", "tokenizer.json"] {
            std::fs::copy(root(WEIGHTS).join(file), desk.path("weights").join(file)).unwrap();
        }
        // The bits of the demo's recipe, with few samples: much is compiled here.
        let recipe = std::fs::read_to_string(root(RECIPE)).unwrap();
        let bits = recipe.split("[[calibration]]").next().unwrap().replace("decode_steps = 8", "decode_steps = 2");
        std::fs::write(desk.path("recipe.toml"), format!("{bits}{SAMPLES}")).unwrap();
        std::fs::copy(root(GRAPH), desk.path("graph.toml")).unwrap();
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    pub fn args(&self, out: &str, more: &[&str]) -> Vec<String> {
        let (graph, weights, recipe) = (self.text("graph.toml"), self.text("weights"), self.text("recipe.toml"));
        let out = self.text(out);
        let mut args: Vec<String> = vec!["compile".into(), graph, "--weights".into(), weights];
        args.extend(["--calibration".into(), recipe, "--target".into(), "sa8295p".into(), "--out".into(), out]);
        args.extend(more.iter().map(|arg| arg.to_string()));
        args
    }

    /// Compiles with the vendor toolkit.
    pub fn compile(&self, out: &str, more: &[&str]) -> Output {
        let toolkit = toolkit();
        let args = self.args(out, &[&["--toolkit", toolkit.to_str().unwrap()], more].concat());
        autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Compiles without the vendor toolkit.
    pub fn compile_part(&self, out: &str, more: &[&str]) -> Output {
        let empty = self.text("empty");
        let args = self.args(out, &[&["--toolkit", &empty], more].concat());
        autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts a compilation and kills it as soon as a file is there in the folder that it works in.
    pub fn kill_at(&self, out: &str, file: &str) {
        let args = self.args(out, &["-q", "--toolkit", toolkit().to_str().unwrap()]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_autoneural"))
            .args(args)
            .current_dir(root("."))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (begun, awaited) = (Instant::now(), self.path(&format!(".{out}.work/{file}")));
        while !awaited.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before {file} was there");
            assert!(begun.elapsed() < Duration::from_secs(300), "{file} never came");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "killed at {file}");
        // What it had started ends with it.
        let work = self.text(&format!(".{out}.work"));
        let of_run = |process: &String| {
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&work)
        };
        while names(Path::new("/proc")).iter().any(of_run) {
            assert!(begun.elapsed() < Duration::from_secs(300), "a compiler lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn edit(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let before = std::fs::read_to_string(self.path(name)).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after);
        std::fs::write(self.path(name), after).unwrap();
    }

    /// Changes one tensor of the checkpoint.
    pub fn scale_tensor(&self, name: &str) {
        let path = self.path("weights/model.safetensors");
        let mut tensors = Tensors::read(&path);
        for number in tensors.get(name).data.chunks_exact_mut(2) {
            let scaled = half::bf16::from_f32(half::bf16::from_le_bytes([number[0], number[1]]).to_f32() * 0.5);
            number.copy_from_slice(&scaled.to_le_bytes());
        }
        tensors.write(&path);
    }
}

pub fn succeeded(output: Output) -> (String, String) {
    assert!(output.status.success(), "{}", stderr(&output));
    (stdout(&output), stderr(&output))
}

/// Files that are part of a bundle, without what tells how long something took.
pub fn parts(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = files(bundle);
    for timed in ["manifest.json", "report.json"] {
        let mut value: Value = serde_json::from_slice(&found[timed]).unwrap();
        let mut stages = value["stages"].take();
        for stage in stages.as_array_mut().unwrap() {
            (stage["seconds"], stage["command"]) = (Value::Null, Value::Null);
        }
        value["stages"] = stages;
        for file in value["files"].as_array_mut().into_iter().flatten().filter(|file| file["path"] == "report.json") {
            (file["sha256"], file["bytes"]) = (Value::Null, Value::Null);
        }
        found.insert(timed.into(), serde_json::to_vec(&value).unwrap());
    }
    found
}

pub fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (parts(one), parts(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

/// The file itself, whatever it holds: inode and time.
pub fn identity(path: &Path) -> (u64, i64, i64) {
    let meta = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

pub fn identities(bundle: &Path) -> BTreeMap<String, (u64, i64, i64)> {
    parts(bundle).into_keys().map(|name| (name.clone(), identity(&bundle.join(name)))).collect()
}

/// What was done, and what was not, by the lines on standard error.
pub fn assert_work(said: &str, done: &[&str], unchanged: &[&str]) {
    for name in done {
        assert!(said.contains(&format!("{name}: done in")), "{name} was not done:\n{said}");
    }
    for name in unchanged {
        assert!(said.contains(&format!("{name}: unchanged\n")), "{name} was done again:\n{said}");
    }
}
