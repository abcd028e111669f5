//! A checkpoint of made-up weights, compiled.

use tempfile::TempDir;

use crate::common::synth::{GRAPH, synth, text};
use crate::common::{json, root, succeed, toolkit};

#[test]
fn a_synthetic_model_compiles_and_its_numbers_stay_bounded() {
    let folder = TempDir::new().expect("a folder");
    let [weights, bundle] = ["weights", "bundle"].map(|name| folder.path().join(name));
    synth(GRAPH, &weights, &[]);
    let photos = std::fs::read_to_string(root("calibration/photos.toml")).expect("the recipe");
    let recipe = photos
        .split("# Samples whose")
        .next()
        .expect("what stands before")
        .replace("decode_steps = 8", "decode_steps = 2");
    let photo = |name: &str| root(&format!("calibration/photos/{name}")).display().to_string();
    std::fs::copy(photo("cat.jpg"), folder.path().join("cat.jpg")).expect("a picture");
    std::fs::copy(photo("rocket.jpg"), folder.path().join("rocket.jpg")).expect("a picture");
    let recipe = format!(
        "{recipe}\n[[calibration]]\nimage = \"cat.jpg\"\nprompt = \"What colour are the eyes of the cat?\"\n\
         [[verification]]\nimage = \"rocket.jpg\"\nprompt = \"Is it day or night?\"\n"
    );
    let recipe_path = folder.path().join("recipe.toml");
    std::fs::write(&recipe_path, recipe).expect("the recipe");
    let toolkit = toolkit().display().to_string();
    let args =
        ["compile", GRAPH, "--weights", text(&weights), "--calibration", text(&recipe_path), "--target", "sa8295p"];
    succeed(&[&args[..], &["--out", text(&bundle), "--require-npu", "--toolkit", &toolkit, "-q"]].concat());
    let statistics = json(&bundle.join("calibration/statistics.json"));
    let mut stream = Vec::new();
    for (component, values) in statistics.as_object().expect("components") {
        for (name, seen) in values.as_object().expect("values") {
            assert_eq!(seen["non_finite"], 0, "{component} {name}");
            let end = |key: &str| seen[key].as_f64().expect("a number").abs();
            let largest = end("min").max(end("max"));
            // What a token must not see is at -256 by definition.
            assert!(largest < 100.0 || name.ends_with("masked") || name == "mask", "{component} {name}: {largest}");
            let layer = name.strip_prefix("layers.").and_then(|rest| rest.strip_suffix(".out"));
            stream.extend(layer.map(|layer| (layer.parse::<u32>().expect("a layer"), largest)));
        }
    }
    stream.sort_by_key(|(layer, _)| *layer);
    assert_eq!(stream.len(), 6);
    let growth = stream[5].1 / stream[0].1;
    assert!((0.5..5.0).contains(&growth), "{stream:?}");
    let report = json(&bundle.join("report.json"));
    for (partition, least) in report["partitions"].as_array().expect("partitions").iter().zip([15.0, 30.0, 5.0, 5.0]) {
        let sqnr = &partition["outputs"][0]["sqnr_db"];
        assert!(sqnr["npu"].as_f64().expect("a figure") > least, "{}: {sqnr}", partition["name"]);
    }
}
