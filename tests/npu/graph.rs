//! `autoneural graph`: the pictures are well-formed, their texts meet neither each other nor an edge, names cannot
//! break out, and what cannot be drawn or written is an error.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::picture::outline;
use crate::common::{demo_bundle, json, succeed};
use crate::segments::without_gelu;

#[test]
fn a_verified_bundle_shows_where_its_nodes_run_and_the_figures_of_the_report() {
    let folder = TempDir::new().unwrap();
    let svg = folder.path().join("made.svg");
    let demo = demo_bundle().to_str().unwrap();
    succeed(&["graph", demo, "--out", svg.to_str().unwrap()]);
    let said = outline(&svg);
    let mut rest = said.as_str();
    for partition in json(&demo_bundle().join("report.json"))["partitions"].as_array().unwrap() {
        let name = partition["name"].as_str().unwrap();
        rest =
            &rest[rest.find(&format!("text name | {name}\n")).unwrap_or_else(|| panic!("{name} is not in\n{said}"))..];
        let db = partition["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap();
        let binary = partition["binary_bytes"].as_u64().unwrap();
        let binary = if binary < 1_000_000 {
            format!("{:.1} kB", binary as f64 / 1e3)
        } else {
            format!("{:.2} MB", binary as f64 / 1e6)
        };
        for line in [
            format!("NPU, all {} nodes", partition["nodes"]),
            format!("{} weights ", partition["weights"].as_str().unwrap()),
            format!("context binary {binary}"),
            format!("SQNR NPU {db:.1} dB"),
        ] {
            assert!(rest.contains(&line), "{name}: `{line}` is not in\n{rest}");
        }
    }
}

#[test]
fn the_inside_of_a_partition_has_a_legend_residual_connections_and_the_figures_of_its_layers() {
    let sealed = crate::sealed::Sealed::of(demo_bundle());
    crate::page::measure_layers(&sealed);
    let report = json(&sealed.path("bundle/report.json"));
    for (tensors, legend) in [("border", "operator with weights"), ("all", "bold: operators with weights")] {
        let args = ["graph", "bundle", "--partition", "vision", "--tensors", tensors, "--out", "made.svg"];
        assert!(sealed.run(&args).status.success());
        let svg = sealed.text("made.svg");
        let said = outline(&sealed.path("made.svg"));
        assert!(said.contains(legend) && said.contains("residual, or read from elsewhere"), "{said}");
        // Every residual addition of the network is reached by a line that goes past other operators.
        let layers = report["partitions"][0]["layers"].as_array().unwrap();
        let additions = layers.iter().filter(|layer| layer["op"] == "Add").count();
        let lines = svg.matches("<polyline class=\"skip\"").count();
        assert!(additions > 3 && lines > additions, "{lines} lines, {additions} additions");
        for layer in layers.iter().filter(|layer| layer["op"] == "Add") {
            let db = layer["sqnr_db"]["npu"].as_f64().unwrap();
            assert!(said.contains(&format!("{db:.1} dB")), "{db}: {said}");
        }
    }
    // The worst output stands in the picture of all partitions, too.
    assert!(sealed.run(&["graph", "bundle", "--out", "made.svg"]).status.success());
    let said = outline(&sealed.path("made.svg"));
    assert!(said.contains("context binary, on the NPU") && said.contains("| worst "), "{said}");
}

#[test]
fn a_partition_in_segments_says_in_how_many_and_how_many_are_on_the_cpu() {
    let folder = TempDir::new().unwrap();
    let svg = folder.path().join("made.svg");
    succeed(&["graph", without_gelu().to_str().unwrap(), "--out", svg.to_str().unwrap()]);
    let text = outline(&svg);
    assert!(text.contains("text wrong | NPU 4 nodes, CPU 1\ntext wrong | in 3 segments, 1 on the CPU\n"), "{text}");
    assert_eq!(text.matches("segments, ").count(), 2, "{text}");
}

#[test]
fn a_picture_needs_nothing_else_and_is_the_same_on_standard_output() {
    let folder = TempDir::new().unwrap();
    let svg = folder.path().join("made.svg");
    let demo = demo_bundle().to_str().unwrap();
    std::fs::write(&svg, "something old").unwrap();
    let said: Value =
        serde_json::from_str(&succeed(&["graph", demo, "--out", svg.to_str().unwrap(), "--json"])).unwrap();
    let text = std::fs::read_to_string(&svg).unwrap();
    assert_eq!(said["bytes"], text.len());
    assert_eq!(succeed(&["graph", demo]), text);
    let whole: Value = serde_json::from_str(&succeed(&["graph", demo, "--json"])).unwrap();
    assert_eq!(whole["svg"], text.as_str());
    assert!(text.contains("@media (prefers-color-scheme:dark)"));
    let foreign = ["<script", "href", "@import", "<image", "src="];
    assert!(!foreign.iter().any(|part| text.contains(part)), "{text}");
    assert_eq!(text.matches("http").count(), 1, "the name space alone");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
