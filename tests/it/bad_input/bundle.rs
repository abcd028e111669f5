//! Bundles: stages out of order, damaged files, files that were edited by hand.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::bench::{Bench, COMPILE, INPUT, names};
use crate::common::stderr;

/// A bench with a whole bundle (without what needs the vendor toolkit) at `bundle`.
pub fn with_bundle() -> Bench {
    let bench = Bench::new();
    let mut args = COMPILE;
    args[7] = "{bundle}";
    let output = bench.run(&args);
    assert!(output.status.success(), "the bundle is made: {}", stderr(&output));
    bench
}

const CALIBRATE: [&str; 4] = ["calibrate", "{bundle}", "--calibration", "{recipe/recipe.toml}"];
const QUANTIZE: [&str; 2] = ["quantize", "{bundle}"];
const EMIT: [&str; 2] = ["emit", "{bundle}"];
const VERIFY: [&str; 6] = ["verify", "{bundle}", "--calibration", "{recipe/recipe.toml}", "--toolkit", "{empty}"];

impl Bench {
    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Writes a file of the bundle, with the size and the hash that the manifest says.
    fn put(&self, file: &str, text: &str) {
        self.write(&format!("bundle/{file}"), text);
        let mut manifest = self.json("bundle/manifest.json");
        let files = manifest["files"].as_array_mut().expect("a list");
        let record = files.iter_mut().find(|record| record["path"] == file).expect("the manifest lists the file");
        record["bytes"] = text.len().into();
        let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        record["sha256"] = hash.into();
        self.write("bundle/manifest.json", manifest.to_string());
    }

    /// Runs a command on the bundle with one file changed; expects this failure, an untouched bundle, and mends it.
    fn expect_damage(&self, case: &str, file: &str, text: &str, command: &[&str], words: &[&str]) {
        let sound = self.read(&format!("bundle/{file}"));
        assert_ne!(sound, text, "{case}: the damage changes nothing");
        self.put(file, text);
        let (manifest, folders) = (self.read("bundle/manifest.json"), names(&self.path("bundle")));
        self.expect(case, &self.run(command), INPUT, words);
        assert_eq!(self.read("bundle/manifest.json"), manifest, "{case}: the manifest changed");
        assert_eq!(names(&self.path("bundle")), folders, "{case}: the bundle has other files");
        self.put(file, &sound);
    }

    fn expect_json_damage(&self, case: &str, file: &str, damage: fn(&mut Value), command: &[&str], words: &[&str]) {
        let mut value = self.json(&format!("bundle/{file}"));
        damage(&mut value);
        self.expect_damage(case, file, &value.to_string(), command, words);
    }
}

#[test]
fn stages_want_a_bundle_and_their_forerunner() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("bundle")).expect("a folder");
    for command in [&CALIBRATE[..], &QUANTIZE, &EMIT, &VERIFY, &["build", "{bundle}"]] {
        bench.expect(command[0], &bench.run(command), INPUT, &["bundle", "is no bundle (it has no manifest.json)"]);
    }
    bench.expect("no such folder", &bench.run(&["quantize", "{nowhere}"]), INPUT, &["nowhere", "is no bundle"]);
    let mut args = crate::common::bench::EXPORT;
    args[7] = "{bundle}";
    std::fs::remove_dir(bench.path("bundle")).expect("the folder");
    assert!(bench.run(&args).status.success());
    for (command, before) in [(&QUANTIZE[..], "calibrate"), (&EMIT, "quantize"), (&VERIFY, "emit")] {
        let words = [&format!("`{before}` has not run"), &format!("run `autoneural {before}` first")];
        bench.expect(command[0], &bench.run(command), INPUT, &words.map(String::as_str));
    }
    assert_eq!(names(&bench.path("bundle")), [".ledger.json", "manifest.json", "model"]);
}

