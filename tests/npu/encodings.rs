//! `--encodings`: encodings that were learned elsewhere, of all tensors or of some.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{autoneural, compile_args, demo_bundle, files, json, stderr, succeed};

const PARTITIONS: [&str; 4] = ["vision", "projector", "language.prefill", "language.decode"];
const LISTS: [&str; 2] = ["activation_encodings", "param_encodings"];

/// A copy of the demo bundle to quantize again.
struct Again {
    folder: TempDir,
}

impl Again {
    fn new() -> Self {
        let again = Again { folder: TempDir::new().unwrap() };
        for (name, bytes) in files(demo_bundle()) {
            let path = again.bundle().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        again
    }

    fn warnings(&self) -> Vec<Value> {
        let manifest = json(&self.bundle().join("manifest.json"));
        let all = manifest["warnings"].as_array().cloned().unwrap_or_default();
        // The recipe's own bits get one, too.
        all.into_iter().filter(|one| one["help"].as_str().is_none_or(|help| !help.contains("block_scales"))).collect()
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    fn write(&self, name: &str, value: &Value) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_string()
    }

    fn quantize(&self, files: &[&str]) -> std::process::Output {
        let bundle = self.bundle();
        let mut args = vec!["quantize", bundle.to_str().unwrap(), "-q"];
        args.extend(files.iter().flat_map(|file| ["--encodings", file]));
        autoneural(&args)
    }

    /// Quantizes with these entries alone; gives `partition: name` of all encodings that are not those of the demo
    /// bundle.
    fn changed(&self, entries: &Value) -> BTreeSet<String> {
        let file = self.write("some.json", entries);
        let output = self.quantize(&[&file]);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut changed = BTreeSet::new();
        for partition in PARTITIONS {
            let (before, after) = (table(demo_bundle(), partition), table(&self.bundle(), partition));
            for list in LISTS {
                let (before, after) = (before[list].as_array().unwrap(), after[list].as_array().unwrap());
                assert_eq!(before.len(), after.len());
                let differ = before.iter().zip(after).filter(|(before, after)| before != after);
                changed.extend(differ.map(|(entry, _)| format!("{partition}: {}", entry["name"].as_str().unwrap())));
            }
        }
        changed
    }
}

fn table(bundle: &Path, partition: &str) -> Value {
    json(&bundle.join(format!("encodings/{partition}.json")))
}

fn file_of(activations: Vec<Value>, params: Vec<Value>) -> Value {
    json!({ "version": "1.0.0", "activation_encodings": activations, "param_encodings": params })
}

/// An entry of the demo bundle with all its scales multiplied.
fn scaled(partition: &str, name: &str, factor: f64) -> Value {
    let table = table(demo_bundle(), partition);
    let mut entries = LISTS.iter().flat_map(|list| table[*list].as_array().unwrap());
    let mut entry = entries.find(|entry| entry["name"] == name).expect("the entry").clone();
    for scale in entry["scale"].as_array_mut().unwrap() {
        *scale = (scale.as_f64().unwrap() * factor).into();
    }
    entry
}

/// All entries of all partitions in one file, each name once.
fn merged() -> Value {
    let mut lists: [Vec<Value>; 2] = Default::default();
    let mut names = BTreeSet::new();
    for partition in PARTITIONS {
        let table = table(demo_bundle(), partition);
        for (list, key) in lists.iter_mut().zip(LISTS) {
            let entries = table[key].as_array().unwrap().iter();
            list.extend(entries.filter(|entry| names.insert(entry["name"].to_string())).cloned());
        }
    }
    let [activations, params] = lists;
    file_of(activations, params)
}

fn assert_same_models(again: &Path) {
    let (first, second) = (files(demo_bundle()), files(again));
    let compared = first.iter().filter(|(name, _)| name.starts_with("qdq/") || name.starts_with("encodings/"));
    for (name, bytes) in compared {
        assert!(*bytes == second[name], "{name} differs");
    }
}

#[test]
fn a_bundle_compiled_with_its_own_encodings_is_the_same_bundle() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (file, out, empty) = (path("qat.json"), path("out"), path("empty"));
    std::fs::write(&file, merged().to_string()).unwrap();
    std::fs::create_dir(&empty).unwrap();
    let said = succeed(&compile_args(&out, &["--encodings", &file, "--toolkit", &empty]));
    assert!(said.contains("encodings given, the others calibrated: vision 297 of 297; projector 10 of 10"), "{said}");
    let out = Path::new(&out);
    assert_same_models(out);
    let sha256: String = Sha256::digest(std::fs::read(&file).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    let record = json!([{ "path": "encodings/given/1-qat.json", "sha256": sha256 }]);
    let (manifest, report) = (json(&out.join("manifest.json")), json(&out.join("report.json")));
    assert_eq!((&manifest["given_encodings"], &report["given_encodings"]), (&record, &record));
    assert!(std::fs::read(out.join("encodings/given/1-qat.json")).unwrap() == std::fs::read(&file).unwrap());
    for made in [&manifest, &report] {
        for partition in made["partitions"].as_array().unwrap() {
            let counts = &partition["encodings"];
            assert!(counts["given"].as_u64().unwrap() > 0 && counts["calibrated"] == 0, "{}", partition["name"]);
        }
    }
    let without = json(&demo_bundle().join("report.json"));
    assert_eq!(without["given_encodings"], json!([]));
    assert_eq!(without["partitions"][0]["encodings"], json!({ "given": 0, "calibrated": 297 }));
}

#[test]
fn several_files_give_what_one_does() {
    let again = Again::new();
    let paths = PARTITIONS.map(|name| demo_bundle().join(format!("encodings/{name}.json")));
    let output = again.quantize(&paths.each_ref().map(|path| path.to_str().unwrap()));
    assert!(output.status.success(), "{}", stderr(&output));
    succeed(&["emit", again.bundle().to_str().unwrap(), "-q"]);
    assert_same_models(&again.bundle());
    let manifest = json(&again.bundle().join("manifest.json"));
    assert_eq!(manifest["given_encodings"][3]["path"], "encodings/given/4-language.decode.json");
    // Quantizing without files leaves nothing of them.
    assert!(again.quantize(&[]).status.success());
    assert!(!again.bundle().join("encodings/given").exists());
    assert_eq!(json(&again.bundle().join("manifest.json"))["given_encodings"], json!([]));
}

#[test]
fn parameters_alone_leave_activations_to_calibration() {
    let again = Again::new();
    let params = merged()["param_encodings"].as_array().unwrap().clone();
    assert_eq!(again.changed(&file_of(vec![], params)), BTreeSet::new());
    let manifest = json(&again.bundle().join("manifest.json"));
    // The int32 bias of the stem follows from the others and is neither.
    assert_eq!(manifest["partitions"][0]["encodings"], json!({ "given": 83, "calibrated": 214 }));
}

#[test]
fn one_given_tensor_changes_itself_and_what_follows_from_it() {
    let again = Again::new();
    let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<BTreeSet<_>>();
    let cases: [(Value, &[&str]); 5] = [
        (file_of(vec![scaled("vision", "image", 2.0)], vec![]), &["vision: image", "vision: conv_stem.conv.bias"]),
        (
            file_of(vec![scaled("language.decode", "layers.1.k_new", 1.5)], vec![]),
            &[
                "language.prefill: layers.1.k_cache",
                "language.prefill: layers.1.k_new",
                "language.prefill: layers.1.self_attn.k.all",
                "language.decode: layers.1.k_cache",
                "language.decode: layers.1.k_new",
                "language.decode: layers.1.self_attn.k.all",
            ],
        ),
        (
            file_of(vec![], vec![scaled("vision", "conv_stem.conv.weight", 0.25)]),
            &["vision: conv_stem.conv.weight", "vision: conv_stem.conv.bias"],
        ),
        (
            file_of(vec![], vec![scaled("vision", "blocks.2.3.attn.query.proj.weight.scaled", 0.5)]),
            &["vision: blocks.2.3.attn.query.proj.weight.scaled", "vision: blocks.2.3.attn.query.proj.bias"],
        ),
        (
            file_of(vec![], vec![scaled("language.prefill", "layers.0.conv.in_proj.weight", 0.5)]),
            &["language.prefill: layers.0.conv.in_proj.weight", "language.decode: layers.0.conv.in_proj.weight"],
        ),
    ];
    for (entries, wanted) in cases {
        assert_eq!(again.changed(&entries), set(wanted));
    }
}

#[test]
fn a_bias_that_does_not_follow_from_the_others_is_refused() {
    let again = Again::new();
    let weight = scaled("vision", "conv_stem.conv.weight", 0.5);
    let stale = scaled("vision", "conv_stem.conv.bias", 1.0);
    let file = again.write("stale.json", &file_of(vec![], vec![weight.clone(), stale]));
    let output = again.quantize(&[&file]);
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("stale.json: `conv_stem.conv.bias`") && said.contains("channel 0"), "{said}");
    let follows = scaled("vision", "conv_stem.conv.bias", 0.5 * (1.0 + 5e-7));
    let changed = again.changed(&file_of(vec![], vec![weight.clone(), follows]));
    assert_eq!(changed, again.changed(&file_of(vec![], vec![weight])));
}

