//! The page on large and small screens, and on paper.

use serde_json::json;

use super::{measure_layers, page};
use crate::browser::Browser;
use crate::common::{demo_bundle, json as read_json};
use crate::sealed::Sealed;

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
    let cut =
        "[...document.querySelectorAll('td, th, dd, dt')].filter((cell) => cell.checkVisibility()).filter((cell) \
             => {
        const range = document.createRange(); range.selectNodeContents(cell);
        return [...range.getClientRects()].some((box) => box.width > 0 && (box.right > window.innerWidth + 1 || \
        box.left < -1));
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
            .filter((cell) => { const box = cell.getBoundingClientRect(); return box.width > 0 && box.right <= \
            window.innerWidth; }).length";
        let all =
            "[...document.querySelectorAll('#verdict td')].filter((cell) => cell.textContent.endsWith(' dB')).length";
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
    browser.value(
        "window.addEventListener('beforeprint', () => { window.charts = \
             document.querySelectorAll('[data-slot=paper] .chart').length; })",
    );
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
    for part in
        ["Verdict", "What changed", "Layers", "Speed", "Size", "Samples", "Provenance", "Picture of the partitions"]
    {
        assert!(text.contains(part), "{part}");
    }
    // Nothing is wider than the paper, and no table that fits on a page is torn.
    assert_eq!(browser.value("document.documentElement.scrollWidth <= window.innerWidth"), true);
    let torn =
        "[...document.querySelectorAll('table.few')].every((one) => getComputedStyle(one).breakInside === 'avoid')";
    assert_eq!(browser.value(torn), true);
    // Words are broken at signs of punctuation alone: no piece is narrower than its text.
    let broken = "[...document.querySelectorAll('td')].every((one) => ['normal', \
             'break-word'].includes(getComputedStyle(one).overflowWrap)
        && getComputedStyle(one).wordBreak === 'normal')";
    assert_eq!(browser.value(broken), true);
    assert_eq!(browser.complaints, Vec::<String>::new());
}
