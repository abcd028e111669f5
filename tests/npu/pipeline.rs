//! `autoneural compile` and the commands of its stages, on the demo model, with and without the vendor toolkit.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{
    GRAPH, RECIPE, WEIGHTS, autoneural, compile_args, demo_bundle, files, json, python, root, stderr, succeed, toolkit,
};

#[test]
fn every_node_of_every_partition_is_on_the_npu_and_close_to_the_simulation() {
    let report = json(&demo_bundle().join("report.json"));
    assert_eq!(report["schema"], 2);
    assert_eq!((report["model"].as_str(), report["target"].as_str()), (Some("autoneural-random"), Some("sa8295p")));
    let partitions = report["partitions"].as_array().unwrap();
    let names: Vec<&str> = partitions.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["vision", "projector", "language.prefill", "language.decode"]);
    // Least SQNR on the NPU: random weights at 4 bits are the worst case of round-to-nearest.
    for (partition, least_db) in partitions.iter().zip([25.0, 35.0, 5.0, 5.0]) {
        assert!(partition["nodes"].as_u64().unwrap() > 0);
        assert_eq!(partition["nodes"], partition["npu_nodes"], "{}", partition["name"]);
        let bytes = partition["binary_bytes"].as_u64().unwrap();
        let binary = format!("context/{}_qnn.bin", partition["name"].as_str().unwrap());
        assert_eq!(bytes, std::fs::metadata(demo_bundle().join(binary)).unwrap().len());
        for output in partition["outputs"].as_array().unwrap() {
            let db = |column: &str| output["sqnr_db"][column].as_f64().unwrap();
            let (simulated, npu) = (db("simulated"), db("npu"));
            assert!((simulated - npu).abs() <= 3.0, "{} {}: {simulated} {npu}", partition["name"], output["name"]);
            assert!(npu >= least_db, "{} {}: {npu} dB", partition["name"], output["name"]);
            let percent = output["rms_error_percent"]["npu"].as_f64().unwrap();
            assert!((percent - 100.0 * 10f64.powf(-npu / 20.0)).abs() < 0.01);
            assert!(output["npu_to_simulated_db"].as_f64().unwrap() > 25.0, "{} {}", partition["name"], output["name"]);
        }
    }
    // Whole sequences on the engines' own integer state: at least a prefill and a decode step for each sample.
    let chain = &report["chain"];
    assert!(chain["steps"].as_u64().unwrap() >= 8, "{chain}");
    let db = |column: &str| chain["logits_sqnr_db"][column].as_f64().unwrap();
    assert!(db("npu") > 3.0 && (db("npu") - db("simulated")).abs() < 1.0, "{chain}");
    let percent = chain["top1_agreement_percent"]["npu"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&percent), "{chain}");
    let stages: Vec<&str> = report["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(stages, ["export", "calibrate", "quantize", "emit", "build", "verify"]);
}

#[test]
fn the_manifest_lists_every_file_with_its_hash_and_every_port_with_its_encoding() {
    let manifest = json(&demo_bundle().join("manifest.json"));
    let mut on_disk = files(demo_bundle());
    on_disk.remove("manifest.json");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len(), on_disk.len());
    for file in listed {
        let bytes = &on_disk[file["path"].as_str().unwrap()];
        assert_eq!(file["bytes"].as_u64().unwrap(), bytes.len() as u64);
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"].as_str().unwrap(), hash, "{}", file["path"]);
    }
    let toolkit = &manifest["toolkit"];
    assert_eq!((toolkit["onnxruntime"].as_str(), toolkit["onnxruntime_qnn"].as_str()), (Some("1.31.1"), Some("2.7.0")));
    for partition in manifest["partitions"].as_array().unwrap() {
        for port in partition["inputs"].as_array().unwrap().iter().chain(partition["outputs"].as_array().unwrap()) {
            let dtype = port["dtype"].as_str().unwrap();
            let wanted: &[&str] = match port["role"].as_str().unwrap() {
                "index" => &["int32"],
                "keys" | "values" => &["uint8"],
                _ => &["uint16"],
            };
            assert!(wanted.contains(&dtype), "{} {}: {dtype}", partition["name"], port["name"]);
            assert_eq!(port["scale"].is_null(), dtype == "int32");
        }
    }
}

