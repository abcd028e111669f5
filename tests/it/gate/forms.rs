//! JUnit, SARIF, Markdown, annotations and JSON say the same.

use serde_json::{Value, json};

use super::{HOSTILE, accepted, partition, shift, whole};
use crate::common::{python, stderr, stdout};
use crate::pipeline::json as read_json;

#[test]
fn every_form_says_the_same_and_obeys_nothing() {
    let sealed = whole();
    sealed.edit("report.json", |report| {
        partition(report, "vision")["outputs"][0]["name"] = json!(HOSTILE);
        partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"] = json!(-3.0);
        report["failures"] = json!([HOSTILE]);
    });
    let (status, text) =
        sealed.gate(&["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md", "--github"]);
    assert_eq!(status, 1);
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text:?}");
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert!(!commands.is_empty() && commands.len() <= 20);
    assert!(commands[0].starts_with("::error file=quant-baseline.json,line="), "{commands:?}");
    assert!(commands.iter().any(|line| line.contains("%250A")), "{commands:?}");
    // The annotation of what is gone stands at its partition's line.
    let xml = sealed.text("gate.xml");
    let script = "
import sys, json, xml.etree.ElementTree as E
suites = E.parse(sys.argv[1]).getroot()
cases = [(c.get('classname'), c.get('name'), [(i.tag, i.get('message')) for i in c]) for s in suites for c in s]
sums = [sum(1 for c in cases for i in c[2] if i[0] == tag) for tag in ('failure', 'error', 'skipped')]
stated = [int(suites.get(name)) for name in ('failures', 'errors', 'skipped')]
print(json.dumps({'cases': len(cases), 'tests': int(suites.get('tests')), 'sums': sums, 'stated': stated,
                  'per': [[int(s.get('tests')), len(s)] for s in suites], 'failed': [c for c in cases if c[2][0][0] == 'failure']}))
";
    let made: Value = serde_json::from_str(&python(script, &[sealed.path("gate.xml")])).expect("JSON");
    assert_eq!((&made["cases"], &made["sums"]), (&made["tests"], &made["stated"]));
    assert!(made["per"].as_array().expect("suites").iter().all(|pair| pair[0] == pair[1]));
    assert!(!xml.contains("<img") && !xml.contains("]]>"));
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let checks = value["checks"].as_array().expect("checks");
    let count = |outcome: &str| checks.iter().filter(|check| check["outcome"] == outcome).count();
    assert_eq!((&value["verdict"], &value["exit_status"]), (&json!("regression"), &json!(1)));
    assert_eq!(made["stated"], json!([count("failed"), count("unjudged"), count("skipped")]));
    assert_eq!(made["tests"], json!(checks.len()));
    let sarif: Value = serde_json::from_str(&sealed.text("gate.sarif")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), count("failed") + count("unjudged") + count("warning"));
    let lines = sealed.text("quant-baseline.json").lines().count() as u64;
    for result in results {
        let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "quant-baseline.json");
        assert!((1..=lines).contains(&place["region"]["startLine"].as_u64().expect("a line")));
    }
    let markdown = sealed.text("gate.md");
    assert!(markdown.starts_with("## ❌ Quantization gate: regression\n"), "{markdown}");
    assert!(!markdown.contains("<img") && markdown.contains("&lt;img"), "{markdown}");

    // Nothing to judge: every form says so, too.
    sealed.write("quant-baseline.json", "{");
    let (status, _) = sealed.gate(&["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md"]);
    assert_eq!(status, 2);
    let made: Value = serde_json::from_str(&python(script, &[sealed.path("gate.xml")])).expect("JSON");
    assert_eq!(made["stated"], json!([0, 1, 0]));
    let sarif = read_json(&sealed.path("gate.sarif"));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(sealed.text("gate.md").contains("could not be judged"));
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    let value: Value = serde_json::from_str(&stderr(&output)).expect("JSON");
    assert_eq!((output.status.code(), &value["error"]["exit_status"]), (Some(2), &json!(2)));
}

#[test]
fn annotations_stand_at_their_line() {
    let sealed = accepted();
    sealed.edit("report.json", |report| {
        let outputs = partition(report, "language.decode")["outputs"].as_array_mut().expect("outputs");
        let output = outputs.iter_mut().find(|output| output["name"] == "layers.1.k_new").expect("the output");
        shift(&mut output["sqnr_db"]["npu"], -2.0);
        shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -2.0);
    });
    let (_, text) = sealed.gate(&["--github"]);
    let line_of = |check: &str| -> usize {
        let command = text.lines().find(|line| line.contains(&format!("title={check}"))).expect("an annotation");
        let line = command.split("line=").nth(1).and_then(|rest| rest.split(',').next()).expect("a line");
        line.parse().expect("a number")
    };
    let baseline = sealed.text("quant-baseline.json");
    let lines: Vec<&str> = baseline.lines().collect();
    assert_eq!(lines[line_of("chain-sqnr") - 1], "  \"chain\": {");
    let at = line_of("sqnr-drop");
    assert!(lines[at - 1].trim_start().starts_with("\"layers.1.k_new\": {"), "{}", lines[at - 1]);
    let before = lines[..at].iter().rev().find(|line| line.starts_with("    \"")).expect("a partition");
    assert!(before.starts_with("    \"language.decode\": {"), "{before}");
}
