//! `autoneural graph`: the pictures are well-formed, their texts meet neither each other nor an edge, names cannot break
//! out, and what cannot be drawn or written is an error.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, compile_args, demo_bundle, stderr, stdout, succeed};
use crate::pipeline::json;
use crate::segments::without_gelu;
use crate::snapshots::assert_snapshot;

/// Parses a picture and prints its boxes and texts in order. Fails where a text leaves the picture, crosses the edge of a
/// box or meets another text; a character is 0.602 of the font's size wide, as in DejaVu Sans Mono.
const CHECK: &str = "
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
strip = lambda e: e.tag.split('}')[1]
assert strip(root) == 'svg'
width, height = int(root.get('width')), int(root.get('height'))
sizes = {'title': 18, 'name': 14}
texts, boxes = [], []
for e in root:
    kind, c = strip(e), e.get('class') or ''
    if kind == 'rect' and c != 'paper':
        x, y, w, h = (int(e.get(k)) for k in ('x', 'y', 'width', 'height'))
        boxes.append((x, y, x + w, y + h))
        print('box', c)
    elif kind == 'text':
        said = ''.join(e.itertext()) if not len(e) else e[0].tail
        size = sizes.get(c, 12)
        x, y, w = int(e.get('x')), int(e.get('y')), len(said) * size * 0.602
        if 'middle' in c:
            x -= w / 2
        box = (x, y - size * 0.8, x + w, y + size * 0.2)
        assert 0 <= box[0] and box[2] <= width and 0 <= box[1] and box[3] <= height, ('outside', said)
        texts.append((box, said))
        print('text', c, '|', said, *(part for title in e for part in ('|', title.text)))
    elif kind == 'polyline':
        points = [tuple(map(int, p.split(','))) for p in e.get('points').split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
        print('arrow', *('right' if x < u else 'left' if x > u else 'down' if y < v else 'up'
                         for (x, y), (u, v) in zip(points, points[1:])))
    else:
        assert kind in ('title', 'desc', 'style', 'defs', 'rect'), kind
meet = lambda a, b: a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
within = lambda a, b: b[0] <= a[0] and a[2] <= b[2] and b[1] <= a[1] and a[3] <= b[3]
for at, (box, said) in enumerate(texts):
    for other, theirs in texts[at + 1:]:
        assert not meet(box, other), ('texts meet', said, theirs)
    for edge in boxes:
        assert not meet(box, edge) or within(box, edge), ('on an edge', said)
";

/// What the check says of a picture.
fn outline(svg: &Path) -> String {
    let output = Command::new("python3").args(["-c", CHECK]).arg(svg).output().expect("python3 starts");
    assert!(output.status.success(), "{}: {}", svg.display(), stderr(&output));
    stdout(&output)
}

/// The demo model compiled without the toolkit: no context binaries and no figures, so its picture is the same anywhere.
fn plain_bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (out, empty) = (folder.join("plain"), folder.join("no-toolkit"));
        std::fs::create_dir_all(&empty).unwrap();
        let more = ["--force", "--toolkit", empty.to_str().unwrap()];
        let said = succeed(&compile_args(out.to_str().unwrap(), &more));
        assert!(
            said.contains("a device holds ") && said.contains("weights (there are no context binaries) "),
            "{said}"
        );
        out
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &place) } else { assert!(std::fs::copy(&path, place).is_ok()) }
    }
}

#[test]
fn pictures_of_a_bundle_and_of_its_partitions() {
    let folder = TempDir::new().unwrap();
    let bundle = plain_bundle().to_str().unwrap();
    let mut text = String::new();
    for more in [&[][..], &["--partition", "projector", "--tensors", "all"], &["--partition", "vision"]] {
        let svg = folder.path().join("made.svg");
        let args = [&["graph", bundle, "--out", svg.to_str().unwrap()], more].concat();
        assert!(succeed(&args).starts_with("graph: "));
        text.push_str(&format!("$ autoneural graph BUNDLE {}\n{}\n", more.join(" "), outline(&svg)));
    }
    assert_snapshot("graph.txt", &text);
    for tensors in ["all", "border"] {
        let svg = folder.path().join("made.svg");
        succeed(&["graph", bundle, "--tensors", tensors, "--out", svg.to_str().unwrap()]);
        assert_eq!(outline(&svg).contains("middle | layers.1.k_cache\n"), tensors == "all");
        for partition in ["projector", "language.prefill", "language.decode", "vision"] {
            let svg = folder.path().join("made.svg");
            let args =
                ["graph", bundle, "--partition", partition, "--tensors", tensors, "--out", svg.to_str().unwrap()];
            succeed(&args);
            outline(&svg);
        }
    }
}

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

