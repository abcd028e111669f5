//! The ready workflows: their steps are taken as they stand in the files, on the demonstration model and its committed
//! baseline. So the project gates itself.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::{root, stderr, stdout, toolkit};

/// The steps of a workflow for GitHub Actions that run something, by name.
fn github_steps(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut steps = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_prefix("      - name: ") else { continue };
        assert_eq!(lines[at + 1], "        run: |", "the step `{name}`");
        let body = lines[at + 2..].iter().map_while(|line| line.strip_prefix("          "));
        steps.push((name.to_string(), body.collect::<Vec<_>>().join("\n")));
    }
    steps
}

/// The lines of a list in a job for GitLab CI.
fn gitlab_lines(text: &str, list: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim() != format!("{list}:")).skip(1);
    lines.map_while(|line| line.strip_prefix("    - ")).map(str::to_string).collect()
}

/// Settings of a workflow: `NAME: value` with as many spaces before it.
fn settings(text: &str, title: &str, indent: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| line.trim() != title).skip(1);
    let inside = lines.map_while(|line| line.strip_prefix(indent).filter(|rest| !rest.starts_with(' ')));
    inside.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into())).collect()
}

/// A step in a folder in which `autoneural` is the project.
fn step(script: &str, folder: &Path, settings: &[(String, String)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_autoneural")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(folder)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("PATH", path)
        .env("AUTONEURAL_TOOLKIT", toolkit().canonicalize().unwrap())
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .output()
        .unwrap()
}

fn succeeds(name: &str, output: &Output) {
    assert!(output.status.success(), "{name}:\n{}\n{}", stdout(output), stderr(output));
}

#[test]
fn the_steps_of_both_workflows_gate_the_project_itself() {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink(root(".").canonicalize().unwrap(), folder.path().join("autoneural")).unwrap();
    let read = |name: &str| std::fs::read_to_string(root("workflows").join(name)).unwrap();
    let (github, gitlab) = (read("github.yml"), read("gitlab.yml"));
    let env = settings(&github, "env:", "  ");
    assert_eq!(env.len(), 7, "{env:?}");
    let steps = github_steps(&github);
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Install", "Compile", "Report", "Gate"]);
    // What is installed was built for the tests.
    for (name, script) in &steps[1..] {
        succeeds(name, &step(script, folder.path(), &env));
    }
    for made in ["quantization.html", "gate.xml", "gate.sarif", "summary.md", "out/bundle/report.json"] {
        assert!(folder.path().join(made).is_file(), "{made}");
    }
    let variables = settings(&gitlab, "variables:", "    ");
    let shared: Vec<_> = variables.iter().filter(|(name, _)| !name.starts_with("GIT_")).cloned().collect();
    assert_eq!(shared, env, "both workflows have the same settings");
    let script = gitlab_lines(&gitlab, "script");
    assert_eq!(script.len(), 3);
    for line in &script {
        succeeds(line, &step(line, folder.path(), &shared));
    }
    // A worse result ends the same step with the status of a regression.
    let worse = folder.path().join("baseline.json");
    let committed = std::fs::read_to_string(root("calibration/demo-baseline.json")).unwrap();
    let mut facts: serde_json::Value = serde_json::from_str(&committed).unwrap();
    let sqnr = &mut facts["partitions"]["vision"]["outputs"]["features"]["sqnr_db"]["npu"];
    *sqnr = (sqnr.as_f64().unwrap() + 2.0).into();
    std::fs::write(&worse, facts.to_string()).unwrap();
    let mut other = env.clone();
    other.iter_mut().find(|(name, _)| name == "BASELINE").unwrap().1 = "baseline.json".into();
    let output = step(&steps[3].1, folder.path(), &other);
    assert_eq!(output.status.code(), Some(1), "{}\n{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("::error"), "{}", stdout(&output));
    assert!(stdout(&output).contains("vision: features"), "{}", stdout(&output));
}
