//! Partitions that are not one context binary: what the NPU does not take, and what is larger than a binary may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autoneural::bundle::Bundle;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::segments::{list, partitions, target_with};
use crate::common::{GRAPH, RECIPE, WEIGHTS, demo_bundle, files, json, root, succeed, toolkit};

/// Compiles into `out` for the target that this text states.
fn compile(out: &Path, [graph, weights, recipe]: [&str; 3], target: &str) {
    let target_file = out.with_extension("toml");
    std::fs::write(&target_file, target).unwrap();
    let paths = [toolkit(), out.to_path_buf(), target_file].map(|path| path.to_str().unwrap().to_string());
    let [toolkit, out, target] = &paths;
    let args = ["compile", graph, "--weights", weights, "--calibration", recipe, "--target", target, "--out", out];
    succeed(&[&args[..], &["--toolkit", toolkit, "--require-npu", "-q"]].concat());
}

const DEMO: [&str; 3] = [GRAPH, WEIGHTS, RECIPE];

/// The demo for a chip that has no GELU.
pub fn without_gelu() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-gelu");
        let _ = std::fs::remove_dir_all(&out);
        compile(&out, DEMO, &target_with(|name| name != "Gelu"));
        out
    })
}

fn npu_db(partition: &Value, output: usize) -> f64 {
    partition["outputs"][output]["sqnr_db"]["npu"].as_f64().unwrap()
}

#[test]
fn what_the_npu_does_not_take_is_carried_out_by_the_cpu() {
    let (report, demo) =
        (partitions(&without_gelu().join("report.json")), partitions(&demo_bundle().join("report.json")));
    let bundle = Bundle::look(without_gelu()).unwrap();
    let graphs = bundle.partitions().unwrap();
    for (name, partition) in &report {
        let graph = &graphs.iter().find(|graph| graph.name == *name).unwrap().graph;
        let gelus = graph.nodes().iter().filter(|node| node.op.name() == "Gelu").map(|node| node.name.as_str());
        let gelus: Vec<&str> = gelus.collect();
        assert_eq!(gelus.is_empty(), name.starts_with("language"), "{name}: {gelus:?}");
        let on_cpu: Vec<&Value> = list(partition, "segments").iter().filter(|s| s["device"] == "cpu").collect();
        // Every one of them, in some segment, and with them nothing that the NPU is for.
        let names: Vec<&str> =
            on_cpu.iter().flat_map(|s| list(s, "node_names")).map(|name| name.as_str().unwrap()).collect();
        assert!(gelus.iter().all(|gelu| names.contains(gelu)), "{name}: {names:?}");
        for segment in &on_cpu {
            assert_eq!(segment["why"], serde_json::json!(["target sa8295p does not take Gelu"]), "{name}");
            assert!(segment["operators"]["Conv"].is_null() && segment["operators"]["MatMul"].is_null());
            assert_eq!((&segment["multiply_adds"], &segment["requantizations"]), (&0.into(), &0.into()));
            assert!(segment["bytes_in"].as_u64() > Some(0) && segment["bytes_out"].as_u64() > Some(0));
        }
        let (nodes, npu, cpu) = (&partition["nodes"], &partition["npu_nodes"], &partition["cpu_nodes"]);
        assert_eq!(cpu.as_u64().unwrap(), on_cpu.iter().map(|s| s["nodes"].as_u64().unwrap()).sum::<u64>());
        assert_eq!(nodes.as_u64().unwrap(), npu.as_u64().unwrap() + cpu.as_u64().unwrap(), "{name}");
        for output in 0..list(partition, "outputs").len() {
            let (figure, whole) = (npu_db(partition, output), npu_db(&demo[name], output));
            println!("{name} {output}: {figure:.1} dB, all on the NPU {whole:.1} dB");
            assert!(figure > whole - 1.0, "{name} {output}: {figure} {whole}");
        }
        assert_eq!(list(partition, "segments").is_empty(), gelus.is_empty(), "{name}");
    }
    let said = succeed(&["inspect", without_gelu().to_str().unwrap()]);
    assert!(said.contains("vision.1 on the CPU: ") && said.contains("target sa8295p does not take Gelu"), "{said}");
}