/// A file of format 1.0.0 in 0.6.1.
fn as_0_6_1(file: &Value) -> Value {
    let list = |key: &str| {
        let entries = file[key].as_array().unwrap().iter().map(|entry| {
            let (scales, offsets) = (entry["scale"].as_array().unwrap(), entry["offset"].as_array().unwrap());
            let (bits, symmetric) = (&entry["bw"], if entry["is_sym"] == true { "True" } else { "False" });
            let channels: Vec<Value> = scales
                .iter()
                .zip(offsets)
                .map(|(scale, offset)| {
                    let (step, first) = (scale.as_f64().unwrap(), offset.as_f64().unwrap());
                    let last = first + 2f64.powi(bits.as_i64().unwrap() as i32) - 1.0;
                    json!({ "bitwidth": bits, "dtype": "int", "is_symmetric": symmetric, "min": step * first,
                            "max": step * last, "scale": scale, "offset": offset })
                })
                .collect();
            (entry["name"].as_str().unwrap().to_string(), Value::from(channels))
        });
        Value::Object(entries.collect())
    };
    json!({ "version": "0.6.1", "activation_encodings": list("activation_encodings"),
            "param_encodings": list("param_encodings"), "excluded_layers": [],
            "quantizer_args": { "activation_bitwidth": 16, "is_symmetric": true, "quant_scheme": "min_max" } })
}

