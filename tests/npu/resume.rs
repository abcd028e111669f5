//! `autoneural compile` again: nothing is done twice, whatever stopped the run before, and the result is that of one
//! run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::common::bench::names;
use crate::common::desk::{Desk, assert_same, assert_work, identities, identity, parts, succeeded};
use crate::common::{autoneural, json, stderr};

/// What a compilation that nothing disturbs makes of an untouched desk.
fn undisturbed() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("undisturbed");
        succeeded(Desk::new().compile(out.to_str().unwrap(), &["-q", "--force"]));
        out
    })
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
        "codes/language/layers.0.conv.out_proj.weight.safetensors",
        "codes/language/layers.0.feed_forward.w2.weight.safetensors",
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
