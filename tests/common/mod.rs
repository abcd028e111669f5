//! What the tests of both rings share: paths, running the program, loading the fixtures.

#![allow(dead_code, reason = "each ring uses a part of it")]

pub mod bench;
pub mod desk;
pub mod documents;
pub mod loud;
pub mod onnx;
pub mod parity;
pub mod picky;
pub mod picture;
pub mod product;
pub mod segments;
pub mod stream;
pub mod synth;
pub mod terminal;
pub mod tower;
pub mod tracer;
pub mod workflows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use autoneural::back::qnn::{Runtime, Toolkit};
use autoneural::front::Checkpoint;
use serde_json::Value;

pub const GRAPH: &str = "tests/fixtures/autoneural-random/definition.toml";
pub const WEIGHTS: &str = "tests/fixtures/autoneural-random";
pub const RECIPE: &str = "calibration/photos.toml";
pub const GOLDEN: &str = "tests/fixtures/golden";

/// A recipe with one sample of each use, with the image `photo.png`.
pub const SMALL_RECIPE: &str = r#"schema = 1
name = "bench"
decode_steps = 1

[recipe.vision]
weights = "int8"
activations = "uint16"
observer = "min-max"

[recipe.projector]
weights = "int8"
activations = "uint16"
observer = "min-max"

[recipe.language]
weights = "int4"
activations = "uint16"
kv_cache = "uint8"
observer = "min-max"

[[calibration]]
image = "photo.png"
prompt = "Who?"

[[verification]]
image = "photo.png"
prompt = "Where?"
"#;

/// Numbers between -1 and 1 in no order; `seed` gives others.
pub fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| (((at + 31 * seed) * 7919 + seed) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// Path of a file of the project.
pub fn root(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The vendor toolkit. Tests that need it fail without it: a test that is skipped proves nothing.
pub fn toolkit() -> PathBuf {
    let given = std::env::var_os("AUTONEURAL_TOOLKIT").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| root(".vendor/toolkit"));
    assert!(folder.is_dir(), "the vendor toolkit is missing; run the tests with `make test`");
    folder
}

/// Lets the library run templates and tokenizers by the program: this test is not it.
pub fn serve() {
    autoneural::host::serve_with(env!("CARGO_BIN_EXE_autoneural"));
}

/// Runs the program in the project's folder.
pub fn autoneural(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_autoneural"))
        .args(args)
        // Help texts are wrapped to this width where it is set.
        .env_remove("COLUMNS")
        .current_dir(root("."))
        .output()
        .expect("the program starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the program and expects success; gives standard output.
pub fn succeed(args: &[&str]) -> String {
    let output = autoneural(args);
    assert!(output.status.success(), "autoneural {args:?} failed:\n{}", stderr(&output));
    stdout(&output)
}

/// Runs a Python script that reads models with the ONNX package; gives what it prints.
pub fn python(script: &str, models: &[PathBuf]) -> String {
    let packages = std::env::var("AUTONEURAL_CHECK_PYTHONPATH")
        .expect("AUTONEURAL_CHECK_PYTHONPATH names the onnx package; run the tests with `make test`");
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .args(["-c", script])
        .args(models)
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(std::fs::copy(&path, &target).is_ok()),
        }
    }
}

/// Arguments of a compilation of the demo model.
pub fn compile_args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args =
        vec!["compile", GRAPH, "--weights", WEIGHTS, "--calibration", RECIPE, "--target", "sa8295p", "--out", out];
    args.extend(more);
    args
}

/// The demo model, compiled once for all tests that only read it.
pub fn demo_bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
        let toolkit = toolkit();
        let toolkit = toolkit.to_str().expect("UTF-8");
        let out_text = out.to_str().expect("UTF-8");
        succeed(&compile_args(out_text, &["--require-npu", "--force", "--toolkit", toolkit, "-q"]));
        out
    })
}

/// The vendor toolkit, loaded; a process can do that once.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::load(&Toolkit::find(Some(&toolkit()))).unwrap_or_else(|error| panic!("{error}")))
}

/// The warnings of a manifest or a report. That a bench has no chat template, that it calibrates with one sample, and that
/// its recipe has 4 bits per channel, is left out.
pub fn warnings_of(manifest: &serde_json::Value) -> Vec<String> {
    let all = manifest["warnings"].as_array().cloned().unwrap_or_default();
    let is_of_bench = |one: &&serde_json::Value| {
        let message = one["message"].as_str().unwrap();
        one["place"] == "chat_template.jinja"
            || message.starts_with("one sample calibrates")
            || message.contains("one scale for all weights of a channel in few bits")
    };
    let others = all.iter().filter(|one| !is_of_bench(one));
    others.map(|one| format!("{}: {}", one["place"].as_str().unwrap(), one["message"].as_str().unwrap())).collect()
}

/// The golden tensors.
pub struct Golden(Checkpoint);

impl Golden {
    pub fn open() -> Self {
        Golden(Checkpoint::open(&root(GOLDEN).join("golden.safetensors")).expect("the golden file opens"))
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.0.tensors().get(name).unwrap_or_else(|| panic!("golden `{name}`")).shape.clone()
    }

    pub fn get(&self, name: &str) -> Vec<f32> {
        self.0.tensor(name, &self.shape(name)).unwrap_or_else(|error| panic!("{error}")).to_f32()
    }
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The files of a bundle. Hidden ones are the program's own.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
                if !name.split('/').any(|part| part.starts_with('.')) {
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

pub fn assert_snapshot(name: &str, made: &str) {
    let path = root("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if wanted != made {
        let line = wanted.lines().zip(made.lines()).position(|(a, b)| a != b).unwrap_or(0);
        let at = |text: &str| text.lines().nth(line).unwrap_or_default().to_string();
        panic!("{name} differs from line {}:\n- {}\n+ {}", line + 1, at(&wanted), at(made));
    }
}

/// The demo model compiled without the toolkit: no context binaries and no figures, so its picture is the same
/// anywhere.
pub fn plain_bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (out, empty) = (folder.join("plain"), folder.join("no-toolkit"));
        std::fs::create_dir_all(&empty).unwrap();
        let more = ["--force", "--toolkit", empty.to_str().unwrap()];
        let said = succeed(&compile_args(out.to_str().unwrap(), &more));
        assert!(
            said.contains("a device holds ") && said.contains("weights (there are no context binaries) "),
            "{said}"
        );
        out
    })
}