#[test]
fn ports_with_the_same_key_have_the_same_encoding_in_every_partition() {
    let manifest = json(&demo_bundle().join("manifest.json"));
    let mut by_key: BTreeMap<String, Vec<(String, Value, Value, Value)>> = BTreeMap::new();
    for partition in manifest["partitions"].as_array().unwrap() {
        for direction in ["inputs", "outputs"] {
            for port in partition[direction].as_array().unwrap() {
                if let Some(key) = port["encoding_key"].as_str() {
                    let place = format!("{} {direction}", partition["name"]);
                    let entry = (place, port["dtype"].clone(), port["scale"].clone(), port["zero_point"].clone());
                    by_key.entry(key.to_string()).or_default().push(entry);
                }
            }
        }
    }
    // Vision hands features to the projector, that embeddings to both language graphs; state goes in and out of both.
    for (key, places) in
        [("features", 2), ("embeds", 3), ("layers.1.k", 4), ("layers.1.v", 4), ("layers.0.conv_state", 4)]
    {
        let entries = &by_key[key];
        assert_eq!(entries.len(), places, "{key}");
        for (place, dtype, scale, zero_point) in entries {
            let first = &entries[0];
            assert_eq!((dtype, scale, zero_point), (&first.1, &first.2, &first.3), "{key}: {} and {place}", first.0);
        }
    }
}

#[test]
fn two_runs_give_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("again");
    let toolkit = toolkit();
    succeed(&compile_args(out.to_str().unwrap(), &["-q", "--toolkit", toolkit.to_str().unwrap()]));
    let (mut first, mut second) = (files(demo_bundle()), files(&out));
    // These two tell how long the stages took.
    for timed in ["manifest.json", "report.json"] {
        assert!(first.remove(timed).is_some() && second.remove(timed).is_some());
    }
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(first.len() > 30);
    for (name, bytes) in &first {
        assert!(*bytes == second[name], "{name} differs");
    }
    let without_times = |path: &Path| {
        let mut report = json(path);
        report.as_object_mut().unwrap().remove("stages");
        report
    };
    assert_eq!(without_times(&demo_bundle().join("report.json")), without_times(&out.join("report.json")));
}

#[test]
fn stage_by_stage_gives_what_compile_gives() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("staged");
    let out_text = out.to_str().unwrap();
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().unwrap();
    succeed(&["export", GRAPH, "--weights", WEIGHTS, "--target", "sa8295p", "--out", out_text, "-q"]);
    succeed(&["calibrate", out_text, "--calibration", RECIPE, "-q"]);
    for stage in ["quantize", "emit"] {
        succeed(&[stage, out_text, "-q"]);
    }
    succeed(&["build", out_text, "-q", "--toolkit", toolkit]);
    let table = succeed(&["verify", out_text, "--calibration", RECIPE, "--toolkit", toolkit]);
    assert!(table.contains("language.decode"), "{table}");
    let (whole, staged) = (files(demo_bundle()), files(&out));
    assert_eq!(whole.keys().collect::<Vec<_>>(), staged.keys().collect::<Vec<_>>());
    for (name, bytes) in whole.iter().filter(|(name, _)| !["manifest.json", "report.json"].contains(&name.as_str())) {
        assert!(*bytes == staged[name], "{name} differs");
    }
    // A stage that makes nothing new takes nothing away.
    let said = succeed(&["quantize", out_text]);
    assert!(said.contains("up to date"), "{said}");
    assert_eq!(whole.keys().collect::<Vec<_>>(), files(&out).keys().collect::<Vec<_>>());
    // Going back to a stage that does takes away what later stages made of the old one.
    let encodings = folder.path().join("some.json");
    let entry = serde_json::json!({ "name": "linear_1", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 16,
        "is_sym": false, "scale": [0.5], "offset": [-1000] });
    let file = serde_json::json!({ "version": "1.0.0", "activation_encodings": [entry], "param_encodings": [] });
    std::fs::write(&encodings, file.to_string()).unwrap();
    succeed(&["quantize", out_text, "-q", "--encodings", encodings.to_str().unwrap()]);
    assert!(!out.join("qdq").exists() && !out.join("context").exists() && !out.join("report.json").exists());
    let output = autoneural(&["verify", out_text, "--calibration", RECIPE]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("`emit` has not run"), "{}", stderr(&output));
}