/// Norms stand between transpositions, which the vendor's compiler refuses at the beginning of a graph before a
/// convolution.
#[test]
fn a_chip_without_rms_normalization_is_served() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("bundle");
    compile(&out, DEMO, &target_with(|name| name != "RMSNormalization"));
    let (report, demo) = (partitions(&out.join("report.json")), partitions(&demo_bundle().join("report.json")));
    for (name, partition) in &report {
        let on_cpu: Vec<&Value> = list(partition, "segments").iter().filter(|s| s["device"] == "cpu").collect();
        let norms = |s: &&Value| s["operators"]["RMSNormalization"].as_u64().unwrap_or(0);
        assert_eq!(on_cpu.iter().map(norms).sum::<u64>() > 0, name != "projector", "{name}");
        assert!(on_cpu.iter().all(|s| s["operators"]["Conv"].is_null() && s["operators"]["MatMul"].is_null()));
        let (figure, whole) = (npu_db(partition, 0), npu_db(&demo[name], 0));
        assert!(figure > whole - 1.0, "{name}: {figure} {whole}");
    }
}

/// Layers are measured where they run: those of a segment on the CPU there, on what the NPU made before.
#[test]
fn layers_of_segments_are_measured() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("bundle");
    crate::common::copy(without_gelu(), &copy);
    let paths = [copy.clone(), toolkit()].map(|path| path.to_str().unwrap().to_string());
    let more = ["--verify", "vision", "--layers", "npu", "--calibration", RECIPE, "--toolkit", &paths[1], "-q"];
    succeed(&[&["verify", &paths[0]], &more[..]].concat());
    let report = partitions(&copy.join("report.json"));
    assert!(report.iter().all(|(name, partition)| list(partition, "layers").is_empty() == (name != "vision")));
    let vision = &report["vision"];
    let layers = list(vision, "layers");
    assert_eq!(layers.len(), list(&json(&copy.join("model/vision.json")), "nodes").len());
    assert!(layers.iter().any(|layer| layer["op"] == "Gelu"));
    for layer in layers {
        let (simulated, npu) = (layer["sqnr_db"]["simulated"].as_f64(), layer["sqnr_db"]["npu"].as_f64());
        let difference = simulated.unwrap() - npu.unwrap_or_else(|| panic!("not measured: {layer}"));
        assert!(difference < 3.0 || npu > Some(30.0), "{layer}");
    }
}

/// A runtime finds in the manifest what to load, in order, and what goes from one to the next.
#[test]
fn the_manifest_tells_how_to_run_segments() {
    let manifest = partitions(&without_gelu().join("manifest.json"));
    let report = partitions(&without_gelu().join("report.json"));
    for (name, partition) in &manifest {
        let (segments, reported) = (list(partition, "segments"), list(&report[name], "segments"));
        assert_eq!(segments.len(), reported.len());
        assert_eq!(segments.is_empty(), name.starts_with("language"), "{name}");
        assert_eq!(without_gelu().join(format!("context/{name}.onnx")).exists(), segments.is_empty(), "{name}");
        let tensor = |port: &Value| ["dtype", "shape", "scale", "zero_point"].map(|key| port[key].clone());
        let mut known: BTreeMap<&str, [Value; 4]> = BTreeMap::new();
        known.extend(list(partition, "inputs").iter().map(|port| (port["name"].as_str().unwrap(), tensor(port))));
        for (segment, reported) in segments.iter().zip(reported) {
            assert!(without_gelu().join(segment["file"].as_str().unwrap()).is_file(), "{segment}");
            let folder = if segment["device"] == "npu" { "context/" } else { "qdq/" };
            assert!(segment["file"].as_str().unwrap().starts_with(folder), "{segment}");
            let mut bytes = 0;
            for port in list(segment, "inputs") {
                let port_name = port["name"].as_str().unwrap();
                assert_eq!(known[port_name], tensor(port), "{port}");
                if !list(partition, "inputs").iter().any(|input| input["name"] == port["name"]) {
                    let size = |axis: &Value| axis.as_u64().unwrap();
                    let width = if port["dtype"] == "uint16" { 2 } else { 1 };
                    bytes += width * port["shape"].as_array().unwrap().iter().map(size).product::<u64>();
                }
            }
            assert_eq!(reported["bytes_in"], bytes, "{}", segment["name"]);
            known.extend(list(segment, "outputs").iter().map(|port| (port["name"].as_str().unwrap(), tensor(port))));
        }
        for port in list(partition, "outputs").iter().filter(|_| !segments.is_empty()) {
            assert_eq!(known[port["name"].as_str().unwrap()], tensor(port));
        }
    }
}