/// A file of format 1.0.0 in 2.0.0. Activations of 8 bits get a sign, as symmetric ones have it there.
fn as_2_0_0(file: &Value) -> Value {
    let entries = LISTS.iter().flat_map(|list| file[*list].as_array().unwrap()).map(|entry| {
        let bits = entry["bw"].as_i64().unwrap();
        let signed = entry["is_sym"] == true || bits == 8;
        let half = if signed { 1i64 << (bits - 1) } else { 0 };
        let offsets = entry["offset"].as_array().unwrap().iter();
        let zero_points: Vec<i64> = offsets.map(|offset| -offset.as_i64().unwrap() - half).collect();
        let sign = if signed { "" } else { "u" };
        let mut made = json!({ "name": entry["name"], "output_dtype": format!("{sign}int{bits}") });
        if entry["enc_type"] == "PER_CHANNEL" {
            made["y_scale"] = entry["scale"].clone();
            made["axis"] = 0.into();
        } else {
            made["y_scale"] = entry["scale"][0].clone();
        }
        if zero_points.iter().any(|&zero_point| zero_point != 0) {
            made["y_zero_point"] = zero_points[0].into();
        }
        made
    });
    json!({ "version": "2.0.0", "encodings": entries.collect::<Vec<Value>>() })
}

#[test]
fn all_formats_say_the_same() {
    let again = Again::new();
    for file in [as_0_6_1(&merged()), as_2_0_0(&merged())] {
        assert_eq!(again.changed(&file), BTreeSet::new(), "{}", file["version"]);
        let manifest = json(&again.bundle().join("manifest.json"));
        assert_eq!(manifest["partitions"][0]["encodings"], json!({ "given": 297, "calibrated": 0 }));
    }
    // What 0.6.1 says twice may be left out once.
    let mut entries = as_0_6_1(&file_of(vec![], vec![scaled("projector", "linear_1.weight", 1.0)]));
    let channels = entries["param_encodings"]["linear_1.weight"].as_array_mut().unwrap();
    for channel in channels {
        let channel = channel.as_object_mut().unwrap();
        channel.remove("offset");
        channel.remove("is_symmetric");
    }
    assert_eq!(again.changed(&entries), BTreeSet::new());
}

#[test]
fn a_symmetric_key_cache_is_taken() {
    let again = Again::new();
    let mut cache = scaled("language.decode", "layers.1.k_cache", 1.0);
    cache["offset"] = json!([-128]);
    let plain = again.changed(&file_of(vec![cache.clone()], vec![]));
    assert!(plain.contains("language.decode: layers.1.k_cache"), "{plain:?}");
    let made = table(&again.bundle(), "language.decode");
    for symmetric in [json!(true), json!("True"), json!("true")] {
        cache["is_sym"] = symmetric;
        assert_eq!(again.changed(&file_of(vec![cache.clone()], vec![])), plain);
        assert_eq!(table(&again.bundle(), "language.decode"), made);
    }
    let new = json!({ "version": "2.0.0", "encodings": [
        { "name": "layers.1.k_cache", "output_dtype": "int8", "y_scale": cache["scale"][0] }] });
    assert_eq!(again.changed(&new), plain);
    assert_eq!(table(&again.bundle(), "language.decode"), made);
}