#[test]
fn damaged_bundles_are_not_taken_for_whole() {
    let bench = with_bundle();
    let data = bench.path("bundle/model/language.data");
    let sound = std::fs::read(&data).expect("the data");
    std::fs::write(&data, &sound[..sound.len() - 4]).expect("written");
    let words = ["model/language.data", "the manifest says", "make it again"];
    bench.expect("truncated data", &bench.run(&EMIT), INPUT, &words);
    std::fs::remove_file(&data).expect("the data");
    bench.expect(
        "missing data",
        &bench.run(&EMIT),
        INPUT,
        &["model/language.data", "is missing, the manifest lists it"],
    );
    std::fs::write(&data, &sound).expect("written");
    let manifest = bench.json("bundle/manifest.json");
    type Damage = fn(&mut Value);
    let cases: [(&str, Damage, &str); 6] = [
        ("later schema", |m| m["schema"] = 2.into(), "is of schema 2; this version reads schema 1"),
        ("no schema", |m| m["schema"] = Value::Null, "manifest.json:"),
        ("way out", |m| m["files"][0]["path"] = "../x".into(), "lists `../x`, which is not in the bundle"),
        ("absolute", |m| m["files"][0]["path"] = "/etc/passwd".into(), "lists `/etc/passwd`"),
        ("missing list", |m| drop(m.as_object_mut().expect("an object").remove("files")), "missing field `files`"),
        ("negative size", |m| m["files"][0]["bytes"] = (-1).into(), "manifest.json:"),
    ];
    for (case, damage, word) in cases {
        let mut damaged = manifest.clone();
        damage(&mut damaged);
        bench.write("bundle/manifest.json", damaged.to_string());
        bench.expect(case, &bench.run(&EMIT), INPUT, &["manifest.json", word]);
        bench.expect(case, &bench.run(&["inspect", "{bundle}"]), INPUT, &["manifest.json", word]);
    }
    bench.write("bundle/manifest.json", manifest.to_string());
    let mut model = std::fs::read(bench.path("bundle/model/vision.onnx")).expect("the model");
    model[1000] ^= 1;
    bench.write("bundle/model/vision.onnx", model);
    bench.expect("one bit", &bench.run(&VERIFY), INPUT, &["model/vision.onnx", "SHA-256", "make it again"]);
    bench.write("bundle/manifest.json", "{\n\"schema\": 1,\n");
    bench.expect("cut off", &bench.run(&EMIT), INPUT, &["manifest.json:3"]);
}

#[test]
fn edited_graphs_are_checked() {
    let bench = with_bundle();
    let file = "model/language.decode.json";
    type Damage = fn(&mut Value);
    fn input<'a>(graph: &'a mut Value, name: &str) -> &'a mut Value {
        let inputs = graph["inputs"].as_array_mut().expect("a list");
        inputs.iter_mut().find(|input| input["name"] == name).expect("the input")
    }
    let cases: [(&str, Damage, &str); 17] = [
        ("offset beyond the file", |g| g["constants"][0]["offset"] = 99_999_999u64.into(), "reaches beyond the end of"),
        ("offset of all bits", |g| g["constants"][0]["offset"] = u64::MAX.into(), "reaches beyond the end of"),
        (
            "huge constant",
            |g| g["constants"][0]["shape"] = json!([1u64 << 40, 1u64 << 40]),
            "reaches beyond the end of",
        ),
        ("empty constant", |g| g["constants"][0]["shape"] = json!([0]), "elements"),
        ("unknown input", |g| g["nodes"][3]["inputs"][0] = "nobody".into(), "`nobody`: is read before it is made"),
        ("unknown output", |g| g["outputs"][0]["name"] = "nobody".into(), "`nobody`: is never made"),
        ("unknown operator", |g| g["nodes"][0]["op"] = "Magic".into(), "unknown variant `Magic`"),
        ("two of one name", |g| g["nodes"][1]["name"] = g["nodes"][0]["name"].clone(), "two values are named"),
        ("too few inputs", |g| g["nodes"][0]["inputs"] = json!([]), "takes"),
        ("impossible shape", |g| input(g, "embeds")["shape"] = json!([1, 1, 7]), "language.decode"),
        ("huge shape", |g| input(g, "mask")["shape"] = json!([1u64 << 40, 1u64 << 40]), "elements"),
        ("other state", |g| input(g, "layers.1.k_cache")["shape"] = json!([1, 2, 32, 99]), "language.decode"),
        ("other role", |g| input(g, "cos")["role"] = "keys".into(), "the definition wants role `rotary`"),
        ("other key", |g| input(g, "layers.0.conv_state")["encoding_key"] = "mine".into(), "\"mine\""),
        ("other element type", |g| input(g, "embeds")["element"] = "i32".into(), "language.decode"),
        ("later schema", |g| g["schema"] = 2.into(), "language.decode.json"),
        ("no nodes", |g| drop(g.as_object_mut().expect("an object").remove("nodes")), "missing field `nodes`"),
    ];
    for (case, damage, word) in cases {
        bench.expect_json_damage(case, file, damage, &EMIT, &["language.decode.json", word]);
    }
    bench.expect_damage("no JSON", file, "{\n{", &EMIT, &["language.decode.json:2"]);
    let definition = bench.read("bundle/model/definition.toml");
    let other = definition.replace("context = 256", "context = 128");
    bench.expect_damage("another definition", "model/definition.toml", &other, &VERIFY, &["`mask`", "128"]);
    bench.expect_damage("no definition", "model/definition.toml", "", &EMIT, &["definition.toml"]);
    let edited = bench.read("bundle/calibration/statistics.json").replacen("\"count\": ", "\"count\": -", 1);
    bench.expect_damage("statistics", "calibration/statistics.json", &edited, &QUANTIZE, &["statistics.json:"]);
}

