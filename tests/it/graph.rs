//! `autoneural graph`: the pictures are well-formed, their texts meet neither each other nor an edge, names cannot
//! break out, and what cannot be drawn or written is an error.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::picture::outline;
use crate::common::{assert_snapshot, autoneural, copy, json, plain_bundle, stderr, stdout, succeed};

#[test]
fn pictures_of_a_bundle_and_of_its_partitions() {
    let folder = TempDir::new().unwrap();
    let bundle = plain_bundle().to_str().unwrap();
    let mut text = String::new();
    for more in [&[][..], &["--partition", "projector", "--tensors", "all"], &["--partition", "vision"]] {
        let svg = folder.path().join("made.svg");
        let args = [&["graph", bundle, "--out", svg.to_str().unwrap()], more].concat();
        assert!(succeed(&args).starts_with("graph: "));
        text.push_str(&format!("$ autoneural graph BUNDLE {}\n{}\n", more.join(" "), outline(&svg)));
    }
    assert_snapshot("graph.txt", &text);
    for tensors in ["all", "border"] {
        let svg = folder.path().join("made.svg");
        succeed(&["graph", bundle, "--tensors", tensors, "--out", svg.to_str().unwrap()]);
        assert_eq!(outline(&svg).contains("middle | layers.1.k_cache\n"), tensors == "all");
        for partition in ["projector", "language.prefill", "language.decode", "vision"] {
            let svg = folder.path().join("made.svg");
            let args =
                ["graph", bundle, "--partition", partition, "--tensors", tensors, "--out", svg.to_str().unwrap()];
            succeed(&args);
            outline(&svg);
        }
    }
}

/// Replaces a name wherever it stands in a JSON value.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *text = to.to_string(),
        Value::Array(list) => list.iter_mut().for_each(|value| rename(value, from, to)),
        Value::Object(map) => map.values_mut().for_each(|value| rename(value, from, to)),
        _ => {}
    }
}

#[test]
fn names_of_tensors_can_be_anything() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle");
    copy(plain_bundle(), &bundle);
    let mut manifest = json(&bundle.join("manifest.json"));
    let script = "</text><script>alert('&amp;\"]]>')</script>";
    let long = ["wide"; 60].join(".");
    let wide = "模型".repeat(40);
    for file in ["model/projector.json", "encodings/projector.json"] {
        let mut value = json(&bundle.join(file));
        for (from, to) in [
            ("linear_1.product", script),
            ("linear_1", &long),
            ("act", "a\u{0}\u{7}\n\u{202e}b"),
            ("linear_2.product", &wide),
        ] {
            rename(&mut value, from, to);
        }
        let text = value.to_string();
        let files = manifest["files"].as_array_mut().unwrap();
        files.iter_mut().find(|record| record["path"] == file).unwrap()["bytes"] = text.len().into();
        std::fs::write(bundle.join(file), text).unwrap();
    }
    manifest["model"] = format!("<model> & {}", "x".repeat(200)).into();
    std::fs::write(bundle.join("manifest.json"), manifest.to_string()).unwrap();
    let svg = folder.path().join("made.svg");
    let (bundle, out) = (bundle.to_str().unwrap(), svg.to_str().unwrap());
    for tensors in ["all", "border"] {
        succeed(&["graph", bundle, "--partition", "projector", "--tensors", tensors, "--out", out]);
        let said = outline(&svg);
        assert!(said.contains(script) && said.contains("a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b"), "{said}");
        // The long one is shortened, and whole where the pointer rests.
        assert!(said.contains("…") && said.contains(&long), "{said}");
        assert!(!std::fs::read_to_string(&svg).unwrap().contains("<script"));
        succeed(&["graph", bundle, "--tensors", tensors, "--out", out]);
        assert!(outline(&svg).contains("<model> & xxx"));
    }
}

#[test]
fn what_cannot_be_drawn_or_written_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let demo = plain_bundle().to_str().unwrap().to_string();
    let expect = |output: Output, status: i32, words: &[&str]| {
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(words.iter().all(|word| said.contains(word)) && !said.contains("panicked"), "{words:?}: {said}");
        assert!(!said.contains(".partial"), "{said}");
        assert_eq!(stdout(&output), "");
    };
    expect(autoneural(&["graph", &path("nowhere")]), 3, &["nowhere", "is no bundle", "autoneural compile"]);
    let names = ["demo", "`nobody`", "vision, projector, language.prefill, language.decode"];
    expect(autoneural(&["graph", &demo, "--partition", "nobody"]), 3, &names[1..]);
    expect(autoneural(&["graph", &demo, "--tensors", "some"]), 2, &["all", "border"]);
    expect(autoneural(&["graph", &demo, "--out", &path("no/such/folder.svg")]), 4, &["folder.svg"]);
    expect(autoneural(&["graph", &demo, "--out", folder.path().to_str().unwrap()]), 4, &["directory"]);
    expect(autoneural(&["graph", &demo, "--out", "/dev/full"]), 4, &["/dev/full", "free some space"]);
    // Where the disk is full, what was there stays.
    let svg = path("made.svg");
    std::fs::write(&svg, "something old").unwrap();
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_autoneural"));
    expect(limited.args(["graph", &demo, "--out", &svg]).output().unwrap(), 4, &["made.svg", "free some space"]);
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), "something old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // Before `quantize` there are no integer types.
    let bundle = path("exported");
    let args =
        ["export", crate::common::GRAPH, "--weights", crate::common::WEIGHTS, "--target", "sa8295p", "--out", &bundle];
    succeed(&args);
    expect(autoneural(&["graph", &bundle]), 3, &["`quantize` has not run", "run `autoneural quantize` first"]);
    assert!(!succeed(&["inspect", &bundle]).contains("a device holds"));
}