#[test]
fn without_the_toolkit_everything_else_is_done_and_the_rest_is_named() {
    let folder = TempDir::new().unwrap();
    let (out, empty) = (folder.path().join("out"), folder.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let output = autoneural(&compile_args(out.to_str().unwrap(), &["--toolkit", empty]));
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    for part in ["left out: simulation and NPU", "onnxruntime-qnn 2.7.0", "make toolkit"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(out.join("qdq/vision.onnx").is_file() && !out.join("context").exists());
    let report = json(&out.join("report.json"));
    assert!(report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"].is_null());
    assert!(report["partitions"][0]["npu_nodes"].is_null());
    assert_eq!(report["left_out"], serde_json::json!(["simulation", "NPU"]));
    let (whole, part) = (files(demo_bundle()), files(&out));
    for name in whole.keys().filter(|name| name.starts_with("qdq/") || name.starts_with("encodings/")) {
        assert!(whole[name] == part[name], "{name} differs");
    }

    let refused = folder.path().join("refused");
    let output = autoneural(&compile_args(refused.to_str().unwrap(), &["--toolkit", empty, "--require-npu"]));
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("make toolkit"), "{}", stderr(&output));
    assert!(!refused.exists());
}

#[test]
fn verification_that_requires_the_npu_fails_on_a_bundle_without_context_binaries() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    succeed(&compile_args(out, &["--toolkit", empty.to_str().unwrap(), "-q"]));
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().unwrap();
    let output = autoneural(&["verify", out, "--calibration", RECIPE, "--require-npu", "--toolkit", toolkit]);
    assert_eq!(output.status.code(), Some(5));
    let said = stderr(&output);
    assert!(said.contains("not verified: NPU") && said.contains("run `autoneural build`"), "{said}");
}

#[test]
fn a_damaged_weight_is_found_before_it_is_compiled() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let (out_text, toolkit) = (out.to_str().unwrap(), toolkit());
    succeed(&compile_args(out_text, &["--toolkit", empty.to_str().unwrap(), "-q"]));
    let data = out.join("qdq/projector.data");
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[1000] ^= 0x40;
    std::fs::write(&data, bytes).unwrap();
    let output = autoneural(&["build", out_text, "--toolkit", toolkit.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("qdq/projector.data") && stderr(&output).contains("SHA-256"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_difference_between_simulation_and_npu_fails_the_command_and_names_the_partition() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let toolkit = toolkit();
    let more = ["--toolkit", toolkit.to_str().unwrap(), "--max-difference", "0.0001", "--enough", "200", "-q"];
    let output = autoneural(&compile_args(out.to_str().unwrap(), &more));
    assert_eq!(output.status.code(), Some(6));
    let said = stderr(&output);
    assert!(said.contains("vision/features: simulation (") && said.contains("0.0001 dB"), "{said}");
    let report = json(&out.join("report.json"));
    assert_eq!(report["demands"]["max_difference_db"], 0.0001);
    let failures = report["failures"].as_array().unwrap();
    assert!(failures.iter().any(|line| line.as_str().unwrap().starts_with("vision/features: ")), "{failures:?}");

    // A floor under the figures: 25 dB is too much for four bits of random weights, and not for eight.
    let more = ["--toolkit", toolkit.to_str().unwrap(), "--min-sqnr", "25", "-q"];
    let mut args = vec!["verify", out.to_str().unwrap(), "--calibration", RECIPE];
    args.extend(more);
    let output = autoneural(&args);
    assert_eq!(output.status.code(), Some(6));
    let said = stderr(&output);
    assert!(said.contains("language.decode/logits: ") && !said.contains("vision/"), "{said}");
}

#[test]
fn emitted_models_pass_the_onnx_checker_and_run_on_onnx_runtime() {
    let script = "
import sys, pathlib, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path, load_external_data=False)
    kinds = sorted({onnx.TensorProto.DataType.Name(t.data_type) for t in model.graph.initializer})
    places = {e.value for t in model.graph.initializer for e in t.external_data if e.key == 'location'}
    print(pathlib.Path(path).parent.name, pathlib.Path(path).stem, *places, *kinds)
";
    let names = ["vision", "projector", "language.prefill", "language.decode"];
    let paths: Vec<_> = ["model", "qdq"]
        .iter()
        .flat_map(|folder| names.map(|name| demo_bundle().join(format!("{folder}/{name}.onnx"))))
        .collect();
    let said = python(script, &paths);
    for line in [
        "model vision vision.data FLOAT INT64",
        "qdq vision vision.data FLOAT INT32 INT64 INT8 UINT16",
        "qdq projector projector.data FLOAT INT8 UINT16",
        "qdq language.prefill language.data FLOAT INT32 INT4 INT64 INT8 UINT16 UINT8",
        "qdq language.decode language.data FLOAT INT32 INT4 INT64 INT8 UINT16 UINT8",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is not in:\n{said}");
    }
}

#[test]
fn the_table_and_the_json_say_the_same() {
    let toolkit = toolkit();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let more = ["--toolkit", toolkit.to_str().unwrap(), "--json"];
    let said = succeed(&compile_args(out.to_str().unwrap(), &more));
    let report: Value = serde_json::from_str(&said).expect("nothing but JSON on standard output");
    assert_eq!(report, json(&out.join("report.json")));
    let table =
        succeed(&["verify", out.to_str().unwrap(), "--calibration", RECIPE, "--toolkit", toolkit.to_str().unwrap()]);
    let line = table.lines().find(|line| line.starts_with("vision")).unwrap();
    let db = report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
    assert!(line.contains(" W8A16 ") && line.ends_with(&format!("{db:.1} dB")), "{table}");
}

#[test]
fn doctor_names_versions_and_what_is_missing() {
    let toolkit = toolkit();
    let said = succeed(&["doctor", "--toolkit", toolkit.to_str().unwrap()]);
    assert!(said.contains("1.31.1") && said.contains("2.7.0") && !said.contains("MISSING"), "{said}");
    let folder = TempDir::new().unwrap();
    let said = succeed(&["doctor", "--json", "--toolkit", folder.path().to_str().unwrap()]);
    let checks: Value = serde_json::from_str(&said).unwrap();
    let missing: Vec<&str> =
        checks.as_array().unwrap().iter().filter(|c| c["ok"] == false).map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(missing, ["onnxruntime", "onnxruntime-qnn", "loading"]);
}

#[test]
fn inspect_prints_every_kind_of_file() {
    let demo = demo_bundle();
    let path = |name: &str| demo.join(name).to_str().unwrap().to_string();
    for (file, kind) in [
        (WEIGHTS.to_string(), "checkpoint"),
        (path("model/vision.onnx"), "onnx"),
        (path("qdq/language.decode.onnx"), "onnx"),
        (path("context/vision.onnx"), "context"),
        (path("context/vision_qnn.bin"), "context"),
        (path(""), "bundle"),
    ] {
        let value: Value = serde_json::from_str(&succeed(&["inspect", &file, "--json"])).unwrap();
        assert_eq!(value["kind"], kind, "{file}");
        assert!(succeed(&["inspect", &file]).contains(kind), "{file}");
    }
    let context: Value =
        serde_json::from_str(&succeed(&["inspect", &path("context/vision_qnn.bin"), "--json"])).unwrap();
    let size = std::fs::metadata(demo.join("context/vision_qnn.bin")).unwrap().len();
    assert_eq!(context["binary"]["bytes"], size);
    assert_eq!(context["inputs"][0]["dtype"], "uint16");
}

/// The command that did the work of a stage stays with it; one that finds nothing to do leaves no trace.
#[test]
fn a_bundle_tells_the_commands_that_made_it() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("a bundle");
    crate::common::copy(demo_bundle(), &copy);
    let paths = [copy.clone(), toolkit()].map(|path| path.to_str().unwrap().to_string());
    let args = ["verify", &paths[0], "--verify", "none", "--calibration", RECIPE, "--toolkit", &paths[1]];
    let line = args.map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { arg.to_string() }).join(" ");
    succeed(&args);
    succeed(&[&args[..], &["-q"]].concat());
    for file in ["manifest.json", "report.json"] {
        let stages = json(&copy.join(file))["stages"].as_array().unwrap().clone();
        let (verify, others) = stages.split_last().unwrap();
        assert_eq!(verify["command"].as_str(), Some(format!("autoneural {line}").as_str()));
        assert_eq!(others.len(), 5);
        for stage in others {
            assert!(stage["command"].as_str().unwrap().starts_with("autoneural compile "), "{stage}");
        }
    }
    let page = folder.path().join("page.html");
    succeed(&["report", &paths[0], "--out", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("autoneural compile ") && page.contains("verify: autoneural verify "), "{page}");
    // The images of both kinds of samples, by their contents.
    for image in ["astronaut.jpg", "rocket.jpg"] {
        let bytes = std::fs::read(root("calibration/photos").join(image)).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(page.contains(&hash[..16]), "{image}");
    }
    assert!(!page.contains("not recorded in the bundle"));
}
