//! `workflows/Snakefile`: a compilation in shards and an evaluation in slices, by Snakemake on this machine, give what
//! one command gives.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::desk::assert_same;
use crate::common::picky;
use crate::common::{
    GRAPH, RECIPE, WEIGHTS, autoneural, compile_args, copy, demo_bundle, json, root, stderr, stdout, succeed, toolkit,
};

/// A set of questions that is small enough to ask here.
const SET: &str = "calibration/demo-eval";

/// Whether this Python runs what there are wheels of.
fn is_python_too_new() -> bool {
    let code = "import sys; sys.exit(sys.version_info < (3, 14))";
    Command::new("python3").args(["-c", code]).status().is_ok_and(|status| status.success())
}

fn snakemake(folder: &Path, settings: &[String]) -> std::process::Output {
    let path = std::env::var_os("AUTONEURAL_WORKFLOW_PYTHONPATH").map_or(root(".vendor/workflow"), Into::into);
    assert!(path.join("snakemake").is_dir(), "{} has no Snakemake; `make workflow-tools` installs it", path.display());
    let snakefile = root("workflows/Snakefile");
    Command::new("python3")
        .args(["-m", "snakemake", "--cores", "2", "--directory"])
        .arg(folder)
        .arg("--snakefile")
        .arg(snakefile)
        .arg("--config")
        .args(settings)
        .env("PYTHONPATH", path)
        .env("AUTONEURAL_TOOLKIT", toolkit())
        .env("HOME", folder)
        .output()
        .expect("python3 starts")
}

#[test]
fn a_workflow_in_shards_and_slices_gives_what_one_command_gives() {
    if is_python_too_new() {
        // `tools/install_toolkit.sh` says so, too.
        eprintln!("left out: there are no wheels of Snakemake for this Python");
        return;
    }
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("made");
    let path = |relative: &str| root(relative).display().to_string();
    let settings = [
        format!("model={} --weights {} --target sa8295p", path(GRAPH), path(WEIGHTS)),
        format!("calibration={}", path(RECIPE)),
        format!("bundle={}", bundle.display()),
        format!("program={}", env!("CARGO_BIN_EXE_autoneural")),
        format!("set={}", path(SET)),
        "verify=--verify none".into(),
        "eval=--limit 2 --on float,simulated".into(),
        "shards=2".into(),
        "round=2".into(),
    ];
    let output = snakemake(folder.path(), &settings);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let said = format!("{}{}", stdout(&output), stderr(&output));
    for shard in ["shard 1/2: ", "shard 2/2: "] {
        assert!(said.contains(shard), "{shard}:\n{said}");
    }
    assert!((1..=2).all(|slice| folder.path().join(format!("made.slices/{slice}/float.jsonl")).is_file()));
    let whole = folder.path().join("whole");
    let (whole_text, toolkit) = (whole.to_str().unwrap(), toolkit());
    let more = ["--verify", "none", "--toolkit", toolkit.to_str().unwrap(), "-q"];
    succeed(&compile_args(whole_text, &more));
    succeed(&["eval", whole_text, "--set", &path(SET), "--limit", "2", "--on", "float,simulated", more[2], more[3]]);
    let found = json(&bundle.join("report.json"));
    assert_eq!(found["evaluations"].as_array().map(Vec::len), Some(1));
    assert_same(&bundle, &whole);
    // There is nothing left to do.
    let again = snakemake(folder.path(), &settings);
    assert!(
        again.status.success() && format!("{}{}", stdout(&again), stderr(&again)).contains("Nothing to be done"),
        "{}",
        stderr(&again)
    );
}

/// Layers that are measured in shards by Snakemake give what one command gives.
#[test]
fn a_workflow_that_tunes_measures_in_shards() {
    if is_python_too_new() {
        eprintln!("left out: there are no wheels of Snakemake for this Python");
        return;
    }
    let (folder, recipe) = picky::written("rounding = \"gptq\"");
    let goal = ["--goal", "25dB", "--on", "predicted"];
    succeed(&picky::arguments(folder.path(), &recipe, &goal).iter().map(String::as_str).collect::<Vec<_>>());
    let settings = [
        format!("model={} --target sa8295p", folder.path().join("tower.onnx").display()),
        format!("calibration={}", recipe.display()),
        format!("bundle={}", folder.path().join("made").display()),
        format!("program={}", env!("CARGO_BIN_EXE_autoneural")),
        format!("tune={}", goal.join(" ")),
        "shards=2".into(),
    ];
    let output = snakemake(folder.path(), &settings);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!((1..=2).all(|number| folder.path().join(format!("made.measured/{number}/measured.json")).is_file()));
    for name in ["tune.json", "recipe.toml"] {
        let [whole, made] = ["out", "made.tuned"].map(|at| std::fs::read(folder.path().join(at).join(name)).unwrap());
        assert!(whole == made, "{name}");
    }
}

#[test]
fn slices_that_do_not_belong_together_are_refused() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle");
    copy(demo_bundle(), &bundle);
    let eval = |more: &[&str]| {
        let more = more.iter().map(|word| match word.strip_prefix("at:") {
            Some(name) => folder.path().join(name).display().to_string(),
            None => word.to_string(),
        });
        let more: Vec<String> = more.collect();
        let set = root(SET).display().to_string();
        let words = ["eval", bundle.to_str().unwrap(), "--set", &set, "--on", "float", "--limit", "2", "-q"];
        autoneural(&words.into_iter().chain(more.iter().map(String::as_str)).collect::<Vec<_>>())
    };
    let refused = |more: &[&str], wanted: &str| {
        let (output, wanted) = (eval(more), wanted.replace("at:", &format!("{}/", folder.path().display())));
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains(&wanted), "{wanted} in {}", stderr(&output));
    };
    assert!(eval(&["--slice", "2/2", "--part", "at:two"]).status.success());
    assert!(json(&bundle.join("report.json"))["evaluations"].as_array().is_none_or(Vec::is_empty));
    // The same again finds its answers; another slice or set is not put over them.
    let before = std::fs::read(folder.path().join("two/float.jsonl")).unwrap();
    assert!(eval(&["--slice", "2/2", "--part", "at:two"]).status.success());
    assert_eq!(std::fs::read(folder.path().join("two/float.jsonl")).unwrap(), before);
    refused(&["--slice", "1/2", "--part", "at:two"], "at:two: exists, and is not this slice");
    refused(&["--slice", "1/2", "--part", "at:bundle"], "at:bundle: exists, and is not this slice");
    refused(&["--slice", "1/3", "--part", "at:three"], "there are 2 questions, too few for 3 shares");
    refused(&["--join", "at:two"], "slice 1/2 is missing");
    refused(&["--join", "at:two", "at:two"], "is slice 2/2, as ");
    refused(&["--join", "at:bundle"], "at:bundle: is no slice of an evaluation");
    refused(&["--blank", "--join", "at:two"], "at:two: is of another set");
    let list = folder.path().join("two/slice.json");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replace("\"models\": \"", "\"models\": \"0")).unwrap();
    refused(&["--join", "at:two"], "at:two: is of other models");
    std::fs::write(&list, text.replace("2/2", "1/1")).unwrap();
    std::fs::write(folder.path().join("two/float.jsonl"), "{}\n").unwrap();
    refused(&["--join", "at:two"], "at:two/float.jsonl:1: missing field");
}
