//! `autoneural demo`: a first run, in an empty folder.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::bench::{INPUT, USAGE};
use crate::common::{stderr, stdout, toolkit};

/// An empty folder, and one without a toolkit beside it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place { folder: TempDir::new().unwrap() };
        ["here", "empty", "bin"].iter().for_each(|name| std::fs::create_dir(place.path(name)).unwrap());
        place
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.arg("demo").args(args).current_dir(self.path("here"));
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "COLUMNS"] {
            command.env_remove(name);
        }
        command
    }

    fn demo(&self, args: &[&str]) -> Output {
        self.command(args).env("AUTONEURAL_TOOLKIT", toolkit().canonicalize().unwrap()).output().expect("it starts")
    }

    fn without_toolkit(&self, args: &[&str]) -> Output {
        let empty = self.path("empty");
        self.command(&[args, &["--toolkit", empty.to_str().unwrap()]].concat()).output().expect("it starts")
    }

    /// Runs commands that are to be tried next, as a user who pastes them.
    fn try_next(&self, commands: &[String]) {
        for line in commands {
            let mut command = Command::new("bash");
            command.args(["-c", line]).current_dir(self.path("here")).stdin(std::process::Stdio::null());
            let output = command.env("AUTONEURAL_TOOLKIT", toolkit().canonicalize().unwrap()).output().unwrap();
            assert!(output.status.success(), "{line}\n{}{}", stdout(&output), stderr(&output));
        }
    }
}

/// Lines that the text offers, to be copied.
fn offered(said: &str) -> Vec<String> {
    let rest = said.lines().skip_while(|line| !line.contains("What to try next")).skip(1);
    rest.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with('#')).map(String::from).collect()
}

