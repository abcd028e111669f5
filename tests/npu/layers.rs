//! `--layers`: every operator against float, in simulation and on the NPU.

use serde_json::Value;
use tempfile::TempDir;

use autoneural::ir::{Builder, ElementType, ops};

use crate::common::{RECIPE, compile_args, demo_bundle, json, numbers, root, succeed, toolkit, tower};

/// The layers of a partition, and its first output's figures.
fn layers(report: &Value, partition: usize) -> (&Vec<Value>, &Value) {
    let partition = &report["partitions"][partition];
    (partition["layers"].as_array().expect("layers"), &partition["outputs"][0]["sqnr_db"])
}

/// A vision encoder in which the weights of one convolution have 4 bits: all layers are measured on both engines, and
/// the noise is found where it was put in.
#[test]
fn noise_is_found_in_the_layer_that_makes_it() {
    let folder = TempDir::new().unwrap();
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    for entry in std::fs::read_dir(root("calibration/photos")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), photos.join(entry.file_name())).unwrap();
    }
    let graph = json(&demo_bundle().join("model/vision.json"));
    let names: Vec<&str> = graph["nodes"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    // A normalization, whose result nothing is tied to.
    let coarse =
        names.iter().filter(|name| name.contains("pw_exp") && !name.contains("bn")).nth(2).unwrap().to_string();
    let recipe = folder.path().join("recipe.toml");
    let text = std::fs::read_to_string(root(RECIPE)).unwrap();
    std::fs::write(&recipe, format!("{text}\n[[override]]\ntensor = \"{coarse}.weight\"\ntype = \"int4\"\n")).unwrap();
    let (out, toolkit) = (folder.path().join("out"), toolkit());
    let args = compile_args(out.to_str().unwrap(), &[]);
    let args: Vec<&str> =
        args.into_iter().map(|arg| if arg == RECIPE { recipe.to_str().unwrap() } else { arg }).collect();
    let more = ["--verify", "none", "--layers", "npu", "--toolkit", toolkit.to_str().unwrap()];
    succeed(&[args.as_slice(), &more].concat());
    let report = json(&out.join("report.json"));
    let (found, outputs) = layers(&report, 0);
    assert!(outputs["npu"].is_null(), "nothing else was compared");
    let made: Vec<&str> = found.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| made.contains(name)), "{made:?}");
    for engine in ["simulated", "npu"] {
        let figure = |key: &str| {
            let figures = found.iter().map(|layer| layer[key][engine].as_f64());
            figures.map(|figure| figure.unwrap_or_else(|| panic!("{key} on {engine}"))).collect::<Vec<f64>>()
        };
        let (sqnr, added) = (figure("sqnr_db"), figure("added_percent"));
        let at = made.iter().position(|name| *name == coarse).unwrap();
        let worse = added.iter().filter(|other| **other > added[at]).count();
        println!("{engine}: {coarse} adds {:.1} %, {worse} add more", added[at]);
        // Products of two small signals have more.
        assert!(worse < 10 && (3.0..30.0).contains(&added[at]), "{engine}: {} %, {worse} are worse", added[at]);
        assert!(sqnr[at] < sqnr[0] - 5.0, "{engine}: {} {}", sqnr[at], sqnr[0]);
    }
    let layer = found.iter().find(|layer| layer["name"] == coarse.as_str()).unwrap();
    assert!(layer["bits"].as_str().unwrap().starts_with("W4"), "{layer}");
    let used = layer["range_use_percent"].as_f64().unwrap();
    assert!((1.0..=100.0).contains(&used), "{used}");
    // The report names the cause and what may help, once the output itself was compared; figures of layers stay.
    let (bundle, recipe) = (out.to_str().unwrap(), recipe.to_str().unwrap());
    let compare = ["verify", bundle, "--calibration", recipe, "--verify", "vision", "--max-difference", "100"];
    succeed(&[&compare[..], &["--toolkit", toolkit.to_str().unwrap()]].concat());
    let page = folder.path().join("page.md");
    succeed(&["report", out.to_str().unwrap(), "--markdown", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap().replace('\\', "");
    let is_cause = |line: &&str| line.starts_with("| vision/features | ") && line.contains("| weights in 4 bits");
    let row = page.lines().find(is_cause).expect(&page);
    let help = format!("[[override]] with tensor = \"{coarse}.weight\" and type = \"int8\", ");
    assert!(row.contains(&format!("| {coarse} |")) && row.contains(&help), "{row}");
    for partition in 1..4 {
        let found = layers(&report, partition).0;
        assert!(found.iter().all(|layer| layer["sqnr_db"]["npu"].is_number()), "{partition}");
        // What a mask hides lies far below the range of the scores and is no noise.
        let masked = found.iter().filter(|layer| layer["name"].as_str().unwrap().ends_with("attention.masked"));
        let masked: Vec<&Value> = masked.collect();
        assert_eq!(masked.is_empty(), partition == 1);
        for layer in masked {
            let low = layer["histogram"]["low"].as_f64().unwrap();
            let scores = layer["name"].as_str().unwrap().replace("masked", "scores");
            let scores = found.iter().find(|layer| layer["name"] == scores.as_str()).expect(&scores);
            let db = |layer: &Value| layer["sqnr_db"]["npu"].as_f64().unwrap();
            assert!(low > -100.0 && db(layer) > db(scores) - 3.0, "{layer} {scores}");
            assert!(layer["saturation_percent"].as_f64().unwrap() < 5.0, "{layer}");
        }
    }
}

/// Figures of layers come from a model in which every value is an output. They are what the whole model reaches: nothing
/// is computed in another way because somebody looks at it.
#[test]
fn the_last_layer_has_the_figure_of_the_output() {
    let (folder, toolkit) = (TempDir::new().unwrap(), toolkit());
    let out = folder.path().join("out");
    let args = compile_args(out.to_str().unwrap(), &["--verify", "vision,projector", "--layers", "npu"]);
    succeed(&[args.as_slice(), &["--toolkit", toolkit.to_str().unwrap()]].concat());
    let report = json(&out.join("report.json"));
    for partition in 0..2 {
        let (found, output) = layers(&report, partition);
        for engine in ["simulated", "npu"] {
            let figure = |of: &Value| of[engine].as_f64().unwrap();
            let (last, whole) = (figure(&found.last().unwrap()["sqnr_db"]), figure(output));
            assert!((last - whole).abs() < 2.0, "partition {partition} {engine}: {last} {whole}");
        }
    }
}

/// Where every value is an output, ONNX Runtime moves a transpose to where the NPU does not take it. In parts it does.
#[test]
fn layers_that_are_refused_together_are_measured_in_parts() {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 4, 32, 16], ElementType::F32).unwrap();
    let heads = b.node("heads", ops::Reshape { shape: vec![4, 32, 16] }, &[x]).unwrap();
    let turned = b.node("turned", ops::Transpose { perm: vec![0, 2, 1] }, &[heads]).unwrap();
    let keys = b.node("keys", ops::Reshape { shape: vec![1, 4, 16, 32] }, &[turned]).unwrap();
    let y = b.node("y", ops::MatMul, &[x, keys]).unwrap();
    let folder = tower::written(b.finish(vec![y]), &[1, 4, 32, 16], |at| numbers(4 * 32 * 16, 60 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "products = \"split\"\n");
    let report = tower::compile(folder.path(), &recipe, &["--layers", "npu"], &folder.path().join("out"));
    let (found, outputs) = layers(&report, 0);
    let figures: Vec<f64> = found.iter().map(|layer| layer["sqnr_db"]["npu"].as_f64().unwrap()).collect();
    assert!(figures.len() == 4 && figures.iter().all(|figure| *figure > 60.0), "{figures:?}");
    assert!(outputs["npu"].as_f64().unwrap() > 60.0, "{outputs}");
}