#[test]
fn edited_encodings_are_checked() {
    let bench = with_bundle();
    let file = "encodings/projector.json";
    type Damage = fn(&mut Value);
    fn entry<'a>(table: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
        let entries = table[list].as_array_mut().expect("a list");
        entries.iter_mut().find(|entry| entry["name"] == name).expect("the entry")
    }
    fn activation<'a>(table: &'a mut Value, name: &str) -> &'a mut Value {
        entry(table, "activation_encodings", name)
    }
    fn weight(table: &mut Value) -> &mut Value {
        entry(table, "param_encodings", "linear_1.weight")
    }
    let cases: [(&str, Damage, &[&str]); 16] = [
        ("scale 0", |t| activation(t, "linear_1")["scale"] = json!([0.0]), &["`linear_1`", "scale 0 is impossible"]),
        (
            "negative scale",
            |t| activation(t, "linear_1")["scale"] = json!([-1.0]),
            &["`linear_1`", "scale -1 is impossible"],
        ),
        (
            "infinite scale",
            |t| activation(t, "linear_1")["scale"] = json!([1e300]),
            &["projector.json:", "number out of range"],
        ),
        (
            "no number",
            |t| activation(t, "linear_1")["scale"] = json!([null]),
            &["projector.json:", "invalid type: null"],
        ),
        ("NaN as text", |t| activation(t, "linear_1")["scale"] = json!(["NaN"]), &["projector.json:", "invalid type"]),
        ("no scale", |t| activation(t, "linear_1")["scale"] = json!([]), &["`linear_1`", "0 scales and 1 offsets"]),
        (
            "offset far out",
            |t| activation(t, "linear_1")["offset"] = json!([i64::MIN]),
            &["`linear_1`", "outside uint16"],
        ),
        ("bits", |t| activation(t, "linear_1")["bw"] = 7.into(), &["`linear_1`", "7 bits"]),
        (
            "signed activation",
            |t| {
                let entry = activation(t, "linear_1");
                (entry["is_sym"], entry["bw"], entry["offset"]) = (true.into(), 8.into(), json!([-128]));
            },
            &["`linear_1`", "int8 is no encoding of activations"],
        ),
        (
            "activation per channel",
            |t| {
                let entry = activation(t, "linear_1");
                entry["enc_type"] = "PER_CHANNEL".into();
                (entry["scale"], entry["offset"]) = (json!(vec![0.1; 256]), json!(vec![0; 256]));
            },
            &["`linear_1`", "per channel is no encoding of activations"],
        ),
        (
            "wrong number of channels",
            |t| {
                (weight(t)["scale"], weight(t)["offset"]) = (json!([0.1, 0.1]), json!([-128, -128]));
            },
            &["`linear_1.weight`", "2 channels do not fit [256, 256]"],
        ),
        (
            "unknown name",
            |t| activation(t, "linear_1")["name"] = "nobody".into(),
            &["`nobody`", "is no value of the graph"],
        ),
        (
            "in the wrong list",
            |t| {
                let moved = weight(t).clone();
                t["activation_encodings"].as_array_mut().expect("a list").push(moved);
            },
            &["`linear_1.weight`", "is a constant; it belongs to param_encodings"],
        ),
        (
            "twice",
            |t| {
                let again = activation(t, "linear_1").clone();
                t["activation_encodings"].as_array_mut().expect("a list").push(again);
            },
            &["`linear_1`", "stands twice"],
        ),
        (
            "missing entry",
            |t| drop(t["activation_encodings"].as_array_mut().expect("a list").pop()),
            &["has no encoding"],
        ),
        (
            "border that does not fit",
            |t| activation(t, "embeds")["scale"] = json!([0.5]),
            &["`embeds`", "is encoded otherwise"],
        ),
    ];
    for (case, damage, words) in cases {
        let words = [&[".json"], words].concat();
        bench.expect_json_damage(case, file, damage, &EMIT, &words);
    }
    bench.expect_json_damage(
        "version",
        file,
        |t| t["version"] = "2.0.0".into(),
        &EMIT,
        &["version 2.0.0 are not read"],
    );
    bench.expect_damage("no JSON", file, "{", &EMIT, &["projector.json:1"]);
    let output = bench.run(&EMIT);
    assert!(output.status.success(), "the mended bundle is emitted: {}", stderr(&output));
}
