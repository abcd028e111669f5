//! Calibration in shards: each share of the samples by itself, then joined; the same as all at once.

use std::path::Path;
use std::process::Output;

use crate::common::desk::{Desk, assert_same, succeeded};
use crate::common::{autoneural, stderr};

/// A desk with a model that was exported into `whole` and `parts`. One group's weights are rounded with second moments,
/// one's with runs, and biases are corrected.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.edit("recipe.toml", |text| {
        let (first, rest) = text.split_once("[recipe.language]").unwrap();
        let first = first
            .replace("observer = \"min-max\"", "observer = \"min-max\"\nrounding = \"gptq\"\nbias_correction = true");
        let rest = rest.replacen("observer = \"min-max\"", "observer = \"min-max\"\nrounding = \"qronos\"", 1);
        let more = "\n[[calibration]]\nimage = \"photos/rocket.jpg\"\nprompt = \"How high?\"\n\n[[verification]]";
        format!("{first}[recipe.language]{}", rest.replacen("\n[[verification]]", more, 1))
    });
    for out in ["whole", "parts"] {
        let (graph, weights, out) = (desk.text("graph.toml"), desk.text("weights"), desk.text(out));
        succeeded(autoneural(&["export", &graph, "--weights", &weights, "--target", "sa8295p", "--out", &out, "-q"]));
    }
    desk
}

fn run(desk: &Desk, command: &str, out: &str, more: &[&str]) -> Output {
    let (out, recipe) = (desk.text(out), desk.text("recipe.toml"));
    let more = more.iter().map(|word| if word.starts_with("part-") { desk.text(word) } else { word.to_string() });
    let more: Vec<String> = more.collect();
    let mut words = vec![command, &out];
    words.extend(more.iter().map(String::as_str));
    if ["calibrate", "merge"].contains(&command) {
        words.extend(["--calibration", &recipe]);
    }
    words.push("-q");
    autoneural(&words)
}

fn shard(desk: &Desk, number: usize, of: usize) {
    let (shard, part) = (format!("{number}/{of}"), format!("part-{number}"));
    succeeded(run(desk, "calibrate", "parts", &["--shard", &shard, "--part", &part]));
}

#[test]
fn shards_together_give_the_bytes_of_one_run() {
    let desk = desk();
    succeeded(run(&desk, "calibrate", "whole", &[]));
    for number in [2, 1, 3] {
        shard(&desk, number, 3);
    }
    succeeded(run(&desk, "merge", "parts", &["part-3", "part-1", "part-2"]));
    for out in ["whole", "parts"] {
        succeeded(run(&desk, "quantize", out, &[]));
        succeeded(run(&desk, "emit", out, &[]));
    }
    for evidence in ["calibration/evidence", "calibration/.run.language.prefill.0001.safetensors"] {
        assert!(desk.path("whole").join(evidence).exists(), "{evidence}");
        assert!(desk.path("parts").join(evidence).exists(), "{evidence}");
    }
    put_report(&desk.path("whole"));
    put_report(&desk.path("parts"));
    assert_same(&desk.path("whole"), &desk.path("parts"));
    // Calibrating all at once finds nothing left to do.
    let output = autoneural(&["calibrate", &desk.text("parts"), "--calibration", &desk.text("recipe.toml"), "--json"]);
    let (said, _) = succeeded(output);
    assert!(said.contains("\"seconds\""), "{said}");
}

