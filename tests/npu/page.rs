//! `autoneural report`: the page as a browser shows it, and as files.

mod answers;
mod layout;

use std::time::Instant;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::common::{demo_bundle, json as read_json, stderr, stdout};
use crate::gate::HOSTILE;
use crate::sealed::Sealed;

const LARGEST: u64 = 5_000_000;

fn page(sealed: &Sealed, more: &[&str]) -> String {
    let output = sealed.run(&[&["report", "bundle", "--out", "page.html"], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    sealed.text("page.html")
}

/// The data of the page's script.
fn data(html: &str) -> Value {
    let begin = html.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
    let length = html[begin..].find("</script>").expect("its end");
    serde_json::from_str(&html[begin..begin + length]).expect("JSON")
}

/// Figures of every layer, as another part of verification will measure them: SQNR falls along the network.
pub fn measure_layers(sealed: &Sealed) -> usize {
    let mut count = 0;
    let names = ["vision", "projector", "language.prefill", "language.decode"];
    let graphs = names.map(|name| read_json(&sealed.path("bundle").join(format!("model/{name}.json"))));
    sealed.edit("report.json", |report| {
        for (graph, partition) in graphs.iter().zip(report["partitions"].as_array_mut().expect("partitions")) {
            let nodes = graph["nodes"].as_array().expect("nodes");
            count += nodes.len();
            let layer = |(index, node): (usize, &Value)| {
                let db = 80.0 - 40.0 * index as f64 / nodes.len() as f64;
                json!({
                    "name": node["name"], "op": node["op"],
                    "sqnr_db": { "simulated": db, "npu": db - (index % 7) as f64 },
                    "added_percent": { "simulated": 0.1, "npu": (index % 5) as f64 }, "saturation_percent": 0.01,
                    "range_use_percent": 90.0, "bits": "W8A16",
                })
            };
            partition["layers"] = nodes.iter().enumerate().map(layer).collect();
        }
    });
    count
}

#[test]
fn the_page_is_one_file_and_says_what_was_not_measured() {
    let sealed = Sealed::of(demo_bundle());
    assert!(sealed.run(&["report", "bundle/"]).status.success() && sealed.path("bundle.html").exists());
    let output = sealed.run(&["report", "bundle"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let html = sealed.text("bundle.html");
    assert!(stdout(&output).starts_with("report: bundle.html ("));
    // The name of a namespace is no address.
    let html = html.replace("http://www.w3.org/2000/svg", "");
    for foreign in ["http://", "https://", "src=\"/", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("<p class=\"verdict unknown\">Can it ship? Not known: no goal stated"));
    assert!(html.contains("not held against a baseline or another bundle"));
    assert!(html.contains("Single layers were not measured"));
    assert!(html.contains("`autoneural verify --layers npu` shows"));
    assert!(
        html.contains("Accuracy: not evaluated") && html.contains("autoneural eval bundle --set DIR --on float,npu")
    );
    assert!(html.contains("Not measured. Verification runs the context binaries on the emulator of the NPU"));
    assert!(html.contains("What colour are the eyes of the cat?") && html.contains("2.7.0"));
    let manifest = read_json(&sealed.path("bundle/manifest.json"));
    for file in manifest["files"].as_array().expect("files") {
        assert!(html.replace("<wbr>", "").contains(file["sha256"].as_str().expect("a hash")));
    }
    let report = read_json(&sealed.path("bundle/report.json"));
    for partition in report["partitions"].as_array().expect("partitions") {
        for output in partition["outputs"].as_array().expect("outputs") {
            let db = output["sqnr_db"]["npu"].as_f64().expect("a figure");
            let name = output["name"].as_str().expect("a name");
            assert!(html.contains(name) && html.contains(&format!(">{db:.1} dB<")), "{name} {db}");
        }
    }
    // The layers are those of the graphs, and the outputs among them have their figures.
    let parts = data(&html)["parts"].clone();
    let layers = parts[0]["layers"].as_array().expect("layers");
    assert_eq!(layers.len() as u64, report["partitions"][0]["nodes"].as_u64().expect("nodes"));
    let features = layers.iter().find(|layer| layer["name"] == "features").expect("the output");
    assert_eq!(features["npu"], report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"]);
    assert!(layers.iter().filter(|layer| layer["npu"].is_null()).count() == layers.len() - 1);
    // The bundle is as it was, and the page is the same again.
    assert_eq!(sealed.run(&["inspect", "bundle", "-q"]).status.code(), Some(0));
    assert_eq!(page(&sealed, &[]), sealed.text("bundle.html"));
}

/// Names, prompts and messages that would run if they were markup.
fn hostile() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    let text = serde_json::to_string(HOSTILE).expect("JSON");
    let name = &text[1..text.len() - 1];
    for file in ["model/vision.json", "encodings/vision.json"] {
        sealed.replace(file, "\"blocks.0.0.act\"", &format!("\"{name}\""));
    }
    sealed.edit("calibration/statistics.json", |statistics| {
        let seen = statistics["vision"]["blocks.0.0.act"].clone();
        statistics["vision"][HOSTILE] = seen;
    });
    let image = "![a](javascript:hacked())<svg onload=hacked()>";
    sealed.replace("calibration/recipe.toml", "Who is in the picture?", image);
    sealed.edit("report.json", |report| {
        report["model"] = json!(HOSTILE);
        report["failures"] = json!([HOSTILE]);
        report["left_out"] = json!([HOSTILE]);
        report["samples"]["recipe"] = json!(HOSTILE);
        report["partitions"][0]["weights"] = json!(HOSTILE);
        report["partitions"][0]["weak"] = json!([{ "output": "features", "causes": [{
            "cause": "npu", "layer": HOSTILE, "op": HOSTILE, "sqnr_db": 1.0, "added_percent": 1.0, "others": 0,
            "found": HOSTILE, "help": HOSTILE,
        }] }]);
        report["goals"] = json!({ "evaluation": { "set": HOSTILE, "exact_match_percent": 1 } });
    });
    sealed.edit("manifest.json", |manifest| {
        manifest["model"] = json!(HOSTILE);
        manifest["tool"]["version"] = json!(HOSTILE);
        manifest["toolkit"]["onnxruntime"] = json!(HOSTILE);
    });
    sealed
}

#[test]
fn a_hostile_name_is_text() {
    let sealed = hostile();
    let html = page(&sealed, &["--markdown", "page.md", "--against", "bundle"]);
    for markup in ["<img src=x", "<svg onload", "</script><img"] {
        assert!(!html.contains(markup) && !sealed.text("page.md").contains(markup), "{markup}");
    }
    assert_eq!(html.matches("</script>").count(), 2);
    let layers = data(&html)["parts"][0]["layers"].clone();
    assert!(layers.as_array().expect("layers").iter().any(|layer| layer["name"] == HOSTILE));
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sealed.path("page.html"), 1280, 900, false);
    browser.click("[data-slot=choice] button:last-of-type");
    let names =
        browser.value("[...document.querySelectorAll('.layers td:first-child')].map((cell) => cell.textContent)");
    let at = names.as_array().expect("names").iter().position(|name| name == HOSTILE).expect("the name, as it is");
    browser.click(&format!(".layers tbody tr:nth-child({})", at + 1));
    assert_eq!(browser.value("document.querySelector('#detail h3').textContent"), HOSTILE);
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 1);
    assert_eq!(browser.value("typeof hacked"), "undefined");
    assert_eq!(browser.complaints, Vec::<String>::new());
    // Even markup that got in could not run: the page allows its own script alone.
    browser.value("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.ran = 1\">')");
    browser.value("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(browser.value("typeof window.ran"), "undefined");
    assert!(browser.complaints.iter().any(|line| line.contains("Content Security Policy")), "{:?}", browser.complaints);
}

#[test]
fn a_browser_shows_layers_and_their_neighbours() {
    let sealed = Sealed::of(demo_bundle());
    measure_layers(&sealed);
    crate::common::copy(&sealed.path("bundle"), &sealed.path("other"));
    page(&sealed, &["--against", "other"]);
    let Some(mut browser) = Browser::start() else { return };
    for (width, height, dark) in [(1280, 900, false), (1280, 900, true), (390, 800, false)] {
        browser.open(&sealed.path("page.html"), width, height, dark);
        // The worst ten come first, the worst of them on top.
        let shown =
            "[...document.querySelectorAll('.layers tbody tr')].map((row) => parseFloat(row.cells[4].textContent))";
        let worst: Vec<f64> = serde_json::from_value(browser.value(shown)).expect("figures");
        assert_eq!(worst.len(), 10);
        assert!(worst.windows(2).all(|two| two[0] <= two[1]), "{worst:?}");
        assert_eq!(browser.value("document.querySelector('.layers').tHead.rows[0].cells.length"), 10);
        // A click tells about a layer, its neighbours lead on.
        assert_eq!(browser.value("document.querySelector('#detail').hidden"), true);
        browser.click(".layers tbody tr");
        let first = browser.value("document.querySelector('.layers tbody td').textContent");
        assert_eq!(browser.value("document.querySelector('#detail h3').textContent"), first);
        let text = browser.value("document.querySelector('#detail').textContent");
        for part in [
            "operator",
            "SQNR NPU",
            "encoding",
            "uint16, scale ",
            "method",
            "min-max",
            "calibration saw",
            "settled after",
            "histogram",
            "not measured",
        ] {
            assert!(text.as_str().expect("text").contains(part), "{part}: {text}");
        }
        browser.click("#detail dd button");
        assert_ne!(browser.value("document.querySelector('#detail h3').textContent"), first);
        // All of them, sorted by name, found by name.
        browser.click("[data-slot=choice] button:last-of-type");
        let count = browser.value("document.querySelectorAll('.layers tbody tr').length").as_u64().expect("a count");
        assert!(count > 100, "{count}");
        browser.click("[data-key=name]");
        let names = "[...document.querySelectorAll('.layers tbody tr')].map((row) => row.cells[0].textContent)";
        let names: Vec<String> = serde_json::from_value(browser.value(names)).expect("names");
        assert!(names.is_sorted(), "{names:?}");
        browser.value(
            "(() => { const box = document.querySelector('input'); box.value = 'MSFA'; box.dispatchEvent(new \
                 Event('input')); })()",
        );
        let rows = "[...document.querySelectorAll('.layers tbody tr')].map((row) => row.textContent.toLowerCase())";
        let rows: Vec<String> = serde_json::from_value(browser.value(rows)).expect("rows");
        assert!(!rows.is_empty() && rows.iter().all(|row| row.contains("msfa")), "{rows:?}");
        // The chart leads to a layer by the pointer, and along the network by keys.
        browser.click_at(".chart", 0.5);
        let middle = browser.value("document.querySelector('#detail h3').textContent");
        browser.value(
            "document.querySelector('.chart').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }))",
        );
        assert_ne!(browser.value("document.querySelector('#detail h3').textContent"), middle);
        // Another partition.
        browser.click("[data-slot=parts] button:nth-child(4)");
        assert_eq!(browser.value("document.querySelector('[data-slot=legend] strong').textContent"), "language.decode");
        assert_eq!(browser.value("document.querySelectorAll('.chart path').length"), 3);
        // The layers that add noise have a bar each, of four corners.
        let corners = browser.value("document.querySelector('.chart .added').points.length").as_u64();
        assert!(corners.is_some_and(|corners| corners > 100 && corners % 4 == 0), "{corners:?}");
        // Nothing is wider than the window but what scrolls by itself.
        assert_eq!(browser.value("document.documentElement.scrollWidth <= window.innerWidth"), true, "{width}");
        let paper = browser.value("getComputedStyle(document.body).backgroundColor");
        assert_eq!(paper, if dark { "rgb(13, 17, 23)" } else { "rgb(255, 255, 255)" });
        assert_eq!(browser.complaints, Vec::<String>::new());
    }
}

/// A model of many layers: the demo's vision graph with a long tail.
#[test]
fn thousands_of_layers_are_shown_at_once() {
    const MORE: usize = 3000;
    let sealed = Sealed::of(demo_bundle());
    let name =
        |index: usize| format!("vision_tower.blocks.{}.{}.attention.output.tail.{index}", index / 100, index % 100);
    sealed.edit("model/vision.json", |graph| {
        let nodes = graph["nodes"].as_array_mut().expect("nodes");
        let mut before = nodes[0]["name"].clone();
        for index in 0..MORE {
            nodes.push(json!({ "name": name(index), "op": "Neg", "inputs": [before] }));
            before = json!(name(index));
        }
    });
    sealed.edit("encodings/vision.json", |encodings| {
        let list = encodings["activation_encodings"].as_array_mut().expect("entries");
        let entry = list[0].clone();
        list.extend((0..MORE).map(|index| {
            let mut entry = entry.clone();
            entry["name"] = json!(name(index));
            entry
        }));
    });
    let count = measure_layers(&sealed);
    assert!(count > MORE);
    let begun = Instant::now();
    page(&sealed, &[]);
    let made = begun.elapsed();
    let size = std::fs::metadata(sealed.path("page.html")).expect("the page").len();
    assert!(size < LARGEST, "{size} bytes");
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sealed.path("page.html"), 1280, 900, false);
    let painted = browser.first_paint();
    println!("{count} layers: made in {made:?}, {size} bytes, first paint after {painted:.0} ms");
    browser.click("[data-slot=choice] button:last-of-type");
    browser.click("[data-slot=table] > div > button");
    assert_eq!(browser.value("document.querySelectorAll('.layers tbody tr').length"), 1800);
    assert_eq!(browser.complaints, Vec::<String>::new());
}