#[test]
fn segments_have_the_same_bytes_in_two_runs_and_stage_by_stage() {
    let folder = TempDir::new().unwrap();
    let (out, target) = (folder.path().join("staged"), folder.path().join("target.toml"));
    std::fs::write(&target, target_with(|name| name != "Gelu")).unwrap();
    let (toolkit, out_text) = (toolkit(), out.to_str().unwrap());
    let toolkit = toolkit.to_str().unwrap();
    succeed(&["export", GRAPH, "--weights", WEIGHTS, "--target", target.to_str().unwrap(), "--out", out_text, "-q"]);
    succeed(&["calibrate", out_text, "--calibration", RECIPE, "-q"]);
    for stage in ["quantize", "emit"] {
        succeed(&[stage, out_text, "-q"]);
    }
    succeed(&["build", out_text, "-q", "--toolkit", toolkit]);
    let (mut whole, mut staged) = (files(without_gelu()), files(&out));
    assert!(staged.keys().any(|name| name == "context/vision.0_qnn.bin"));
    // The first two tell how long the stages took, and `verify` was not run, which makes golden vectors, too.
    whole.retain(|name, _| !["manifest.json", "report.json"].contains(&name.as_str()) && !name.starts_with("golden/"));
    staged.remove("manifest.json");
    assert_eq!(whole.keys().collect::<Vec<_>>(), staged.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(*bytes == staged[name], "{name} differs");
    }
}

#[test]
fn a_bundle_with_segments_answers_on_the_npu() {
    let (bundle, toolkit) = (without_gelu().to_str().unwrap(), toolkit());
    let args = ["run", bundle, "--toolkit", toolkit.to_str().unwrap(), "--on", "npu", "--max-tokens", "3", "--json"];
    let cat = ["--image", "calibration/photos/cat.jpg", "--prompt", "Who is it?"];
    let made: Value = serde_json::from_str(&succeed(&[&args[..], &cat].concat())).unwrap();
    assert_eq!(made["answers"][0]["tokens"].as_array().unwrap().len(), 3, "{made}");
}

/// A chip that takes next to nothing: the CPU does all, and the report says so.
#[test]
fn a_target_that_takes_next_to_nothing_leaves_all_to_the_cpu() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("cpu");
    compile(&out, DEMO, &target_with(|name| name == "Neg"));
    assert!(!out.join("context").exists());
    for (name, partition) in partitions(&out.join("report.json")) {
        assert_eq!(
            (partition["npu_nodes"].as_u64(), &partition["cpu_nodes"]),
            (Some(0), &partition["nodes"]),
            "{name}"
        );
        let [segment] = list(&partition, "segments") else { panic!("{name}: one segment is enough") };
        assert_eq!((segment["name"].as_str(), segment["device"].as_str()), (Some(name.as_str()), Some("cpu")));
        let does_not_take = |operator: &str| segment["why"].to_string().contains(&format!("does not take {operator}"));
        assert!(does_not_take("Conv") || does_not_take("MatMul"), "{segment}");
        assert!(segment["multiply_adds"].as_u64() > Some(0));
        // The quantized model itself runs.
        assert_eq!(partition["outputs"][0]["npu_to_simulated_db"], 200.0, "{name}");
        assert!(npu_db(&partition, 0) > 5.0, "{name}");
    }
}

