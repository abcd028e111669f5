//! `autoneural inspect` of all that a compilation makes: a summary first, the rest on demand.

use crate::common::{demo_bundle, succeed};

/// Lines of a summary that name nothing of what `--all` lists.
fn summary(args: &[&str]) -> Vec<String> {
    succeed(&[&["inspect"], args].concat()).lines().map(String::from).collect()
}

#[test]
fn the_summary_comes_first_and_the_rest_on_demand() {
    let demo = demo_bundle();
    let path = |name: &str| demo.join(name).to_str().expect("UTF-8").to_string();
    let inside = "model.vision_tower.timm_model.msfa.norm.weight";
    for (what, first, known, listed) in [
        ("models/autoneural-tiny".to_string(), "checkpoint ", "158 tensors", inside),
        (path(""), "bundle ", "a device holds ", "layers.1.k_new"),
        (path(""), "bundle ", "next: autoneural report ", "model/vision.data"),
        (path("qdq/language.prefill.onnx"), "onnx model ", "QuantizeLinear", "state_columns"),
        (path("context/vision_qnn.bin"), "context model ", "vision_qnn.bin", "       1 EPContext"),
    ] {
        let lines = summary(&[&what]);
        assert!(lines[0].starts_with(first), "{what}: {lines:?}");
        assert!(lines.len() <= 20, "{what}: {} lines\n{}", lines.len(), lines.join("\n"));
        assert!(lines.iter().any(|line| line.contains(known)), "{what}: {known}\n{}", lines.join("\n"));
        assert!(!lines.iter().any(|line| line.contains(listed)), "{what}: {listed}\n{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.starts_with("(--all lists ")), "{what}: {}", lines.join("\n"));
        let all = summary(&[&what, "--all"]);
        assert_eq!(all[0], lines[0]);
        assert!(all.iter().any(|line| line.contains(listed)), "{what}: {listed}\n{}", all.join("\n"));
        assert!(!all.iter().any(|line| line.starts_with("(--all")), "{what}");
    }
}
