//! ONNX models from elsewhere: they compute what ONNX Runtime computes of their files, and go all the way through.

use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::{autoneural, json, numbers, root, stderr, succeed, toolkit};

const FOLDER: &str = "tests/fixtures/onnx";

/// Model files that tools/make_onnx_models.py makes.
fn models() -> Vec<PathBuf> {
    let found = std::fs::read_dir(root(FOLDER)).unwrap().map(|entry| entry.unwrap().path());
    let mut models: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|end| end == "onnx")).collect();
    models.sort();
    assert!(models.len() >= 4, "{models:?}");
    models
}

/// Prints the lowest SQNR of an output of the second model against the first, both in ONNX Runtime on random inputs.
const COMPARE: &str = "
import sys, numpy as np, onnxruntime as ort
first, second = (ort.InferenceSession(path, providers=['CPUExecutionProvider']) for path in sys.argv[1:])
types = {'float': np.float32, 'int32': np.int32, 'int64': np.int64, 'bool': bool}
types = {f'tensor({name})': kind for name, kind in types.items()}
random, lowest = np.random.default_rng(1), 200.0
for _ in range(3):
    feeds, fed = {}, {}
    for port, kept in zip(first.get_inputs(), second.get_inputs()):
        assert port.name == kept.name
        # Truths and masks become numbers.
        most = 2 if 'bool' in port.type or port.name == 'mask' else 20
        real = 'float' in port.type
        drawn = random.standard_normal(kept.shape) if real else random.integers(0, most, kept.shape)
        feeds[port.name], fed[port.name] = (drawn.astype(types[one.type]) for one in (port, kept))
    names = [port.name for port in first.get_outputs()]
    for wanted, found in zip(first.run(names, feeds), second.run(names, fed)):
        assert wanted.shape == found.shape
        noise = float(np.square(wanted.astype(np.float64) - found).sum())
        if noise:
            lowest = min(lowest, 10 * np.log10(float(np.square(wanted.astype(np.float64)).sum()) / noise))
print(lowest)
";

#[test]
fn imported_models_compute_what_onnx_runtime_computes_of_their_files() {
    let packages = std::env::var("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make test`");
    for path in models() {
        let folder = TempDir::new().unwrap();
        let (out, name) = (folder.path().join("out"), path.file_stem().unwrap().to_str().unwrap());
        succeed(&["export", path.to_str().unwrap(), "--target", "sa8295p", "--out", out.to_str().unwrap()]);
        // Frozen, and as the file has it.
        for model in [format!("model/{name}.onnx"), format!("model/.as-built.{name}.onnx")] {
            let output = Command::new("python3")
                .args(["-c", COMPARE, path.to_str().unwrap(), out.join(&model).to_str().unwrap()])
                .env("PYTHONPATH", format!("{}:{packages}", toolkit().display()))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let sqnr: f64 = said.trim().parse().unwrap_or_else(|_| panic!("{model}: {}", stderr(&output)));
            assert!(sqnr >= 90.0, "{}: {model}: {sqnr:.1} dB", path.display());
        }
    }
}

/// Whether two models are the same for Python's `onnx`, but for fields that are set to what they are unset; and what it
/// writes of the first in text form.
const SAME: &str = "
import sys, onnx
def plain(message):
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if hasattr(value, 'extend') else [value]:
                plain(one)
        elif value == field.default_value:
            message.ClearField(field.name)
    return message
first, second = (onnx.load(path) for path in sys.argv[1:3])
onnx.checker.check_model(second)
assert plain(first) == plain(second)
onnx.save(first, sys.argv[3], format='textproto')
";

#[test]
fn the_text_form_is_that_of_pythons_onnx() {
    let packages = std::env::var("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make test`");
    let folder = TempDir::new().unwrap();
    let [ours, theirs] = ["ours.textproto", "theirs.textproto"].map(|name| folder.path().join(name));
    let texts = std::fs::read_dir(root("tests/fixtures/onnx-text")).unwrap().map(|entry| entry.unwrap().path());
    for path in models().into_iter().chain(texts) {
        let said = succeed(&["inspect", path.to_str().unwrap(), "--text"]);
        std::fs::write(&ours, &said).unwrap();
        let output = Command::new("python3")
            .args(["-c", SAME, path.to_str().unwrap(), ours.to_str().unwrap(), theirs.to_str().unwrap()])
            .env("PYTHONPATH", &packages)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), stderr(&output));
        assert_eq!(succeed(&["inspect", theirs.to_str().unwrap(), "--text"]), said, "{}", path.display());
    }
}

/// Samples that calibrate.
const CALIBRATION: usize = 32;

