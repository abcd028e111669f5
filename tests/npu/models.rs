//! Other image sizes on the NPU.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::bench::INPUT;
use crate::common::{GRAPH, autoneural, compile_args, root, stderr, succeed, toolkit};

/// 160 pixels end in a bilinear resize instead of a pool, 96 pixels in one that enlarges nothing but pools 6x6 to 4x4.
#[test]
fn other_image_sizes_compile_and_run_on_the_npu() {
    let toolkit = toolkit();
    for pixels in [96, 160] {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out");
        let (out, size) = (out.to_str().unwrap(), pixels.to_string());
        let toolkit = toolkit.to_str().unwrap();
        let more = ["--image-size", &size, "--verify", "vision", "--json", "--require-npu", "--toolkit", toolkit];
        let args = compile_args(out, &more);
        let report: Value = serde_json::from_str(&succeed(&args)).unwrap();
        let vision = &report["partitions"][0];
        assert_eq!(vision["nodes"], vision["npu_nodes"], "{pixels}");
        let db = vision["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
        println!("{pixels} pixels: {db:.1} dB on the NPU");
        assert!(db > 25.0, "{pixels}: {db} dB");
        let kept = std::fs::read_to_string(folder.path().join("out/model/definition.toml")).unwrap();
        let given = std::fs::read_to_string(root(GRAPH)).unwrap();
        assert_eq!(kept, given.replace("image_size = 128", &format!("image_size = {pixels}")));
    }
    let out = TempDir::new().unwrap();
    let output = autoneural(&compile_args(out.path().join("out").to_str().unwrap(), &["--image-size", "100"]));
    assert_eq!(output.status.code(), Some(INPUT));
    let text = stderr(&output);
    assert!(text.contains("definition.toml: vision.image_size") && text.contains("--image-size 100"), "{text}");
}