#[test]
fn the_target_as_it_is_needs_one_binary_for_each_partition() {
    let (report, manifest) =
        (partitions(&demo_bundle().join("report.json")), partitions(&demo_bundle().join("manifest.json")));
    for (name, partition) in &report {
        assert_eq!((&partition["npu_nodes"], &partition["cpu_nodes"]), (&partition["nodes"], &0.into()), "{name}");
        assert!(partition["segments"].is_null() && manifest[name]["segments"].is_null(), "{name}");
    }
    let of_segments: Vec<String> = files(demo_bundle())
        .into_keys()
        .filter(|name| name.starts_with("context/") || name.starts_with("qdq/"))
        .collect();
    assert_eq!(of_segments.iter().filter(|name| name.ends_with(".onnx")).count(), 8, "{of_segments:?}");
}

/// The trained language model in 8 bits has 1.3 MB of weights.
#[test]
fn a_language_model_that_one_binary_does_not_hold_is_cut_and_stays_as_good() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("demo")).unwrap();
    for image in ["00-cabin.png", "02-cluster.png"] {
        std::fs::copy(root("calibration/demo").join(image), folder.path().join("demo").join(image)).unwrap();
    }
    let demo = std::fs::read_to_string(root("calibration/demo.toml")).unwrap();
    let bits = demo
        .split("\n# What is good enough")
        .next()
        .unwrap()
        .replace("int4 in blocks of 64", "int8")
        .replace("= 12", "= 4");
    let sample = |list: &str, image: &str| {
        let prompt = "Which warning lamp is lit?";
        format!("[[{list}]]\nimage = \"demo/{image}.png\"\nprompt = \"{prompt}\"\n")
    };
    let recipe = folder.path().join("recipe.toml");
    let samples = sample("calibration", "00-cabin") + &sample("verification", "02-cluster");
    std::fs::write(&recipe, format!("{bits}{samples}")).unwrap();
    let source = ["graphs/autoneural-tiny.toml", "models/autoneural-tiny", recipe.to_str().unwrap()];
    let answer = |bundle: &Path| -> Value {
        let (bundle, toolkit) = (bundle.to_str().unwrap(), toolkit());
        let image = "calibration/demo/02-cluster.png";
        let args = ["run", bundle, "--on", "npu", "--image", image, "--prompt", "Which warning lamp is lit?", "--json"];
        let made: Value =
            serde_json::from_str(&succeed(&[&args[..], &["--toolkit", toolkit.to_str().unwrap()]].concat())).unwrap();
        made["answers"][0]["tokens"].clone()
    };
    let (out, target) = (folder.path().join("bundle"), target_with(|_| true));
    compile(&out, source, &target);
    let (one, answered) = (partitions(&out.join("report.json")), answer(&out));
    // The bundle is brought up to date: what was one binary is gone.
    compile(&out, source, &target.replace("[memory]\n", "[memory]\ncontext_mib = 1\n"));
    let several = partitions(&out.join("report.json"));
    let made = files(&out);
    let binaries: Vec<&str> =
        made.keys().filter_map(|name| name.strip_prefix("context/")?.strip_suffix("_qnn.bin")).collect();
    let language = ["language.decode.0", "language.decode.1", "language.prefill.0", "language.prefill.1"];
    assert_eq!(binaries, [&language[..], &["projector", "vision"]].concat());
    for (name, partition) in &several {
        let segments = list(partition, "segments");
        assert_eq!(segments.len(), if name.starts_with("language") { 2 } else { 0 }, "{name}");
        assert_eq!((&partition["npu_nodes"], &partition["cpu_nodes"]), (&partition["nodes"], &0.into()), "{name}");
        assert!(segments.iter().all(|segment| segment["binary_bytes"].as_u64() > Some(0)));
        for output in 0..list(partition, "outputs").len() {
            let (figure, whole) = (npu_db(partition, output), npu_db(&one[name], output));
            println!("{name} {output}: {figure:.1} dB, in one binary {whole:.1} dB");
            assert!((figure - whole).abs() < 1.0, "{name} {output}: {figure} {whole}");
        }
    }
    assert_eq!(answered, answer(&out));
}