#[test]
fn weights_rounded_in_shards_are_the_bytes_of_one_run() {
    let desk = desk();
    for out in ["whole", "parts"] {
        succeeded(run(&desk, "calibrate", out, &[]));
        succeeded(run(&desk, "quantize", out, &[]));
    }
    succeeded(run(&desk, "emit", "whole", &[]));
    for number in ["1", "3", "2"] {
        let (shard, part) = (format!("{number}/3"), format!("part-{number}"));
        let (said, _) = succeeded(run(&desk, "emit", "parts", &["--shard", &shard, "--part", &part, "--json"]));
        assert!(said.contains("\"layers\""), "{said}");
    }
    let refused = |parts: &[&str], wanted: &str| {
        let output = run(&desk, "emit", "parts", &[&["--join"], parts].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{wanted}: {said}");
        assert!(said.contains(wanted), "{wanted} in {said}");
    };
    let all = ["part-1", "part-2", "part-3"];
    refused(&["part-1", "part-3"], "shard 2/3 is missing");
    refused(&["part-1", "part-2", "part-2"], "is shard 2/3, as ");
    refused(&[&desk.text("photos")], "has no rounded layers");
    let codes = std::fs::read_dir(desk.path("part-1").join("vision")).unwrap().next().unwrap().unwrap().path();
    let before = std::fs::read(&codes).unwrap();
    std::fs::write(&codes, [&before[..], b" "].concat()).unwrap();
    refused(&all, "is larger than");
    let mut other = before.clone();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(&codes, other).unwrap();
    refused(&all, "is not the file that was written");
    std::fs::write(&codes, before).unwrap();
    // What is in the list as something else.
    let list = desk.path("part-1").join("rounded.json");
    let text = std::fs::read_to_string(&list).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["files"][0]["path"] = "../../graph.toml".into();
    std::fs::write(&list, value.to_string()).unwrap();
    refused(&all, "no part has codes of");
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["build"] = "0".into();
    std::fs::write(&list, value.to_string()).unwrap();
    refused(&all, "was made by another build of the program");
    std::fs::write(&list, text).unwrap();
    assert!(!desk.path("parts").join("qdq").exists());
    succeeded(run(&desk, "emit", "parts", &["--join", "part-3", "part-1", "part-2"]));
    put_report(&desk.path("whole"));
    put_report(&desk.path("parts"));
    assert_same(&desk.path("whole"), &desk.path("parts"));
    // Another method since.
    desk.edit("recipe.toml", |text| text.replacen("rounding = \"gptq\"", "rounding = \"nearest\"", 1));
    succeeded(run(&desk, "quantize", "parts", &["--calibration", &desk.text("recipe.toml")]));
    refused(&all, "was rounded from other numbers, encodings or evidence, or by another method");
}

/// What compares bundles wants a report.
fn put_report(bundle: &Path) {
    std::fs::write(bundle.join("report.json"), "{\"stages\": []}").unwrap();
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let desk = desk();
    (1..=3).for_each(|number| shard(&desk, number, 3));
    let refused = |parts: &[&str], wanted: &[&str]| {
        let output = run(&desk, "merge", "parts", parts);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        for wanted in wanted {
            assert!(said.contains(wanted), "{wanted} in {said}");
        }
    };
    refused(&["part-2"], &["shards 1/3 and 3/3 are missing"]);
    refused(&["part-1", "part-3"], &["shard 2/3 is missing", "--shard"]);
    refused(&["part-1", "part-2", "part-1"], &["is shard 1/3, as ", "name every shard once"]);
    refused(&[&desk.text("photos")], &["is no part of a calibration"]);
    refused(&["part-none"], &["part-none: No such file or directory (given as PART)"]);
    // Of another division.
    let part = desk.text("part-4");
    succeeded(run(&desk, "calibrate", "parts", &["--shard", "2/2", "--part", &part]));
    refused(&["part-1", "part-4"], &["part-4: is shard 2/2, and ", "is shard 1/3"]);
    // What is not a part is not replaced.
    let output = run(&desk, "calibrate", "parts", &["--shard", "1/3", "--part", &desk.text("photos")]);
    assert!(stderr(&output).contains("exists and is no part"), "{}", stderr(&output));
    let output = run(&desk, "calibrate", "parts", &["--shard", "1/9", "--part", &desk.text("part-9")]);
    assert!(stderr(&output).contains("3 calibration samples, too few for 9 shares"), "{}", stderr(&output));
    assert!(!desk.path("part-9").exists());

    // A file that was changed, one that is gone, one too many.
    let all = ["part-1", "part-2", "part-3"];
    let file = desk.path("part-2").join("images/ranges.json");
    let before = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&before[..], b" "].concat()).unwrap();
    refused(&all, &["images/ranges.json: is not the file that was written", "make the part again"]);
    std::fs::remove_file(&file).unwrap();
    refused(&all, &["images/ranges.json: is missing"]);
    std::fs::write(&file, &before).unwrap();
    let more = desk.path("part-2").join("images/.first.more.safetensors");
    std::fs::write(&more, "").unwrap();
    refused(&all, &[".first.more.safetensors: is not in part.json"]);
    std::fs::remove_file(&more).unwrap();

    // Lists that say something else.
    let list = desk.path("part-3").join("part.json");
    let whole = std::fs::read_to_string(&list).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
    for (key, message) in [
        ("program", "of or by version other of the program, this is "),
        ("build", "another build of the program"),
        ("model", "another model"),
        ("target", "another target"),
        ("recipe", "another recipe"),
    ] {
        let own = std::mem::replace(&mut value["origin"][key], "other".into());
        std::fs::write(&list, value.to_string()).unwrap();
        refused(&all, &["part-3: is a part", message]);
        value["origin"][key] = own;
    }
    value["samples"][0]["sha256"] = "0".into();
    std::fs::write(&list, value.to_string()).unwrap();
    refused(&all, &["part-3: was made of other samples"]);
    value["shard"] = "7/3".into();
    std::fs::write(&list, value.to_string()).unwrap();
    refused(&all, &["`7/3` is no share"]);
    std::fs::write(&list, whole).unwrap();
    // Nothing of it touched the bundle, which takes the parts as they are.
    succeeded(run(&desk, "merge", "parts", &all));
}

#[test]
fn another_recipe_or_graphs_that_are_rewritten_are_refused() {
    let desk = desk();
    (1..=2).for_each(|number| shard(&desk, number, 2));
    desk.edit("recipe.toml", |text| text.replace("decode_steps = 2", "decode_steps = 3"));
    let output = run(&desk, "merge", "parts", &["part-1", "part-2"]);
    assert!(stderr(&output).contains("another recipe"), "{}", stderr(&output));
    desk.edit("recipe.toml", |text| {
        text.replace(
            "[recipe.language]\n",
            "[recipe.language]\nequalize = { method = \"smooth-quant\", alpha = 0.5 }\n",
        )
    });
    let output = run(&desk, "calibrate", "parts", &["--shard", "1/2", "--part", &desk.text("part-1")]);
    let said = stderr(&output);
    assert!(
        output.status.code() == Some(3) && said.contains("recipe.language.equalize: looks at all samples"),
        "{said}"
    );
    desk.edit("recipe.toml", |text| {
        text.replace("equalize = { method = \"smooth-quant\", alpha = 0.5 }\n", "")
            .replace("observer = \"min-max\"", "observer = { default = \"min-max\", softmax = \"moving-average\" }")
    });
    let output = run(&desk, "calibrate", "parts", &["--shard", "1/2", "--part", &desk.text("part-1")]);
    let said = stderr(&output);
    let words = "observer.softmax: moving-average goes from sample to sample in order; a shard does not know";
    assert!(output.status.code() == Some(3) && said.contains(words), "{said}");
}
