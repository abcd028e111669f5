//! `autoneural report`: the page as a browser shows it, and as files.

use std::time::Instant;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::common::{demo_bundle, stderr, stdout};
use crate::gate::HOSTILE;
use crate::pipeline::json as read_json;
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
fn measure_layers(sealed: &Sealed) -> usize {
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
                    "name": node["name"], "op": node["op"], "sqnr_db": { "simulated": db, "npu": db - (index % 7) as f64 },
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
    assert!(html.contains("Accuracy: not evaluated") && html.contains("autoneural eval bundle --set DIR --on float,npu"));
    assert!(html.contains("Not measured. Verification runs the context binaries on the emulator of the NPU"));
    assert!(html.contains("What colour are the eyes of the cat?") && html.contains("2.7.0"));
    let manifest = read_json(&sealed.path("bundle/manifest.json"));
    for file in manifest["files"].as_array().expect("files") {
        assert!(html.contains(file["sha256"].as_str().expect("a hash")));
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

/// Text without marks that Markdown escapes.
fn plain(markdown: &str) -> String {
    markdown.replace('\\', "")
}

/// The part of a text under a heading.
fn under<'a>(markdown: &'a str, title: &str) -> &'a str {
    let part = markdown.split(&format!("\n## {title}\n")).nth(1).unwrap_or_else(|| panic!("no {title}: {markdown}"));
    part.split("\n## ").next().expect("a part")
}

#[test]
fn the_verdict_answers_whether_it_can_ship_from_the_goals() {
    let sealed = Sealed::of(demo_bundle());
    let verdict = |goals: Value| {
        sealed.edit("report.json", |report| {
            report["goals"] = goals;
            report["partitions"][3]["outputs"][1]["sqnr_db"] = json!({ "npu": 7.8, "simulated": 8.0 });
            report["partitions"][3]["outputs"][1]["rms_error_percent"]["npu"] = json!(40.9);
        });
        let html = page(&sealed, &["--markdown", "page.md"]);
        (html, plain(&sealed.text("page.md")))
    };
    let name = read_json(&sealed.path("bundle/report.json"))["partitions"][3]["outputs"][1]["name"].clone();
    let name = name.as_str().expect("a name");
    // Without a goal nothing is green; the worst output stands on top and beside the main one all the same.
    let (html, markdown) = verdict(json!({}));
    assert!(!html.contains("verdict well") && markdown.contains("⚠️ Can it ship? Not known: no goal stated"));
    let worst = format!("worst output: language.decode/{name}: 7.8 dB on the NPU, an RMS error of 40.90 %");
    assert!(markdown.contains(&worst), "{worst}: {markdown}");
    let row = format!("| language.decode | {name} | worst | 7.8 dB | ");
    assert!(under(&markdown, "Main and worst output of each partition").contains(&row), "{row}: {markdown}");
    // A goal that is met by figures of the NPU is green, one that is missed red, one that was not measured neither.
    let (html, markdown) = verdict(json!({ "sqnr_db": { "language.decode/*": 5 } }));
    assert!(html.contains("<p class=\"verdict well\">Can it ship? Yes: all "), "{markdown}");
    let (html, markdown) = verdict(json!({ "sqnr_db": { "vision/*": 5, "language.decode/*": 10 } }));
    assert!(html.contains("<p class=\"verdict bad\">Can it ship? No: ") && markdown.contains("❌ Can it ship? No: 1 of "));
    let missed = format!("| **missed** | language.decode/{name} | SQNR | at least 10 dB | **7.8 dB** |");
    assert!(under(&markdown, "Goals").contains(&missed), "{missed}: {markdown}");
    let (html, _) = verdict(json!({ "sqnr_db": { "vision/*": 5 }, "evaluation": { "exact_match_percent": 90 } }));
    assert!(html.contains("<p class=\"verdict unknown\">Can it ship? Not known: 1 of "));
    sealed.edit("manifest.json", |manifest| {
        manifest["stages"].as_array_mut().expect("stages").retain(|stage| stage["name"] != "verify")
    });
    let output = sealed.run(&["report", "bundle"]);
    assert!(output.status.code() == Some(3) && stderr(&output).contains("was never verified"), "{}", stderr(&output));
}

