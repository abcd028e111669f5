//! Notes that were written elsewhere, files that were changed, a bundle that changes underneath.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{CALIBRATE, Desk, EVAL, journal_of};
use crate::common::bench::{Bench, COMPILE, INPUT, names};
use crate::common::tracer::{Action, run};
use crate::common::{copy, files, json, stderr, stdout};

#[test]
fn a_file_that_was_changed_in_place_is_seen_whatever_its_times_say() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    // A stage, so that all files have had a second name.
    assert!(bench.run(&CALIBRATE).status.success());
    assert!(bench.run(&["quantize", "{out/bundle}"]).status.success());
    for name in ["model/language.data", "encodings/vision.json", "model/target.toml"] {
        let path = bench.path("out/bundle").join(name);
        let (before, meta) = (std::fs::read(&path).expect("read"), std::fs::metadata(&path).expect("there"));
        let mut bytes = before.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let times = std::fs::FileTimes::new().set_modified(meta.modified().expect("a time"));
        let put = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            File::options().append(true).open(&path).and_then(|file| file.set_times(times)).expect("set");
        };
        put(&bytes);
        for stage in ["emit", "quantize"] {
            let output = bench.run(&[stage, "{out/bundle}"]);
            assert_eq!(output.status.code(), Some(INPUT), "{name} {stage}");
            let said = stderr(&output);
            assert!(said.contains(name) && said.contains("is not the file that was written"), "{said}");
        }
        put(&before);
    }
    assert!(bench.run(&["emit", "{out/bundle}"]).status.success());
}

/// What was done, by the lines on standard error of a run that is not quiet.
fn said(desk: &Desk, args: &[&str]) -> String {
    // The last argument of a bench's run is -q.
    let output = desk.bench.run_in_shell("set -- \"${@:1:$#-1}\"; exec \"$0\" \"$@\"", args);
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// A bundle moved to another place as an archive does it, and nothing else.
fn as_an_archive(desk: &Desk) {
    let (bundle, spare) = (desk.path("out/bundle"), desk.path("spare"));
    copy(&bundle, &spare);
    std::fs::remove_dir_all(&bundle).expect("removed");
    copy(&spare, &bundle);
    std::fs::remove_dir_all(&spare).expect("removed");
}

#[test]
fn a_ledger_from_elsewhere_proves_nothing() {
    for more in [&[][..], &["--check-contents"]] {
        let desk = Desk::new();
        std::fs::remove_dir_all(desk.path("out/bundle")).expect("removed");
        desk.succeed(&COMPILE);
        let honest = files(&desk.path("out/bundle"));
        assert!(!said(&desk, &COMPILE).contains("done in"), "what was made here is known");
        // Somebody changes a model, and writes into ledger and manifest that it has always been so.
        let model = desk.path("out/bundle/qdq/projector.onnx");
        let mut bytes = std::fs::read(&model).expect("read");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for notes in [".ledger.json", "manifest.json"] {
            let text = desk.bench.read(&format!("out/bundle/{notes}"));
            let was = hash(&std::fs::read(&model).expect("read"));
            assert!(text.contains(&was));
            desk.bench.write(&format!("out/bundle/{notes}"), text.replace(&was, &hash(&bytes)));
        }
        let ledger = desk.bench.read("out/bundle/.ledger.json");
        std::fs::write(&model, &bytes).expect("written");
        as_an_archive(&desk);
        assert_eq!(desk.bench.read("out/bundle/.ledger.json"), ledger);
        let lines = said(&desk, &[&COMPILE[..], more].concat());
        assert!(lines.contains("emit projector: done in") && !lines.contains("unchanged"), "{lines}");
        let made = files(&desk.path("out/bundle"));
        assert!(made["qdq/projector.onnx"] == honest["qdq/projector.onnx"], "the forged file stayed");
        assert!(!said(&desk, &COMPILE).contains("done in"));
    }
}

#[test]
fn work_begun_elsewhere_is_begun_anew() {
    let desk = Desk::new();
    std::fs::rename(desk.path("out/bundle"), desk.path("out/.bundle.work")).expect("moved");
    std::fs::create_dir(desk.path("outside")).expect("a folder");
    std::fs::remove_dir_all(desk.path("out/.bundle.work/model")).expect("removed");
    symlink(desk.path("outside"), desk.path("out/.bundle.work/model")).expect("a link");
    let lines = said(&desk, &COMPILE);
    assert!(!lines.contains("unchanged"), "{lines}");
    assert_eq!(names(&desk.path("outside")), Vec::<String>::new(), "nothing is written through a link");
    assert_eq!(names(&desk.path("out")), ["bundle"]);
}

#[test]
fn answers_from_elsewhere_are_asked_again() {
    let desk = Desk::new();
    let eval = [&EVAL[..], &["--json"]].concat();
    let honest: Value = serde_json::from_str(&stdout(&desk.succeed(&eval))).expect("JSON");
    let journal = journal_of(&desk);
    let path = journal.join("float.jsonl");
    let lines = std::fs::read_to_string(&path).expect("the journal");
    let mut line: Value = serde_json::from_str(&lines).expect("a line");
    assert_eq!(line["record"]["exact"], false, "{line}");
    line["record"]["exact"] = true.into();
    std::fs::write(&path, format!("{line}\n")).expect("written");
    as_an_archive(&desk);
    let again: Value = serde_json::from_str(&stdout(&desk.succeed(&eval))).expect("JSON");
    assert_eq!(again, honest);

    // What was answered here stays true when the report is made again; what is from elsewhere does not come into it.
    let verify = ["verify", "{out/bundle}", "--calibration", "{recipe/recipe.toml}", "--toolkit", "{empty}"];
    let evaluations = || json(&desk.path("out/bundle/report.json"))["evaluations"].as_array().map_or(0, Vec::len);
    desk.succeed(&verify);
    assert_eq!(evaluations(), 1);
    as_an_archive(&desk);
    desk.succeed(&verify);
    assert_eq!(evaluations(), 0);
}

#[test]
fn a_bundle_that_changes_underneath_is_noticed() {
    let desk = Desk::new();
    // Another run holds the lock.
    let lock = File::create(desk.path("out/.bundle.lock")).expect("created");
    lock.lock().expect("locked");
    for args in [&EVAL[..], &CALIBRATE, &COMPILE] {
        desk.refuse("locked", args, &["is being made by another run", "help: wait"]);
    }
    desk.succeed(&["inspect", "{out/bundle}"]);
    drop(lock);

    // Somebody who knows no locks puts another bundle there while questions are asked.
    let other = Desk::new();
    let before = files(&other.path("out/bundle"));
    for args in [&EVAL[..], &CALIBRATE] {
        let (mut struck, bundle) = (false, desk.path("out/bundle"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.args(args.iter().map(|arg| desk.bench.expand(arg)));
        let begins = if args[0] == "eval" { "float.jsonl" } else { ".images.json" };
        let outcome = run(command, &mut |event| {
            if !struck && event.paths.iter().any(|path| path.to_string_lossy().contains(begins)) && event.writes() {
                struck = true;
                std::fs::remove_dir_all(&bundle).expect("removed");
                copy(&other.path("out/bundle"), &bundle);
            }
            Action::Go
        });
        assert!(struck, "{args:?} writes no {begins}: {}", outcome.stderr);
        assert!(!outcome.status.success(), "{args:?}: {}", outcome.stderr);
        assert!(files(&desk.path("out/bundle")) == before, "{args:?} wrote into a bundle that is another one");
        desk.succeed(&["inspect", "{out/bundle}"]);
    }
}