/// Samples of a model with one input, and a recipe for them.
fn recipe(folder: &Path, groups: &[(&str, &str, &[usize])]) -> PathBuf {
    let mut text = "schema = 2\nname = \"samples\"\n".to_string();
    for (group, _, _) in groups {
        text.push_str(&format!(
            "[recipe.{group}]\nweights = \"int8\"\nactivations = \"uint16\"\nobserver = \"min-max\"\n"
        ));
    }
    // Enough to calibrate: the ranges of a few numbers do not hold what comes next.
    for at in 0..=CALIBRATION {
        let bytes = |shape: &[usize]| -> Vec<u8> {
            numbers(shape.iter().product(), 50 + at).iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let arrays: Vec<(String, Vec<usize>, Vec<u8>)> = groups
            .iter()
            .map(|(group, input, shape)| (format!("{group}/{input}"), shape.to_vec(), bytes(shape)))
            .collect();
        let views = arrays
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        let name = format!("{at}.safetensors");
        std::fs::write(folder.join(&name), serialize(views, None).unwrap()).unwrap();
        let list = if at < CALIBRATION { "calibration" } else { "verification" };
        text.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n"));
    }
    let path = folder.join("recipe.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn models_in_a_chain_are_groups_of_one_program() {
    let folder = TempDir::new().unwrap();
    let groups: [(&str, &str, &[usize]); 8] = [
        ("classifier", "image", &[1, 3, 16, 16]),
        ("sequence", "sound", &[1, 4, 24]),
        ("padded", "patches", &[1, 128, 32]),
        ("styled", "image", &[1, 8, 6, 6]),
        ("keras", "image", &[1, 12, 12, 3]),
        ("pyramid", "image", &[1, 3, 32, 32]),
        ("recurrent", "frames", &[5, 2, 6]),
        ("repeated", "rows", &[2, 96]),
    ];
    let recipe = recipe(folder.path(), &groups);
    let (out, toolkit) = (folder.path().join("out"), toolkit());
    let models = groups.map(|(name, _, _)| root(&format!("{FOLDER}/{name}.onnx")));
    let models = models.each_ref().map(|path| path.to_str().unwrap());
    let args = [
        "--calibration",
        recipe.to_str().unwrap(),
        "--target",
        "sa8295p",
        "--out",
        out.to_str().unwrap(),
        "--toolkit",
        toolkit.to_str().unwrap(),
        "--require-npu",
        "--max-difference",
        "99",
    ];
    succeed(&[&["compile"], &models[..], &args].concat());
    let report = json(&out.join("report.json"));
    // The first output of the fourth is a class: a number that is another one where two are near.
    let floors = [
        ("classifier", 40.0),
        ("sequence", 30.0),
        ("padded", 30.0),
        ("styled", 15.0),
        ("keras", 30.0),
        ("pyramid", 30.0),
        ("recurrent", 30.0),
        ("repeated", 30.0),
    ];
    for (at, (name, floor)) in floors.into_iter().enumerate() {
        let partition = &report["partitions"][at];
        assert_eq!(partition["name"], name);
        assert_eq!(partition["nodes"], partition["npu_nodes"], "{name}");
        let npu = partition["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
        assert!(npu > floor, "{name}: {npu}");
        // The frozen graph is held against the one that was read.
        assert!(partition["frozen"]["sqnr_db"].as_f64().unwrap() > 90.0, "{name}: {}", partition["frozen"]);
    }
    assert_eq!(json(&out.join("manifest.json"))["model"], groups.map(|(name, _, _)| name).join("+"));
}

#[test]
fn what_is_missing_is_asked_for_before_any_work() {
    let folder = TempDir::new().unwrap();
    let model = root(&format!("{FOLDER}/shuffle.onnx"));
    let out = folder.path().join("out");
    let base = ["export", model.to_str().unwrap(), "--target", "sa8295p", "--out", out.to_str().unwrap()];
    for (more, status, words) in [
        (&["--shape", "images=1,4,8,8"][..], 3, "is no input of the model"),
        (&["--shape", "1,4,8,9"], 3, "makes axis 3 9; the model says 8"),
        (&["--shape", "1,4,x"], 2, "is no size of an axis"),
        (&["--weights", "models/autoneural-tiny"], 2, "are for model definitions"),
    ] {
        let output = autoneural(&[&base[..], more].concat());
        assert_eq!(output.status.code(), Some(status), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{more:?}: {}", stderr(&output));
    }
    assert!(!out.exists());
    let output = autoneural(&base);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("axis 0 has no size in the model and was taken as 1"), "{}", stderr(&output));
}
