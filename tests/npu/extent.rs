//! `--verify`: how much is compared with float, and what the report says of it.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{GOLDEN, autoneural, demo_bundle, files, root, stderr, succeed, toolkit};

/// Verifies a copy of the demo with samples that reach these positions; gives the report and the table.
fn verify(what: &str, folder: &Path) -> (Value, String) {
    let bundle = folder.join("bundle");
    if !bundle.exists() {
        for (name, bytes) in files(demo_bundle()) {
            let path = bundle.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    std::fs::copy(root(GOLDEN).join("photo.png"), folder.join("photo.png")).unwrap();
    let kept = std::fs::read_to_string(demo_bundle().join("calibration/recipe.toml")).unwrap();
    let (bits, _) = kept.split_once("[[calibration]]").unwrap();
    let image = "image = [\"photo.png\", \"photo.png\"]\nprompt = \"What is it?\"\n";
    let mut recipe = format!("{bits}\n[[calibration]]\n{image}[[verification]]\n{image}");
    for tokens in [1, 30, 32, 90] {
        recipe.push_str(&format!("[[verification]]\ntext = \"Which lamp is lit?\"\ntokens = {tokens}\n"));
    }
    let path = folder.join("recipe.toml");
    std::fs::write(&path, recipe.replace("decode_steps = 8", "decode_steps = 3")).unwrap();
    let toolkit = toolkit();
    let (bundle, path, toolkit) = (bundle.to_str().unwrap(), path.to_str().unwrap(), toolkit.to_str().unwrap());
    let args =
        ["verify", bundle, "--calibration", path, "--toolkit", toolkit, "--verify", what, "--max-difference", "99"];
    let table = succeed(&args);
    (serde_json::from_slice(&std::fs::read(folder.join("bundle/report.json")).unwrap()).unwrap(), table)
}

fn npu(report: &Value) -> Vec<bool> {
    let partitions = report["partitions"].as_array().unwrap();
    partitions.iter().map(|one| one["outputs"][0]["sqnr_db"]["npu"].is_f64()).collect()
}

#[test]
fn a_part_is_compared_and_the_report_says_which() {
    let folder = TempDir::new().unwrap();
    let (report, table) = verify("sampled", folder.path());
    assert_eq!(report["samples"]["extent"]["sampled"], true);
    assert_eq!(npu(&report), [true; 4]);
    let steps = |at: usize| report["partitions"][at]["steps"].clone();
    assert_eq!((steps(0)["taken"].as_u64(), steps(0)["compared"].as_u64()), (Some(2), Some(1)));
    // Prefill takes 32 tokens: the last chunk of each prompt of more than one token, and what follows each prompt.
    println!("{:?} {:?}", steps(2), steps(3));
    let image_tokens = steps(3)["positions"][0].as_u64().unwrap();
    assert!(image_tokens > 32, "{image_tokens}");
    assert_eq!(steps(2)["positions"], serde_json::json!([image_tokens / 32 * 32, 0, 0, 64]));
    assert_eq!(steps(3)["positions"], serde_json::json!([image_tokens, 0, 30, 32, 90]));
    assert!(table.contains("only these steps were compared with float: vision 1 of 2"), "{table}");
    assert!(!table.contains("steps in chains"), "{table}");
    let folder = TempDir::new().unwrap();
    let (report, table) = verify("language.decode", folder.path());
    assert_eq!(npu(&report), [false, false, false, true]);
    assert_eq!(report["partitions"][3]["steps"]["taken"], report["partitions"][3]["steps"]["compared"]);
    assert!(table.contains("language.decode"), "{table}");
    let folder = TempDir::new().unwrap();
    let (report, table) = verify("none", folder.path());
    assert_eq!(npu(&report), [false; 4]);
    assert!(table.contains("nothing was compared"), "{table}");
    let (report, table) = verify("all", folder.path());
    assert_eq!(npu(&report), [true; 4]);
    assert!(table.contains("steps in chains") && !table.contains("only these"), "{table}");
}

/// Another toolkit than the one the program is tested with, and than the one that made the bundle, is named with both
/// versions.
#[test]
fn a_toolkit_of_another_version_is_told() {
    let folder = TempDir::new().unwrap();
    let other = folder.path().join("toolkit");
    std::fs::create_dir(&other).unwrap();
    for entry in std::fs::read_dir(toolkit()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().replace("onnxruntime_qnn-2.7.0", "onnxruntime_qnn-2.6.1");
        std::os::unix::fs::symlink(entry.path().canonicalize().unwrap(), other.join(name)).unwrap();
    }
    verify("none", folder.path());
    let (bundle, recipe) = (folder.path().join("bundle"), folder.path().join("recipe.toml"));
    let (bundle, recipe) = (bundle.to_str().unwrap(), recipe.to_str().unwrap());
    let other = other.to_str().unwrap();
    let output = autoneural(&["verify", bundle, "--calibration", recipe, "--verify", "none", "--toolkit", other]);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("not tested with onnxruntime-qnn 2.6.1 (tested with 2.7.0)"), "{text}");
    assert!(text.contains("made with onnxruntime 1.31.1 and onnxruntime-qnn 2.7.0, here is"), "{text}");
}
