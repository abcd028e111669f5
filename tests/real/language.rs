//! A language model from its checkpoint to the NPU, judged by how likely it finds prose.

use serde_json::Value;
use tempfile::TempDir;

use super::common::{json, root, succeed, toolkit};
use super::made;

/// W4A16 with keys and values in 8 bits, calibrated with prose and judged on other prose.
const RECIPE: &str = r#"schema = 2
name = "prose"
decode_steps = 1
calibration = [{ file = "prose.txt", window = 512, windows = "100..104" }]
verification = [{ file = "prose.txt", window = 128, windows = "160..161" }]

[recipe.language]
weights = "int4"
activations = "uint16"
kv_cache = "uint8"
head = "int8"
observer = "min-max"
"#;

#[test]
fn a_language_model_reads_prose() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let definition = std::fs::read_to_string(root("graphs/smollm2-135m.toml")).unwrap();
    assert!(definition.contains("context = 1024"));
    std::fs::write(place("model.toml"), definition.replace("context = 1024", "context = 640")).unwrap();
    std::fs::write(place("recipe.toml"), RECIPE).unwrap();
    std::fs::copy(made("prose.txt"), place("prose.txt")).unwrap();
    let (model, recipe, prose, out) = (place("model.toml"), place("recipe.toml"), place("prose.txt"), place("out"));
    let (weights, toolkit) = (made("smollm2").display().to_string(), toolkit().display().to_string());
    let args = ["compile", &model, "--weights", &weights, "--calibration", &recipe, "--target", "sa8295p"];
    let more = ["--out", &out, "--toolkit", &toolkit, "--require-npu", "--golden", "none", "--layers", "none"];
    succeed(&[&args[..], &more, &["--max-difference", "99"]].concat());
    let report = json(&folder.path().join("out/report.json"));
    for partition in report["partitions"].as_array().unwrap() {
        assert_eq!(partition["nodes"], partition["npu_nodes"], "{}", partition["name"]);
    }
    let args = ["eval", &out, "--text", &prose, "--windows", "40..41", "--on", "float,simulated,npu", "--json"];
    let found: Value = serde_json::from_str(&succeed(&[&args[..], &["--toolkit", &toolkit]].concat())).unwrap();
    println!("{found:#}");
    let perplexity = |at: usize| found["engines"][at]["perplexity"].as_f64().unwrap();
    // A model that knows no English has one in the thousands.
    assert!((8.0..25.0).contains(&perplexity(0)), "float {}", perplexity(0));
    assert!(perplexity(1) < 4.0 * perplexity(0), "simulated {}", perplexity(1));
    assert!(perplexity(2) < 1.5 * perplexity(1), "NPU {}", perplexity(2));
}
