//! JUnit, SARIF, Markdown, annotations and JSON say the same.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{HOSTILE, accepted, partition, shift, whole};
use crate::common::{json as read_json, python, stderr, stdout};

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
stated = [int(suites.get(name)) for name in ('failures', 'errors')] + [sum(int(s.get('skipped')) for s in suites)]
print(json.dumps({'cases': len(cases), 'tests': int(suites.get('tests')), 'sums': sums, 'stated': stated,
                  'per': [[int(s.get('tests')), len(s)] for s in suites], 'failed': [c for c in cases if c[2][0][0] == \
                  'failure']}))
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
    });
    let (_, text) = sealed.gate(&["--github"]);
    let sequences = accepted();
    sequences.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -2.0));
    let text = text + &sequences.gate(&["--github"]).1;
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

/// Elements of a report with their attributes and children, as Jenkins' xUnit plugin has them in `junit-10.xsd`
/// (jenkinsci/xunit-plugin, src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd). GitLab's reader and those
/// of GitHub take all of them.
const SCHEMA: &str = "
import sys, re, xml.etree.ElementTree as E
text = lambda needed: ({'message', 'type'}, set(needed), set())
known = {
  'testsuites': ({'name', 'time', 'tests', 'failures', 'errors'}, set(), {'testsuite'}),
  'testsuite': ({'name', 'tests', 'failures', 'errors', 'group', 'time', 'skipped', 'timestamp', 'hostname', 'id', \
  'package',
                 'file', 'log', 'url', 'version'}, {'name', 'tests', 'failures', 'errors'},
                {'testsuite', 'properties', 'testcase', 'system-out', 'system-err'}),
  'testcase': ({'name', 'time', 'classname', 'group'}, {'name'},
               {'skipped', 'error', 'failure', 'rerunFailure', 'rerunError', 'flakyFailure', 'flakyError', \
               'system-out', 'system-err'}),
  'failure': text([]), 'error': text([]), 'skipped': text([]), 'system-out': (set(), set(), set()),
}
time = re.compile(r'(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\\.[0-9]{0,3})?')
def look(node):
    allowed, needed, children = known[node.tag]
    assert set(node.keys()) <= allowed, (node.tag, node.keys())
    assert needed <= set(node.keys()), (node.tag, node.keys())
    assert node.tag == 'testcase' or time.fullmatch(node.get('time', '0')), node.get('time')
    assert node.tag in ('failure', 'error', 'skipped', 'system-out') or not (node.text or '').strip(), node.text
    for child in node:
        assert child.tag in children, (node.tag, child.tag)
        look(child)
for file in sys.argv[1:]:
    root = E.parse(file).getroot()
    assert root.tag == 'testsuites'
    look(root)
    for name in ('tests', 'failures', 'errors'):
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in root), name
print('valid')
";

#[test]
fn junit_is_what_readers_have_in_their_schema() {
    let sealed = whole();
    let mut files = Vec::new();
    let mut judge = |name: &str, status: i32| {
        assert_eq!(sealed.gate(&["--junit", name]).0, status, "{name}");
        files.push(sealed.path(name));
    };
    judge("passed.xml", 0);
    sealed.edit("report.json", |report| {
        partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"] = json!(-3.0);
        partition(report, "vision")["outputs"][0]["name"] = json!(HOSTILE);
    });
    judge("regression.xml", 1);
    sealed.write("quant-baseline.json", "{");
    judge("unjudged.xml", 2);
    assert_eq!(python(SCHEMA, &files).trim(), "valid");
}

/// What is shown in the code has the path from the root of the repository, wherever the gate runs and however the file
/// is named.
#[test]
fn places_are_told_from_the_root_of_the_repository() {
    let sealed = accepted();
    let root = sealed.path("").canonicalize().expect("a folder");
    std::fs::create_dir_all(sealed.path("ci/base lines")).expect("a folder");
    std::fs::rename(sealed.path("quant-baseline.json"), sealed.path("ci/base lines/b.json")).expect("moved");
    sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -2.0));
    let gate = |folder: &str, baseline: &str, workspace: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.arg("gate").arg(root.join("bundle")).args(["--baseline", baseline, "--github", "--sarif"]);
        command.arg(root.join("gate.sarif")).current_dir(root.join(folder)).env_remove("GITHUB_WORKSPACE");
        command.env("SOURCE_DATE_EPOCH", "1781524800").envs(workspace.map(|path| ("GITHUB_WORKSPACE", path)));
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let line = stdout(&output).lines().find(|line| line.starts_with("::error file=")).expect("one").to_string();
        let file = line.strip_prefix("::error file=").and_then(|rest| rest.split(",line=").next()).expect("a file");
        let sarif = read_json(&sealed.path("gate.sarif"))["runs"][0].clone();
        let artifact = &sarif["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
        (file.to_string(), artifact.clone(), sarif["originalUriBaseIds"].clone())
    };
    let absolute = root.join("ci/base lines/b.json").to_str().expect("UTF-8").to_string();
    let named = [
        ("", "ci/base lines/b.json"),
        ("ci/base lines", "b.json"),
        ("bundle", "../ci/base lines/b.json"),
        ("ci", &absolute),
    ];
    // In no repository: as it was named, absolute as a URI.
    let (file, artifact, bases) = gate("ci", "base lines/b.json", None);
    assert_eq!(
        (file.as_str(), artifact, bases),
        ("base lines/b.json", json!({ "uri": "base%20lines/b.json" }), Value::Null)
    );
    let uri = format!("file://{}", absolute.replace(' ', "%20"));
    assert_eq!(gate("ci", &absolute, None).1, json!({ "uri": uri }));
    let from_root = |folder: &str, baseline: &str, workspace: Option<&Path>, wanted: &str, at: &Path| {
        let (file, artifact, bases) = gate(folder, baseline, workspace);
        assert_eq!(file, wanted, "{folder} {baseline}");
        assert_eq!(artifact, json!({ "uri": wanted.replace(' ', "%20"), "uriBaseId": "%SRCROOT%" }));
        assert_eq!(bases, json!({ "%SRCROOT%": { "uri": format!("file://{}/", at.display()) } }));
    };
    named.iter().for_each(|(folder, file)| from_root(folder, file, Some(&root), "ci/base lines/b.json", &root));
    std::fs::create_dir(root.join(".git")).expect("a folder");
    named.iter().for_each(|(folder, file)| from_root(folder, file, None, "ci/base lines/b.json", &root));
    // A worktree or a submodule, whose root has a file of that name.
    std::fs::write(root.join("ci/.git"), "gitdir: elsewhere\n").expect("a file");
    named.iter().for_each(|(folder, file)| from_root(folder, file, None, "base lines/b.json", &root.join("ci")));
}