fn expect(output: &Output, status: i32, words: &[&str]) {
    let said = stdout(output) + &stderr(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no `{word}` in {said}"));
}

#[test]
fn it_compiles_answers_and_offers_commands_that_work() {
    let place = Place::new();
    // A name that a shell takes apart.
    let (out, quoted) = ("it's my demo", "\"it's my demo/bundle\"");
    let output = place.demo(&["--out", out]);
    let said = stdout(&output);
    expect(&output, 0, &["weakest output", "bundle: it's my demo/bundle", "report: it's my demo/bundle.html", quoted]);
    for engine in ["float", "simulated", "npu"] {
        assert!(said.contains(&format!("{engine}:\nDoor.\n")), "{said}");
    }
    for made in ["README.md", "model/definition.toml", "calibration/recipe.toml", "baseline.json", "bundle/report.json"]
    {
        assert!(place.path("here").join(out).join(made).is_file(), "{made}");
    }
    // The page has the baseline's verdict, and layers.
    let page = std::fs::read_to_string(place.path("here").join(out).join("bundle.html")).unwrap();
    assert!(page.contains("baseline.json"), "the page is held against the baseline");
    let report: Value =
        serde_json::from_slice(&std::fs::read(place.path("here").join(out).join("bundle/report.json")).unwrap())
            .unwrap();
    assert!(report["partitions"].as_array().unwrap().iter().all(|one| !one["layers"].is_null()), "no layers");
    let commands = offered(&said);
    assert!((4..=6).contains(&commands.len()), "{commands:?}");
    place.try_next(&commands);

    // Again: what is unchanged is reused, and what the user changed stays.
    let readme = place.path("here").join(out).join("README.md");
    std::fs::write(&readme, "mine").unwrap();
    let output = place.demo(&["--out", out, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "one JSON object and nothing else");
    let made: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(made["files"]["written"], 0);
    assert_eq!(made["files"]["changed_by_user"], serde_json::json!(["README.md"]));
    assert_eq!(std::fs::read_to_string(&readme).unwrap(), "mine");
    assert_eq!(made["bundle"], "it's my demo/bundle");
    assert_eq!(made["missing"], Value::Null);
    assert!(made["compile"]["partitions"].as_array().unwrap().len() == 4);
    let answers = made["run"]["answers"].as_array().unwrap();
    let texts: Vec<(&str, &str)> =
        answers.iter().map(|one| (one["engine"].as_str().unwrap(), one["text"].as_str().unwrap())).collect();
    assert_eq!(texts, [("float", "Door."), ("simulated", "Door."), ("npu", "Door.")]);
    let next: Vec<&str> = made["next"].as_array().unwrap().iter().map(|one| one["command"].as_str().unwrap()).collect();
    assert_eq!(next, commands);
    let output = place.demo(&["--out", out]);
    expect(&output, 0, &["is up to date", "its files are there", "README.md was changed and is used as it is"]);
}

#[test]
fn without_the_toolkit_the_float_model_answers_and_it_is_said_what_is_missing() {
    let place = Place::new();
    let output = place.without_toolkit(&[]);
    let missing = "onnxruntime 1.31.1 and onnxruntime-qnn 2.7.0";
    let first = format!("{missing} is missing, so there will be no context binaries");
    expect(&output, 0, &[&first, "`make toolkit`", "\nDoor.\n", "What to try next"]);
    let last = stdout(&output).lines().last().unwrap().to_string();
    assert!(last.contains(missing) && last.contains("make toolkit"), "{last}");
    let commands = offered(&stdout(&output));
    assert!((4..=6).contains(&commands.len()), "{commands:?}");
    let empty = place.path("empty");
    assert!(commands.iter().all(|line| line.contains(&format!("--toolkit {}", empty.display()))), "{commands:?}");
    place.try_next(&commands);

    // Only answers with -q.
    let output = place.without_toolkit(&["-q"]);
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("Door.\n", ""));

    // The page goes to the user's browser where there is one.
    let page = "open autoneural-demo/bundle.html in a browser";
    expect(&place.without_toolkit(&["--open"]), 0, &["there is no display here", page]);
    let empty = place.path("empty");
    let with_display = |path: &Path| {
        let mut command = place.command(&["--open", "--toolkit", empty.to_str().unwrap()]);
        command.env("DISPLAY", ":0").env("PATH", path).output().expect("it starts")
    };
    expect(&with_display(&empty), 0, &["xdg-open is not installed", page]);
    let opener = place.path("bin/xdg-open");
    let script =
        format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new'\n/bin/mv '{0}.new' '{0}'\n", place.path("opened").display());
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = with_display(&place.path("bin"));
    assert!(output.status.success() && !stderr(&output).contains("in a browser"), "{}", stderr(&output));
    // The browser is not waited for, so here it is.
    let opened = (0..600).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::read_to_string(place.path("opened")).ok()
    });
    assert_eq!(opened.as_deref(), Some("./autoneural-demo/bundle.html"));

    // A step that fails says why, and ends the command with its status.
    std::fs::write(place.path("here/autoneural-demo/calibration/recipe.toml"), "schema = 1\nnonsense").unwrap();
    let output = place.without_toolkit(&[]);
    expect(&output, INPUT, &["error: autoneural-demo/calibration/recipe.toml:2"]);
    assert!(!stdout(&output).contains("What to try next"), "{}", stdout(&output));
    let output = place.without_toolkit(&["--json"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(INPUT), ""));
    let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(error["error"]["exit_status"], INPUT);
}

#[test]
fn a_folder_of_others_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("here/mine")).unwrap();
    std::fs::write(place.path("here/mine/text"), "mine").unwrap();
    expect(
        &place.without_toolkit(&["--out", "mine"]),
        INPUT,
        &["mine: holds files that are not of a demonstration", "--out"],
    );
    assert_eq!(std::fs::read_dir(place.path("here/mine")).unwrap().count(), 1);
    expect(&place.without_toolkit(&["--out", "mine/text"]), INPUT, &["mine/text: exists and is no folder"]);
    expect(&place.without_toolkit(&["--out", "a\nb"]), INPUT, &["has characters that cannot be typed", "--out"]);
    expect(&place.without_toolkit(&["--out", ""]), USAGE, &["--out"]);
    assert_eq!(std::fs::read_dir(place.path("here")).unwrap().count(), 1, "nothing else was made");
}