#[test]
fn a_tensor_has_the_name_of_the_checkpoint_or_that_of_the_graphs() {
    let again = Again::new();
    for (partition, name, prefixes) in [
        ("vision", "conv_stem.conv.weight", &["model.vision_tower.timm_model.", "vision_tower.timm_model."][..]),
        ("projector", "linear_2.weight", &["multi_modal_projector.", "model.multi_modal_projector."]),
        ("language.decode", "layers.1.self_attn.out_proj.weight", &["model.", "model.language_model."]),
        ("language.decode", "layers.1.k_cache", &["model."]),
    ] {
        let mut entry = scaled(partition, name, 0.5);
        let file = |entry: &Value| match entry["enc_type"] == "PER_CHANNEL" {
            true => file_of(vec![], vec![entry.clone()]),
            false => file_of(vec![entry.clone()], vec![]),
        };
        let wanted = again.changed(&file(&entry));
        assert!(wanted.contains(&format!("{partition}: {name}")), "{wanted:?}");
        for prefix in prefixes {
            entry["name"] = format!("{prefix}{name}").into();
            assert_eq!(again.changed(&file(&entry)), wanted, "{prefix}{name}");
            assert_eq!(again.changed(&as_2_0_0(&file(&entry))), wanted, "{prefix}{name}");
        }
    }
}

#[test]
fn entries_are_taken_in_the_ways_in_which_versions_write_them() {
    let again = Again::new();
    let weight = scaled("projector", "linear_1.weight", 1.0);
    let with = |key: &str, value: Value| {
        let mut entry = weight.clone();
        entry[key] = value;
        file_of(vec![], vec![entry])
    };
    let without = |key: &str| {
        let mut entry = weight.clone();
        entry.as_object_mut().unwrap().remove(key);
        file_of(vec![], vec![entry])
    };
    let top = |key: &str, value: Value| {
        let mut file = file_of(vec![], vec![weight.clone()]);
        file[key] = value;
        file
    };
    for (case, file) in [
        ("text", with("is_sym", json!("True"))),
        ("not said", without("is_sym")),
        ("offsets with a point", with("offset", json!(vec![-128.0; 256]))),
        ("without the lowest integer", with("offset", json!(vec![-127; 256]))),
        ("no arguments", top("quantizer_args", Value::Null)),
        ("a producer", top("producer", json!({ "name": "aimet_onnx", "version": "2.22.0" }))),
        ("left out", top("excluded_layers", json!([]))),
    ] {
        assert_eq!(again.changed(&file), BTreeSet::new(), "{case}");
        let manifest = json(&again.bundle().join("manifest.json"));
        assert_eq!(manifest["partitions"][1]["encodings"], json!({ "given": 1, "calibrated": 9 }), "{case}");
        assert_eq!(again.warnings(), Vec::<Value>::new(), "{case}");
    }
    let file = again.write("model_torch.encodings", &top("excluded_layers", json!([])));
    assert!(again.quantize(&[&file]).status.success());
    assert!(again.bundle().join("encodings/given/1-model_torch.json").is_file());
}

#[test]
fn a_scale_under_which_a_channel_is_lost_is_warned_of() {
    let again = Again::new();
    let warnings = |entries: Value| {
        again.changed(&entries);
        again.warnings()
    };
    let of = |changes: &[(usize, f64)]| {
        let mut entry = scaled("projector", "linear_1.weight", 1.0);
        for (channel, scale) in changes {
            entry["scale"][*channel] = (*scale).into();
        }
        file_of(vec![], vec![entry])
    };
    assert_eq!(warnings(merged()), Vec::<Value>::new());
    // Half the range of every channel is a choice, not a loss.
    let halved = file_of(vec![], vec![scaled("projector", "linear_1.weight", 0.5)]);
    assert_eq!(warnings(halved), Vec::<Value>::new());
    for (changes, count, channels) in [
        (&[(5, 1.192_092_895_507_812_5e-7)][..], "1 of 256 scales", "(5)"),
        (&[(7, 1e3)], "1 of 256 scales", "(7)"),
        (&[(9, 1e-6), (3, 1e-6), (200, 1e-6), (11, 1e-6)], "4 of 256 scales", "(3, 9, 11, 200)"),
    ] {
        let made = warnings(of(changes));
        assert_eq!(made.len(), 1, "{made:?}");
        let (place, message) = (made[0]["place"].as_str().unwrap(), made[0]["message"].as_str().unwrap());
        assert!(place.ends_with("some.json: `linear_1.weight`"), "{place}");
        assert!(message.contains(count) && message.contains(channels), "{message}");
        assert!(message.contains("largest weight is") && message.contains("of it"), "{message}");
    }
    // Quantizing anew takes it away.
    assert_eq!(warnings(of(&[])), Vec::<Value>::new());
}
