//! What the page answers: whether it can ship, why an output is weak, what changed, how accurate it is; and when it is
//! written.

use serde_json::{Value, json};

use super::{data, measure_layers, page};
use crate::browser::Browser;
use crate::common::{demo_bundle, json as read_json, stderr, stdout};
use crate::sealed::Sealed;

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
            report["partitions"][3]["outputs"][1]["sqnr_db"] = json!({ "npu": 1.8, "simulated": 2.0 });
            report["partitions"][3]["outputs"][1]["rms_error_percent"]["npu"] = json!(81.28);
        });
        let html = page(&sealed, &["--markdown", "page.md"]);
        (html, plain(&sealed.text("page.md")))
    };
    let name = read_json(&sealed.path("bundle/report.json"))["partitions"][3]["outputs"][1]["name"].clone();
    let name = name.as_str().expect("a name");
    // Without a goal nothing is green; the worst output stands on top and beside the main one all the same.
    let (html, markdown) = verdict(json!({}));
    assert!(!html.contains("verdict well") && markdown.contains("⚠️ Can it ship? Not known: no goal stated"));
    let worst = format!("worst output: language.decode/{name}: 1.8 dB on the NPU, an RMS error of 81.28 %");
    assert!(markdown.contains(&worst), "{worst}: {markdown}");
    let row = format!("| language.decode | {name} | worst | 1.8 dB | ");
    assert!(under(&markdown, "Main and worst output of each partition").contains(&row), "{row}: {markdown}");
    // A goal that is met by figures of the NPU is green, one that is missed red, one that was not measured neither.
    let (html, markdown) = verdict(json!({ "sqnr_db": { "language.decode/*": 1 } }));
    assert!(html.contains("<p class=\"verdict well\">Can it ship? Yes: all "), "{markdown}");
    let (html, markdown) =
        verdict(json!({ "sqnr_db": { "vision/*": 1, "language.decode/*": 1, "language.decode/layers.0.*": 3 } }));
    assert!(
        html.contains("<p class=\"verdict bad\">Can it ship? No: ") && markdown.contains("❌ Can it ship? No: 1 of ")
    );
    let missed = format!("| **missed** | language.decode/{name} | SQNR | at least 3 dB | **1.8 dB** |");
    assert!(under(&markdown, "Goals").contains(&missed), "{missed}: {markdown}");
    let (html, _) = verdict(json!({ "sqnr_db": { "vision/*": 1 }, "evaluation": { "exact_match_percent": 90 } }));
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
    assert!(
        html.contains("verification[1]") && html.contains("Layers are measured in one step (vision verification[1])")
    );
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&sealed.path("page.html"), 1280, 900, false);
    // A link over two lines has no middle to click on.
    browser.value("document.querySelector(\"#cause-0-0 a[href^='#layer-']\").click()");
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
    let first = layers
        .iter()
        .skip(layers.len() / 2)
        .find(|layer| computes(&layer["name"]) && layer["sqnr_db"]["npu"].as_f64().expect("a figure") < 48.0);
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
    assert_eq!(
        under(&markdown, "Worst layers").lines().filter(|line| line.starts_with("| ")).count(),
        11,
        "{markdown}"
    );
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
    assert!(
        warned.contains("bundle.html: the page that was there was made with --baseline quant-baseline.json"),
        "{warned}"
    );
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