/// Replaces a name wherever it stands in a JSON value.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *text = to.to_string(),
        Value::Array(list) => list.iter_mut().for_each(|value| rename(value, from, to)),
        Value::Object(map) => map.values_mut().for_each(|value| rename(value, from, to)),
        _ => {}
    }
}

#[test]
fn names_of_tensors_can_be_anything() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle");
    copy(plain_bundle(), &bundle);
    let mut manifest = json(&bundle.join("manifest.json"));
    let script = "</text><script>alert('&amp;\"]]>')</script>";
    let long = ["wide"; 60].join(".");
    let wide = "模型".repeat(40);
    for file in ["model/projector.json", "encodings/projector.json"] {
        let mut value = json(&bundle.join(file));
        for (from, to) in [
            ("linear_1.product", script),
            ("linear_1", &long),
            ("act", "a\u{0}\u{7}\n\u{202e}b"),
            ("linear_2.product", &wide),
        ] {
            rename(&mut value, from, to);
        }
        let text = value.to_string();
        let files = manifest["files"].as_array_mut().unwrap();
        files.iter_mut().find(|record| record["path"] == file).unwrap()["bytes"] = text.len().into();
        std::fs::write(bundle.join(file), text).unwrap();
    }
    manifest["model"] = format!("<model> & {}", "x".repeat(200)).into();
    std::fs::write(bundle.join("manifest.json"), manifest.to_string()).unwrap();
    let svg = folder.path().join("made.svg");
    let (bundle, out) = (bundle.to_str().unwrap(), svg.to_str().unwrap());
    for tensors in ["all", "border"] {
        succeed(&["graph", bundle, "--partition", "projector", "--tensors", tensors, "--out", out]);
        let said = outline(&svg);
        assert!(said.contains(script) && said.contains("a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b"), "{said}");
        // The long one is shortened, and whole where the pointer rests.
        assert!(said.contains("…") && said.contains(&long), "{said}");
        assert!(!std::fs::read_to_string(&svg).unwrap().contains("<script"));
        succeed(&["graph", bundle, "--tensors", tensors, "--out", out]);
        assert!(outline(&svg).contains("<model> & xxx"));
    }
}

#[test]
fn what_cannot_be_drawn_or_written_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let demo = plain_bundle().to_str().unwrap().to_string();
    let expect = |output: Output, status: i32, words: &[&str]| {
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(words.iter().all(|word| said.contains(word)) && !said.contains("panicked"), "{words:?}: {said}");
        assert!(!said.contains(".partial"), "{said}");
        assert_eq!(stdout(&output), "");
    };
    expect(autoneural(&["graph", &path("nowhere")]), 3, &["nowhere", "is no bundle", "autoneural compile"]);
    let names = ["demo", "`nobody`", "vision, projector, language.prefill, language.decode"];
    expect(autoneural(&["graph", &demo, "--partition", "nobody"]), 3, &names[1..]);
    expect(autoneural(&["graph", &demo, "--tensors", "some"]), 2, &["all", "border"]);
    expect(autoneural(&["graph", &demo, "--out", &path("no/such/folder.svg")]), 4, &["folder.svg"]);
    expect(autoneural(&["graph", &demo, "--out", folder.path().to_str().unwrap()]), 4, &["directory"]);
    expect(autoneural(&["graph", &demo, "--out", "/dev/full"]), 4, &["/dev/full", "free some space"]);
    // Where the disk is full, what was there stays.
    let svg = path("made.svg");
    std::fs::write(&svg, "something old").unwrap();
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_autoneural"));
    expect(limited.args(["graph", &demo, "--out", &svg]).output().unwrap(), 4, &["made.svg", "free some space"]);
    assert_eq!(std::fs::read_to_string(&svg).unwrap(), "something old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // Before `quantize` there are no integer types.
    let bundle = path("exported");
    let args =
        ["export", crate::common::GRAPH, "--weights", crate::common::WEIGHTS, "--target", "sa8295p", "--out", &bundle];
    succeed(&args);
    expect(autoneural(&["graph", &bundle]), 3, &["`quantize` has not run", "run `autoneural quantize` first"]);
    assert!(!succeed(&["inspect", &bundle]).contains("a device holds"));
}