#[test]
fn every_weak_output_leads_to_its_cause_and_its_cause_to_the_layer() {
    let sealed = Sealed::of(demo_bundle());
    measure_layers(&sealed);
    let mut layer = String::new();
    sealed.edit("report.json", |report| {
        let partition = &mut report["partitions"][0];
        layer = partition["layers"][20]["name"].as_str().expect("a name").to_string();
        let step = json!({ "sample": 1 });
        partition["layer_step"] = step.clone();
        partition["weak"] = json!([{ "output": "features", "wanted_db": 90.0, "causes": [{
            "cause": "few-bits", "layer": layer, "op": "Conv", "step": step, "sqnr_db": 61.0, "added_percent": 4.0,
            "others": 2,
        }] }]);
        report["goals"] = json!({ "sqnr_db": { "vision/features": 90 } });
    });
    let html = page(&sealed, &[]);
    assert!(html.contains("<a href=\"#cause-0-0\">") && html.contains("<tr id=\"cause-0-0\">"));
    // Which step each figure is from.
    assert!(html.contains("verification[1]") && html.contains("Layers are measured in one step (vision verification[1])"));
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sealed.path("page.html"), 1280, 900, false);
    browser.click("#cause-0-0 a[href^='#layer-']");
    browser.value("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(browser.value("document.querySelector('#detail h3').textContent"), layer.as_str());
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn comparisons_are_this_against_the_other_and_say_better_or_worse() {
    let sealed = Sealed::of(demo_bundle());
    measure_layers(&sealed);
    sealed.accept_loosened();
    crate::common::copy(&sealed.path("bundle"), &sealed.path("other"));
    sealed.edit("report.json", |report| {
        let by = |partitions: &mut Value, at: usize, by: f64| {
            let db = &mut partitions[at]["outputs"][0]["sqnr_db"]["npu"];
            *db = json!(db.as_f64().expect("a figure") + by);
        };
        let partitions = &mut report["partitions"];
        by(partitions, 0, 1.67);
        by(partitions, 1, 0.5);
        by(partitions, 2, -2.3);
        let layers = partitions[3]["layers"].as_array_mut().expect("layers");
        let most = layers.len() / 2;
        for layer in layers.iter_mut().skip(most) {
            layer["sqnr_db"]["npu"] = json!(layer["sqnr_db"]["npu"].as_f64().expect("a figure") - 10.0);
        }
        let db = report["chain"]["logits_sqnr_db"]["npu"].as_f64().expect("a figure");
        report["chain"]["logits_sqnr_db"]["npu"] = json!(db + 3.0);
    });
    sealed.replace("calibration/recipe.toml", "decode_steps", "# Another comment.\ndecode_steps");
    let args = ["--markdown", "page.md", "--baseline", "quant-baseline.json", "--against", "other"];
    let html = page(&sealed, &args);
    let markdown = plain(&sealed.text("page.md"));
    let outputs = under(&markdown, "Main and worst output of each partition");
    for words in ["better (+1.67 dB)", "same (+0.50 dB)", "worse (-2.30 dB)"] {
        // Against the baseline and against the other bundle.
        assert!(outputs.matches(words).count() >= 2 && html.contains(words), "{words}: {outputs}");
    }
    assert!(html.contains("class=\"number better\"") && html.contains("class=\"number worse\""));
    assert!(under(&markdown, "Whole sequences").contains("better (+3.00 dB)"));
    // The first layer that got worse is named, in the network's order.
    let changed = under(&markdown, "What changed against the other bundle");
    let row = changed.lines().find(|line| line.starts_with("| language.decode | ")).expect(changed);
    let layers = read_json(&sealed.path("bundle/report.json"))["partitions"][3]["layers"].clone();
    let graph = data(&html)["parts"][3]["layers"].clone();
    let computes = |name: &Value| {
        let of_graph = graph.as_array().expect("layers").iter().find(|layer| layer["name"] == *name);
        of_graph.is_some_and(|layer| layer["moves"].is_null())
    };
    let layers = layers.as_array().expect("layers");
    let first = layers.iter().skip(layers.len() / 2).find(|layer| {
        computes(&layer["name"]) && layer["sqnr_db"]["npu"].as_f64().expect("a figure") < 48.0
    });
    let first = first.expect("a layer")["name"].as_str().expect("a name");
    assert!(row.contains(&format!("| {first} | **")), "{first}: {row}");
    assert!(under(&markdown, "Made from and with against the other bundle").contains("calibration/recipe.toml"));
    assert!(html.contains("held against baseline quant-baseline.json and other bundle other"));
    // A baseline of another model.
    sealed.write("wrong.json", &sealed.text("quant-baseline.json").replacen("autoneural-random", "x", 1));
    let output = sealed.run(&["report", "bundle", "--baseline", "wrong.json"]);
    assert!(output.status.code() == Some(3) && stderr(&output).contains("is of another model"), "{}", stderr(&output));
}

#[test]
fn markdown_says_what_the_gate_says() {
    let sealed = Sealed::of(demo_bundle());
    sealed.accept();
    measure_layers(&sealed);
    sealed.edit("report.json", |report| report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"] = json!(20.0));
    let html = page(&sealed, &["--markdown", "page.md", "--baseline", "quant-baseline.json"]);
    let markdown = plain(&sealed.text("page.md"));
    assert!(markdown.contains("❌ Against the baseline quant-baseline.json: worse, 1 check failed"), "{markdown}");
    let first = under(&markdown, "What got worse first");
    assert!(first.contains("- vision: features: ") && first.contains("(sqnr-drop)"), "{first}");
    assert!(html.contains("<p class=\"cause bad\">"));
    assert_eq!(under(&markdown, "Worst layers").lines().filter(|line| line.starts_with("| ")).count(), 11, "{markdown}");
}

#[test]
fn every_report_writes_the_page_and_says_what_it_no_longer_shows() {
    let sealed = Sealed::of(demo_bundle());
    sealed.accept();
    let run = |args: &[&str]| {
        let output = sealed.run(&[&["report", "bundle"], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    run(&["--baseline", "quant-baseline.json"]);
    let held = sealed.text("bundle.html");
    assert!(held.contains("held against baseline quant-baseline.json"));
    // The same again loses nothing, and says nothing.
    assert_eq!(run(&["--baseline", "quant-baseline.json"]).1, "");
    // Markdown alone leaves no page that is older than it.
    std::fs::write(sealed.path("bundle.html"), "an old page").expect("written");
    let (said, warned) = run(&["--baseline", "quant-baseline.json", "--markdown", "page.md"]);
    assert!(said.contains("report: bundle.html (") && said.contains("report: page.md ("), "{said}");
    assert_eq!((warned.as_str(), sealed.text("bundle.html")), ("", held));
    // A page that shows less than the one before says so.
    let (_, warned) = run(&[]);
    assert!(warned.contains("bundle.html: the page that was there was made with --baseline quant-baseline.json"), "{warned}");
    assert!(!sealed.text("bundle.html").contains("held against baseline"));
    assert_eq!(run(&[]).1, "");
    // Standard output that takes Markdown takes nothing else.
    let (said, _) = run(&["--markdown", "/dev/stdout"]);
    assert!(said.starts_with("# autoneural") && !said.contains("report: "), "{said}");
}

#[test]
fn accuracy_that_is_known_elsewhere_is_said() {
    let sealed = Sealed::of(demo_bundle());
    sealed.edit("report.json", |report| report["evaluations"] = crate::gate::evaluation(98.0, 1.01));
    sealed.accept();
    crate::common::copy(&sealed.path("bundle"), &sealed.path("other"));
    let html = page(&sealed, &["--markdown", "page.md"]);
    let of_set = "accuracy: 98.0 % of 100 questions of demo-eval exact (NPU)";
    assert!(plain(&sealed.text("page.md")).contains(of_set), "{}", sealed.text("page.md"));
    assert!(!html.contains("not evaluated"));
    sealed.edit("report.json", |report| report["evaluations"] = json!([]));
    let args = ["--markdown", "page.md", "--baseline", "quant-baseline.json", "--against", "other"];
    page(&sealed, &args);
    let markdown = plain(&sealed.text("page.md"));
    for words in [
        "accuracy: not evaluated",
        "the baseline has 98.0 % exact, 100 of demo-eval",
        "the other bundle has 98.0 % exact, 100 of demo-eval",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    // Answers that an evaluation left are not passed over.
    std::fs::create_dir_all(sealed.path("bundle/.evaluation")).expect("a folder");
    page(&sealed, &["--markdown", "page.md"]);
    let said = "the bundle keeps answers of an earlier evaluation";
    assert!(plain(&sealed.text("page.md")).contains(said), "{}", sealed.text("page.md"));
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
        browser.value("(() => { const box = document.querySelector('input'); box.value = 'MSFA'; box.dispatchEvent(new Event('input')); })()");
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
        // Nothing is wider than the window but what scrolls by itself.
        assert_eq!(browser.value("document.documentElement.scrollWidth <= window.innerWidth"), true, "{width}");
        let paper = browser.value("getComputedStyle(document.body).backgroundColor");
        assert_eq!(paper, if dark { "rgb(13, 17, 23)" } else { "rgb(255, 255, 255)" });
        assert_eq!(browser.complaints, Vec::<String>::new());
    }
}

/// A page with all there can be: layers, a baseline, another bundle, goals that are missed, an evaluation.
fn full_page() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    measure_layers(&sealed);
    sealed.edit("report.json", |report| {
        report["evaluations"] = crate::gate::evaluation(98.0, 1.01);
        report["goals"] = json!({ "sqnr_db": { "*": 45 }, "sequences": { "logits_sqnr_db": 90 } });
    });
    sealed.accept_loosened();
    crate::common::copy(&sealed.path("bundle"), &sealed.path("other"));
    sealed.edit("report.json", |report| {
        for partition in report["partitions"].as_array_mut().expect("partitions") {
            let db = &mut partition["outputs"][0]["sqnr_db"]["npu"];
            *db = json!(db.as_f64().expect("a figure") - 5.0);
        }
    });
    page(&sealed, &["--baseline", "quant-baseline.json", "--against", "other"]);
    sealed
}

#[test]
fn no_column_is_cut_off_and_every_figure_of_the_verdict_is_seen_on_a_telephone() {
    let sealed = full_page();
    let Some(mut browser) = Browser::start() else { return };
    // What is seen of an element ends at the window and at every box around it that scrolls.
    let cut = "[...document.querySelectorAll('td, th, dd, dt')].filter((cell) => cell.checkVisibility()).filter((cell) => {
        const range = document.createRange(); range.selectNodeContents(cell);
        return [...range.getClientRects()].some((box) => box.width > 0 && (box.right > window.innerWidth + 1 || box.left < -1));
    }).map((cell) => cell.textContent)";
    for (width, dark) in [(1400, false), (1400, true), (800, false), (390, false)] {
        browser.open(&sealed.path("page.html"), width, 900, dark);
        browser.value("for (const one of document.querySelectorAll('details')) one.open = true");
        assert_eq!(browser.value("document.documentElement.scrollWidth <= window.innerWidth"), true, "{width}");
        assert_eq!(browser.value(cut), json!([]), "{width}");
        let scrolls = "[...document.querySelectorAll('.wide')].filter((box) => box.querySelector('table'))
            .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent.slice(0, 80))";
        assert_eq!(browser.value(scrolls), json!([]), "{width}");
        // Every SQNR of the verdict, and whether it can ship.
        let figures = "[...document.querySelectorAll('#verdict td')].filter((cell) => cell.textContent.endsWith(' dB'))
            .filter((cell) => { const box = cell.getBoundingClientRect(); return box.width > 0 && box.right <= window.innerWidth; }).length";
        let all = "[...document.querySelectorAll('#verdict td')].filter((cell) => cell.textContent.endsWith(' dB')).length";
        let (seen, all) = (browser.value(figures), browser.value(all));
        assert!(seen == all && all.as_u64().expect("a count") > 20, "{width}: {seen} of {all}");
    }
}

#[test]
fn paper_has_every_part_of_the_page() {
    let sealed = full_page();
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sealed.path("page.html"), 718, 1000, false);
    // What the page makes for paper is there when the browser prints, and gone afterwards.
    browser.value("window.addEventListener('beforeprint', () => { window.charts = document.querySelectorAll('[data-slot=paper] .chart').length; })");
    assert!(browser.print() > 10_000);
    assert_eq!(browser.value("window.charts"), 4);
    assert_eq!(browser.value("document.querySelectorAll('details[open], [data-slot=paper] .chart').length"), 0);
    browser.paper();
    let text = browser.value("document.body.innerText");
    let text = text.as_str().expect("text");
    let report = read_json(&sealed.path("bundle/report.json"));
    for partition in report["partitions"].as_array().expect("partitions") {
        let name = partition["name"].as_str().expect("a name");
        let chart = "[...document.querySelectorAll('[data-slot=paper] .bar strong')].map((name) => name.innerText)";
        assert!(browser.value(chart).as_array().expect("names").contains(&json!(name)), "{name}");
        for output in partition["outputs"].as_array().expect("outputs") {
            assert!(text.contains(output["name"].as_str().expect("a name")), "{output}");
        }
    }
    let rows = browser.value("document.querySelectorAll('[data-slot=paper] tbody tr').length");
    assert!(rows.as_u64().expect("a count") > 30, "{rows}");
    // What is folded on the screen: samples, files, what changed.
    let manifest = read_json(&sealed.path("bundle/manifest.json"));
    for file in manifest["files"].as_array().expect("files") {
        assert!(text.contains(file["sha256"].as_str().expect("a hash")));
    }
    assert!(text.contains("What colour are the eyes of the cat?"));
    for part in ["Verdict", "What changed", "Layers", "Speed", "Size", "Samples", "Provenance", "Picture of the partitions"] {
        assert!(text.contains(part), "{part}");
    }
    // Nothing is wider than the paper, and no table that fits on a page is torn.
    assert_eq!(browser.value("document.documentElement.scrollWidth <= window.innerWidth"), true);
    let torn = "[...document.querySelectorAll('table.few')].every((one) => getComputedStyle(one).breakInside === 'avoid')";
    assert_eq!(browser.value(torn), true);
    // Words are broken at signs of punctuation alone: no piece is narrower than its text.
    let broken = "[...document.querySelectorAll('td')].every((one) => ['normal', 'break-word'].includes(getComputedStyle(one).overflowWrap)
        && getComputedStyle(one).wordBreak === 'normal')";
    assert_eq!(browser.value(broken), true);
    assert_eq!(browser.complaints, Vec::<String>::new());
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
