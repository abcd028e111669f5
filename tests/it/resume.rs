//! `autoneural compile` again: nothing is done twice, whatever stopped the run before, and the result is that of one run.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::bad_input::{Tensors, names};
use crate::common::{GRAPH, RECIPE, WEIGHTS, autoneural, root, stderr, stdout, toolkit};
use crate::pipeline::{files, json};

const SAMPLES: &str = r#"
[[calibration]]
image = "photos/cat.jpg"
prompt = "What colour are the eyes of the cat?"

[[calibration]]
prompt = "Which colours do you see?"

[[verification]]
image = "photos/rocket.jpg"
prompt = "Is it day or night?"
"#;

/// What a compilation that nothing disturbs makes of an untouched desk.
fn undisturbed() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("undisturbed");
        succeeded(Desk::new().compile(out.to_str().unwrap(), &["-q", "--force"]));
        out
    })
}

/// Everything a compilation reads, to change, and where it goes.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    fn args(&self, out: &str, more: &[&str]) -> Vec<String> {
        let (graph, weights, recipe) = (self.text("graph.toml"), self.text("weights"), self.text("recipe.toml"));
        let out = self.text(out);
        let mut args: Vec<String> = vec!["compile".into(), graph, "--weights".into(), weights];
        args.extend(["--calibration".into(), recipe, "--target".into(), "sa8295p".into(), "--out".into(), out]);
        args.extend(more.iter().map(|arg| arg.to_string()));
        args
    }

    /// Compiles with the vendor toolkit.
    fn compile(&self, out: &str, more: &[&str]) -> Output {
        let toolkit = toolkit();
        let args = self.args(out, &[&["--toolkit", toolkit.to_str().unwrap()], more].concat());
        autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Compiles without the vendor toolkit.
    fn compile_part(&self, out: &str, more: &[&str]) -> Output {
        let empty = self.text("empty");
        let args = self.args(out, &[&["--toolkit", &empty], more].concat());
        autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts a compilation and kills it as soon as a file is there in the folder that it works in.
    fn kill_at(&self, out: &str, file: &str) {
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

    fn edit(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let before = std::fs::read_to_string(self.path(name)).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after);
        std::fs::write(self.path(name), after).unwrap();
    }

    /// Changes one tensor of the checkpoint.
    fn scale_tensor(&self, name: &str) {
        let path = self.path("weights/model.safetensors");
        let mut tensors = Tensors::read(&path);
        for number in tensors.get(name).data.chunks_exact_mut(2) {
            let scaled = half::bf16::from_f32(half::bf16::from_le_bytes([number[0], number[1]]).to_f32() * 0.5);
            number.copy_from_slice(&scaled.to_le_bytes());
        }
        tensors.write(&path);
    }
}

fn succeeded(output: Output) -> (String, String) {
    assert!(output.status.success(), "{}", stderr(&output));
    (stdout(&output), stderr(&output))
}

/// Files that are part of a bundle, without what tells how long something took.
fn parts(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
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

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (parts(one), parts(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

/// The file itself, whatever it holds: inode and time.
fn identity(path: &Path) -> (u64, i64, i64) {
    let meta = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

fn identities(bundle: &Path) -> BTreeMap<String, (u64, i64, i64)> {
    parts(bundle).into_keys().map(|name| (name.clone(), identity(&bundle.join(name)))).collect()
}

/// What was done, and what was not, by the lines on standard error.
fn assert_work(said: &str, done: &[&str], unchanged: &[&str]) {
    for name in done {
        assert!(said.contains(&format!("{name}: done in")), "{name} was not done:\n{said}");
    }
    for name in unchanged {
        assert!(said.contains(&format!("{name}: unchanged\n")), "{name} was done again:\n{said}");
    }
}

const EVERYTHING: [&str; 23] = [
    "export host",
    "export vision",
    "export projector",
    "export language",
    "calibrate images",
    "calibrate text",
    "quantize vision",
    "quantize projector",
    "quantize language",
    "round vision",
    "round projector",
    "round language",
    "emit vision",
    "emit projector",
    "emit language",
    "emit embeddings",
    "emit tables",
    "build vision",
    "build projector",
    "build language.prefill",
    "build language.decode",
    "verify",
    "verify golden",
];

#[test]
fn with_nothing_changed_nothing_is_done() {
    let desk = Desk::new();
    let (table, _) = succeeded(desk.compile("out", &[]));
    let out = desk.path("out");
    assert_same(&out, undisturbed());
    let before = identities(&out);
    let (again, said) = succeeded(desk.compile("out", &[]));
    assert_work(&said, &[], &EVERYTHING);
    assert!(!said.contains("done in"), "{said}");
    assert!(again.contains(&format!("{} is up to date", out.display())), "{again}");
    // The report is printed again, as it was.
    let report = |text: &str| text.split("\nbundle: ").next().unwrap().to_string();
    assert_eq!(report(&table), report(&again));
    assert_eq!(identities(&out), before);
    assert_eq!(names(desk.folder.path()), ["empty", "graph.toml", "out", "photos", "recipe.toml", "weights"]);

    // Files that were written anew with the same contents are the same files.
    let weights = desk.path("weights/model.safetensors");
    std::fs::write(&weights, std::fs::read(&weights).unwrap()).unwrap();
    let (again, _) = succeeded(desk.compile("out", &["--check-contents"]));
    assert!(again.contains("is up to date"), "{again}");
    assert_eq!(identities(&out), before);

    // Other demands are held against the same figures.
    let output = desk.compile("out", &["--min-sqnr", "190"]);
    assert_eq!(output.status.code(), Some(6));
    assert_work(&stderr(&output), &[], &EVERYTHING);
    assert!(!json(&out.join("report.json"))["failures"].as_array().unwrap().is_empty());
    succeeded(desk.compile("out", &[]));
    assert_same(&out, undisturbed());

    // Without a ledger nothing is known, and all is made again.
    std::fs::remove_file(out.join(".ledger.json")).unwrap();
    let (_, said) = succeeded(desk.compile("out", &[]));
    assert_work(&said, &EVERYTHING[1..], &[]);
    assert_same(&out, undisturbed());
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let desk = Desk::new();
    let work = desk.path(".out.work");
    // What is noted as whole at one kill is still the same file at the next, and in the end.
    let mut kept: BTreeMap<&str, (u64, i64, i64)> = BTreeMap::new();
    let moments = [
        "model/vision.data",
        "model/language.data",
        "calibration/.images.json",
        "qdq/vision.data",
        "calibration/statistics.json",
        "encodings/language.decode.json",
        "qdq/language.data",
        "context/projector_qnn.bin",
        "context/language.decode_qnn.bin",
    ];
    for moment in moments {
        desk.kill_at("out", moment);
        assert!(!desk.path("out").exists(), "no bundle at {moment}");
        let ledger = std::fs::read_to_string(work.join(".ledger.json")).unwrap();
        for file in moments.iter().filter(|file| ledger.contains(&format!("\"{file}\""))) {
            let now = identity(&work.join(file));
            assert_eq!(*kept.entry(file).or_insert(now), now, "{file} was made again");
        }
    }
    assert!(kept.len() > 4, "{kept:?}");
    let (table, said) = succeeded(desk.compile("out", &[]));
    assert_work(&said, &["verify"], &["export vision", "export language", "calibrate images", "emit vision"]);
    assert!(table.contains("pieces of work were done before"), "{table}");
    for (file, identity_then) in &kept {
        assert_eq!(identity(&desk.path("out").join(file)), *identity_then, "{file} was made again");
    }
    assert_same(&desk.path("out"), undisturbed());
    assert!(!work.exists() && !desk.path(".out.lock").exists());
}

#[test]
fn an_error_keeps_what_is_finished() {
    let desk = Desk::new();
    let sound = std::fs::read_to_string(desk.path("recipe.toml")).unwrap();
    // The NPU takes no int16 weights: told when vision is quantized.
    desk.edit("recipe.toml", |text| text.replacen("weights = \"int8\"", "weights = \"int16\"", 1));
    let output = desk.compile_part("out", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("not int16") && said.contains("is kept in") && said.contains(".out.work"), "{said}");
    assert!(!desk.path("out").exists());
    std::fs::write(desk.path("recipe.toml"), sound).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["quantize vision", "calibrate text"], &["export language", "calibrate images"]);
}

#[test]
fn another_recipe_for_one_layer_redoes_what_the_layer_touches() {
    let desk = Desk::new();
    succeeded(desk.compile("out", &["-q"]));
    let (out, fresh) = (desk.path("out"), desk.path("fresh"));
    let before = identities(&out);
    let sound = std::fs::read_to_string(desk.path("recipe.toml")).unwrap();
    let exception = "\n[[override]]\ntensor = \"blocks.1.2.pw_exp.conv.weight\"\ntype = \"int4\"\n";
    desk.edit("recipe.toml", |text| text + exception);
    let (_, said) = succeeded(desk.compile("out", &[]));
    let done = ["quantize vision", "round vision", "emit vision", "build vision", "verify", "verify golden"];
    let unchanged: Vec<&str> = EVERYTHING
        .into_iter()
        .filter(|name| !name.ends_with("vision") || name.starts_with("export"))
        .filter(|name| !name.starts_with("quantize") && !name.starts_with("verify"))
        .collect();
    assert_work(&said, &done, &unchanged);
    let table = json(&out.join("encodings/vision.json"));
    for (name, bits) in [("blocks.1.2.pw_exp.conv.weight", 4), ("blocks.1.1.pw_exp.conv.weight", 8)] {
        let entries = table["param_encodings"].as_array().unwrap();
        assert_eq!(entries.iter().find(|entry| entry["name"] == name).unwrap()["bw"], bits, "{name}");
    }
    let after = identities(&out);
    for (name, identity) in &before {
        let is_visions =
            ["qdq/vision", "context/vision", "encodings/vision"].iter().any(|start| name.starts_with(start));
        // One layer was rounded anew, the others stay.
        let is_rounded = name == "codes/vision/blocks.1.2.pw_exp.conv.weight.safetensors";
        let of_all = ["encodings/", "golden/"].iter().any(|start| name.starts_with(start));
        let may_change = is_visions || is_rounded || !name.contains('/') || of_all || name.ends_with("recipe.toml");
        assert!(may_change || after[name] == *identity, "{name} was written again");
        assert!(!(is_visions || is_rounded) || after[name] != *identity, "{name} is the old one");
    }
    succeeded(desk.compile("fresh", &["-q"]));
    assert_same(&out, &fresh);

    // An activation that is handed on: its new type goes where the value goes, and no further.
    let exception = "\n[[override]]\ntensor = \"layers.*.k_new\"\ntype = \"uint16\"\n";
    std::fs::write(desk.path("recipe.toml"), format!("{sound}{exception}")).unwrap();
    let (_, said) = succeeded(desk.compile("out", &[]));
    assert_work(&said, &["emit language", "build language.prefill", "build language.decode"], &["build projector"]);
    for partition in json(&out.join("manifest.json"))["partitions"].as_array().unwrap() {
        for port in partition["inputs"].as_array().unwrap().iter().chain(partition["outputs"].as_array().unwrap()) {
            let wanted = match port["role"].as_str().unwrap() {
                "index" => "int32",
                "values" => "uint8",
                _ => "uint16",
            };
            assert_eq!(port["dtype"], wanted, "{} {}", partition["name"], port["name"]);
        }
    }
    succeeded(desk.compile("fresh", &["-q", "--force"]));
    assert_same(&out, &fresh);
}

#[test]
fn other_weights_redo_what_reads_them() {
    let desk = Desk::new();
    succeeded(desk.compile_part("out", &["-q"]));
    desk.scale_tensor("multi_modal_projector.linear_2.weight");
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    let exported = ["export host", "export vision", "export projector", "export language"];
    let done = ["calibrate images", "calibrate text", "quantize projector", "quantize language", "emit projector"];
    // Vision was exported to the same bytes, so nothing behind it is new.
    assert_work(&said, &[&exported[1..], &done, &["verify"]].concat(), &["emit vision"]);
    succeeded(desk.compile_part("fresh", &["-q"]));
    assert_same(&desk.path("out"), &desk.path("fresh"));

    // Another picture, of the same name: calibration begins again.
    std::fs::copy(root("calibration/photos/room.jpg"), desk.path("photos/cat.jpg")).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["calibrate images", "calibrate text"], &exported);
    // Another prompt: its second half alone.
    desk.edit("recipe.toml", |text| text.replace("Which colours do you see?", "What is it made of?"));
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["calibrate text"], &["calibrate images", "quantize vision", "emit vision"]);
    succeeded(desk.compile_part("fresh", &["-q", "--force"]));
    assert_same(&desk.path("out"), &desk.path("fresh"));

    // A file of the bundle that was damaged is made again, and only that.
    let damaged = desk.path("out/qdq/projector.data");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[1000] ^= 0x40;
    std::fs::write(&damaged, bytes).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["emit projector"], &["emit vision", "emit language", "quantize projector", "verify"]);
    assert_same(&desk.path("out"), &desk.path("fresh"));
}

#[test]
fn the_old_bundle_is_whole_until_the_new_one_is() {
    let desk = Desk::new();
    succeeded(desk.compile("out", &["-q"]));
    let (before, identities_before) = (parts(&desk.path("out")), identities(&desk.path("out")));
    desk.scale_tensor("model.embed_tokens.weight");
    for file in ["model/language.data", "qdq/vision.data", "context/language.prefill_qnn.bin"] {
        desk.kill_at("out", file);
        assert!(parts(&desk.path("out")) == before, "the old bundle changed by {file}");
        assert_eq!(identities(&desk.path("out")), identities_before);
    }
    succeeded(autoneural(&["inspect", &desk.text("out")]));
    succeeded(desk.compile("out", &["-q"]));
    assert!(parts(&desk.path("out")) != before);
    succeeded(desk.compile("fresh", &["-q"]));
    assert_same(&desk.path("out"), &desk.path("fresh"));
}

#[test]
fn two_runs_do_not_make_one_bundle() {
    let desk = Desk::new();
    succeeded(desk.compile_part("out", &["-q"]));
    let before = identities(&desk.path("out"));
    let lock = File::create(desk.path(".out.lock")).unwrap();
    std::fs::write(desk.path(".out.lock"), "4711\n").unwrap();
    lock.lock().unwrap();
    let emit = ["emit".to_string(), desk.text("out")];
    for args in [desk.args("out", &["--force"]), desk.args("out", &[]), emit.to_vec()] {
        let output = autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(3), "{args:?}");
        let said = stderr(&output);
        assert!(said.contains("is being made by another run (process 4711)") && said.contains("help: wait"), "{said}");
    }
    assert_eq!(identities(&desk.path("out")), before);
    // A lock file whose process is gone locks nothing.
    drop(lock);
    let (said, _) = succeeded(desk.compile_part("out", &[]));
    assert!(said.contains("is up to date"), "{said}");
}

