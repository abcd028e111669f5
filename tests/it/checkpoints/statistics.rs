//! Statistics that were written to.

use serde_json::Value;

use crate::common::bench::{Bench, INPUT};
use crate::common::stderr;

#[test]
fn statistics_that_tell_no_range_are_named() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    // A bundle whose statistics were written to; its hash is made to fit.
    let path = "out/bundle/calibration/statistics.json";
    let sound = bench.read(path);
    let mut statistics: Value = serde_json::from_str(&sound).unwrap();
    for (key, value, words) in [
        ("count", Value::from(0), "has no range in the statistics, which are damaged"),
        ("non_finite", Value::from(1), "was NaN or infinite once during calibration"),
        ("non_finite", Value::from(12), "was NaN or infinite 12 times during calibration"),
    ] {
        let before = statistics["vision"]["conv_stem.act"][key].clone();
        statistics["vision"]["conv_stem.act"][key] = value;
        bench.write(path, statistics.to_string());
        statistics["vision"]["conv_stem.act"][key] = before;
        reseal(&bench, "calibration/statistics.json");
        let output = bench.run(&["quantize", "{out/bundle}"]);
        assert_eq!(output.status.code(), Some(INPUT), "{}", stderr(&output));
        assert!(stderr(&output).contains("conv_stem.act") && stderr(&output).contains(words), "{}", stderr(&output));
    }
}

/// Writes a file's hash and size into the manifest, and takes away what is remembered of it.
fn reseal(bench: &Bench, file: &str) {
    let mut manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).unwrap();
    let path = bench.path(&format!("out/bundle/{file}"));
    let entry = manifest["files"].as_array_mut().unwrap().iter_mut().find(|entry| entry["path"] == file).unwrap();
    entry["sha256"] = autoneural::bundle::hash_bytes(&std::fs::read(&path).unwrap()).into();
    entry["bytes"] = std::fs::metadata(&path).unwrap().len().into();
    bench.write("out/bundle/manifest.json", manifest.to_string());
    let _ = std::fs::remove_file(bench.path("out/bundle/.ledger.json"));
}
