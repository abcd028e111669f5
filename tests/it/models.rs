//! Other definitions through the same builder: other image sizes on the NPU, the full model's graphs.

use autoneural::front::Definition;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{GRAPH, RECIPE, WEIGHTS, root, succeed, toolkit};

/// 160 pixels end in a bilinear resize instead of a pool, 96 pixels in one that enlarges nothing but pools 6x6 to 4x4.
#[test]
fn other_image_sizes_compile_and_run_on_the_npu() {
    let toolkit = toolkit();
    for pixels in [96, 160] {
        let folder = TempDir::new().unwrap();
        let graph = folder.path().join("graph.toml");
        let text = std::fs::read_to_string(root(GRAPH)).unwrap();
        std::fs::write(&graph, text.replace("image_size = 128", &format!("image_size = {pixels}"))).unwrap();
        let out = folder.path().join("out");
        let (graph, out) = (graph.to_str().unwrap(), out.to_str().unwrap());
        let common = ["--weights", WEIGHTS, "--calibration", RECIPE, "--target", "sa8295p", "--out", out];
        let mut args = vec!["compile", graph, "--json", "--require-npu", "--toolkit", toolkit.to_str().unwrap()];
        args.extend(common);
        let report: Value = serde_json::from_str(&succeed(&args)).unwrap();
        let vision = &report["partitions"][0];
        assert_eq!(vision["nodes"], vision["npu_nodes"], "{pixels}");
        let db = vision["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
        println!("{pixels} pixels: {db:.1} dB on the NPU");
        assert!(db > 25.0, "{pixels}: {db} dB");
    }
}

#[test]
fn the_full_definition_has_the_dimensions_of_the_full_model() {
    let definition = Definition::read(&root("graphs/autoneural-vl-1.5b.toml")).unwrap();
    assert_eq!(definition.vision.tokens(), 256);
    let blocks: Vec<usize> = definition.vision.blocks().iter().map(Vec::len).collect();
    // timm's mobilenetv5_300m_enc has as many blocks a stage.
    assert_eq!(blocks, [3, 5, 37, 39]);
    assert_eq!((definition.language.layers.len(), definition.language.context), (16, 4096));
}