#[test]
fn a_bundle_is_not_lost_by_a_mistake() {
    let desk = Desk::new();
    succeeded(desk.compile("out", &["-q"]));
    let before = identities(&desk.path("out"));
    let output = desk.compile_part("out", &[]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("has context binaries") && stderr(&output).contains("--force"));
    desk.edit("graph.toml", |text| text.replacen("name = \"autoneural-random\"", "name = \"another\"", 1));
    let output = desk.compile("out", &[]);
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("is a bundle of autoneural-random for sa8295p") && said.contains("--force"), "{said}");
    assert_eq!(identities(&desk.path("out")), before);
    assert!(!desk.path(".out.work").exists(), "nothing was begun");
    succeeded(desk.compile_part("out", &["-q", "--force"]));
    assert_eq!(json(&desk.path("out/manifest.json"))["model"], "another");
    assert!(!desk.path("out/context").exists());
}

#[test]
fn overrides_that_cannot_hold_are_refused() {
    let desk = Desk::new();
    let sound = std::fs::read_to_string(desk.path("recipe.toml")).unwrap();
    for (tensor, kind, words) in [
        ("blocks.9.*", "int4", ["override[0]: `blocks.9.*` fits no weight", "encodings/*.json"]),
        ("blocks.0.0.bn1", "int8", ["override[0]: `blocks.0.0.bn1` fits no weight", "uint8 or uint16"]),
        ("linear_1.weight", "uint8", ["override[0]: `linear_1.weight` fits no activation", "int4, int8 or int16"]),
        ("linear_1.weight", "int32", ["override[0].type", "int32 is no type to choose"]),
        ("linear_1.weight", "int16", ["linear_1", "not int16"]),
        ("linear_1.weight", "float", ["recipe.toml:", "unknown variant `float`"]),
    ] {
        let exception = format!("\n[[override]]\ntensor = \"{tensor}\"\ntype = \"{kind}\"\n");
        std::fs::write(desk.path("recipe.toml"), format!("{sound}{exception}")).unwrap();
        let output = desk.compile_part("out", &[]);
        assert_eq!(output.status.code(), Some(3), "{tensor} {kind}: {}", stderr(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{tensor} {kind}: {word}:\n{}", stderr(&output));
        }
    }
    // Keys of the cache go in and out under two names: both are one value.
    let two = ["layers.1.k_cache\"\ntype = \"uint8", "layers.1.k_new\"\ntype = \"uint16"];
    let exceptions: String = two.iter().map(|one| format!("\n[[override]]\ntensor = \"{one}\"\n")).collect();
    std::fs::write(desk.path("recipe.toml"), format!("{sound}{exceptions}")).unwrap();
    let said = stderr(&desk.compile_part("out", &[]));
    assert!(said.contains("shares its encoding") && said.contains("give both the same type"), "{said}");
}
