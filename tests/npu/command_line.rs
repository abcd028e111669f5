//! Examples of the help texts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::{demo_bundle, root, stderr, succeed};

/// The examples of a command, as words.
fn examples(command: &str) -> Vec<Vec<String>> {
    let said = succeed(&[command, "-h"]);
    let whole = said.replace("\\\n", " ");
    let lines = whole.lines().filter(|line| line.starts_with("  autoneural "));
    lines.map(|line| shlex::split(line).expect("a command line")).collect()
}

/// Examples on files that are here, in a folder from which they are reached as in the project.
#[test]
fn examples_work_as_they_stand() {
    let folder = TempDir::new().expect("a folder");
    for name in ["graphs", "models", "calibration", "targets"] {
        std::os::unix::fs::symlink(root(name), folder.path().join(name)).expect("a link");
    }
    std::fs::create_dir(folder.path().join("out")).expect("a folder");
    crate::common::copy(demo_bundle(), &folder.path().join("out/demo"));
    let mut run = BTreeMap::new();
    // `gate` needs the baseline that its first example writes, `report` then compares with it.
    for command in ["inspect", "graph", "gate", "report", "target", "doctor", "completions"] {
        for words in examples(command) {
            let needs_more = words.iter().any(|word| {
                ["out/old", "check", "--sarif", "--github", "--toolkit", "--baseline", "vision/"]
                    .contains(&word.as_str())
                    && !(command == "gate" && words.contains(&"--update".to_string()))
            });
            if needs_more {
                continue;
            }
            let words: Vec<&str> = words[1..].iter().map(String::as_str).take_while(|word| *word != ">").collect();
            let output = in_folder(folder.path(), &words);
            assert!(output.status.success(), "{words:?}: {}", stderr(&output));
            *run.entry(command).or_insert(0) += 1;
        }
    }
    assert!(run["inspect"] >= 4 && run["graph"] >= 2 && run["gate"] >= 2 && run["completions"] == 3, "{run:?}");
}

fn in_folder(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    command.args(words).current_dir(folder).output().expect("the program starts")
}
