//! The program of a bundle: what everything behind the front end asks in place of names.

use crate::common::{GOLDEN, autoneural, demo_bundle, json, root, stderr, succeed, toolkit};
use crate::sealed::Sealed;

/// A bundle of the version before has no program; its graphs are those of a vision-language model.
#[test]
fn a_bundle_of_the_version_before_is_read_as_it_was() {
    let old = Sealed::of(demo_bundle());
    std::fs::remove_file(old.path("bundle/model/program.json")).unwrap();
    old.edit("manifest.json", |manifest| {
        let files = manifest["files"].as_array_mut().unwrap();
        let before = files.len();
        files.retain(|file| file["path"] != "model/program.json");
        assert_eq!(files.len() + 1, before, "the version of today lists it");
    });
    old.accept();
    let out = old.path("bundle");
    let out = out.to_str().unwrap();
    let now = demo_bundle().to_str().unwrap();
    for command in [&["graph"][..], &["graph", "--tensors", "all"], &["graph", "--partition", "language.decode"]] {
        let drawn = |bundle: &str| succeed(&[&command[..1], &[bundle], &command[1..]].concat());
        assert_eq!(drawn(out), drawn(now), "{command:?}");
    }
    let printed = |bundle: &str| succeed(&["inspect", bundle, "--graph", "language.prefill"]);
    assert_eq!(printed(out), printed(now));
    // Figures of the same models still hold, so nothing is measured anew.
    let (toolkit, recipe) = (toolkit(), old.path("recipe.toml"));
    std::fs::copy(root(GOLDEN).join("photo.png"), old.path("photo.png")).unwrap();
    let text = std::fs::read_to_string(old.path("bundle/calibration/recipe.toml")).unwrap();
    let image = "image = \"photo.png\"\nprompt = \"What is it?\"\n";
    let (bits, _) = text.split_once("[[calibration]]").unwrap();
    std::fs::write(&recipe, format!("{bits}[[calibration]]\n{image}[[verification]]\n{image}")).unwrap();
    let args = ["--calibration", recipe.to_str().unwrap(), "--toolkit", toolkit.to_str().unwrap()];
    let more = ["--verify", "vision", "--golden", "none", "--max-difference", "99"];
    succeed(&[&["verify", out][..], &args, &more].concat());
    let report = json(&old.path("bundle/report.json"));
    assert!(report["partitions"][0]["outputs"][0]["sqnr_db"]["simulated"].is_f64(), "{report}");
    assert!(!old.path("bundle/model/program.json").exists());
}

/// What the driver of vision-language models relies on is held against the definition, whatever the program says.
#[test]
fn a_program_that_is_not_the_definitions_is_refused() {
    type Damage = fn(&mut serde_json::Value);
    let damages: [(&str, Damage, &str); 6] = [
        ("another axis of tokens", |p| p["roles"]["keys"]["state"]["axis"] = 2.into(), "keys"),
        ("no state", |p| p["roles"]["values"] = serde_json::json!({}), "the definition wants"),
        ("a mask that is none", |p| p["roles"]["mask"]["mask"] = false.into(), "the definition wants"),
        ("another main output", |p| p["roles"]["features"]["main"] = true.into(), "the definition wants"),
        ("a graph of no such group", |p| p["graphs"].as_array_mut().unwrap().push("audio".into()), "model/audio.json"),
        ("another schema", |p| p["schema"] = 2.into(), "schema 2 is not known"),
    ];
    for (case, damage, word) in damages {
        let bundle = Sealed::of(demo_bundle());
        bundle.edit("model/program.json", damage);
        let output = autoneural(&["inspect", bundle.path("bundle").to_str().unwrap(), "--graph", "language.decode"]);
        assert_eq!(output.status.code(), Some(3), "{case}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{case}: {}", stderr(&output));
    }
}
