//! Outputs, disks, pipes, the vendor toolkit, and errors as JSON.

use std::path::Path;
use std::process::Output;

use crate::common::bench::{Bench, COMPILE, EXPORT, INPUT, OS, TOOLKIT, USAGE, names};
use crate::common::{stderr, stdout};

#[test]
fn an_output_that_exists_is_not_touched() {
    let bench = Bench::new();
    let forced = [&EXPORT[..], &["--force"]].concat();
    std::fs::create_dir(bench.path("out/bundle")).expect("a folder");
    bench.write("out/bundle/diary.txt", "mine");
    for (case, args, word) in [
        ("exists", &EXPORT[..], "exists already"),
        ("no bundle", &forced, "is no bundle"),
        ("nothing to update", &COMPILE, "is no bundle"),
    ] {
        let output = bench.run(args);
        assert_eq!(output.status.code(), Some(INPUT), "{case}");
        assert!(stderr(&output).contains("out/bundle: exists"), "{case}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{case}: {}", stderr(&output));
        assert_eq!(bench.read("out/bundle/diary.txt"), "mine", "{case}");
        assert_eq!(names(&bench.path("out")), ["bundle"], "{case}");
    }
    std::fs::remove_dir_all(bench.path("out/bundle")).expect("the folder");
    bench.write("out/bundle", "a file");
    let output = bench.run(&forced);
    assert_eq!((output.status.code(), bench.read("out/bundle").as_str()), (Some(INPUT), "a file"));
}

#[test]
fn force_replaces_a_bundle_only_by_a_whole_one() {
    let bench = Bench::new();
    let forced = [&EXPORT[..], &["--force"]].concat();
    assert!(bench.export().status.success());
    let before = bench.read("out/bundle/manifest.json");
    let definition = bench.read("graph.toml");
    bench.edit("graph.toml", "prefill = 32", "prefill = 0");
    assert_eq!(bench.run(&forced).status.code(), Some(INPUT));
    assert_eq!(bench.read("out/bundle/manifest.json"), before, "a failed run changes nothing");
    assert_eq!(names(&bench.path("out")), ["bundle"]);
    bench.write("graph.toml", definition.replace("prefill = 32", "prefill = 16"));
    assert!(bench.run(&forced).status.success());
    assert!(bench.read("out/bundle/model/definition.toml").contains("prefill = 16"), "a good run replaces it");
    assert_eq!(names(&bench.path("out")), ["bundle"]);
}

#[test]
fn what_a_killed_run_left_does_no_harm() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("out/.bundle.work/.making-export-vision")).expect("a folder");
    bench.write("out/.bundle.work/.making-export-vision/x", "left");
    bench.write("out/.bundle.work/.ledger.json", "{ cut off");
    bench.write("out/.bundle.lock", "1\n");
    let output = bench.run(&EXPORT);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(&bench.path("out")), ["bundle"]);
    assert_eq!(names(&bench.path("out/bundle")), [".ledger.json", "manifest.json", "model"]);
    std::fs::create_dir_all(bench.path("out/.bundle.stage/calibration")).expect("a folder");
    bench.write("out/.bundle.stage/calibration/x", "left");
    bench.write("out/bundle/manifest.json.partial", "{");
    let calibrate = ["calibrate", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
    assert!(bench.run(&calibrate).status.success());
    assert_eq!(names(&bench.path("out")), ["bundle"]);
    assert!(!bench.read("out/bundle/manifest.json").contains("partial"), "leftovers are no part of the bundle");
    assert!(bench.run(&["quantize", "{out/bundle}"]).status.success(), "the bundle can be opened again");
    // The old bundle was moved aside, the new one did not come: the old one is put back.
    std::fs::rename(bench.path("out/bundle"), bench.path("out/.bundle.replaced")).expect("moved");
    let output = bench.compile();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(&bench.path("out")), ["bundle"]);
    // And where the new one did, the old one goes.
    std::fs::create_dir(bench.path("out/.bundle.replaced")).expect("a folder");
    bench.write("out/.bundle.replaced/x", "left");
    let output = bench.run(&[&EXPORT[..], &["--force"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(&bench.path("out")), ["bundle"]);
}

#[test]
fn files_that_are_nothing_known_are_not_inspected() {
    let bench = Bench::new();
    for (file, contents, word) in [
        ("notes.txt", "hello", "is no kind of file that is known"),
        ("model.onnx", "\u{1}\u{2}hello", "is no ONNX model"),
        ("empty.onnx", "", "it has no graph"),
        ("alone.bin", "hello", "no context model beside it"),
        ("empty", "", "holds no .safetensors file"),
    ] {
        if file != "empty" {
            bench.write(file, contents);
        }
        let output = bench.run(&["inspect", &format!("{{{file}}}")]);
        bench.expect(file, &output, INPUT, &[file, word]);
    }
}

/// A tiny file system at `out`, where this user may make one.
struct Tmpfs<'a>(&'a Bench);

impl<'a> Tmpfs<'a> {
    fn mount(bench: &'a Bench, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(bench.path("out"));
        mount.output().is_ok_and(|output| output.status.success()).then_some(Tmpfs(bench))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path("out")).output();
    }
}

#[test]
fn a_full_disk_leaves_no_bundle() {
    let bench = Bench::new();
    // Every user may limit the size of files: each limit stops the work at another place.
    for blocks in [0, 1, 8, 100, 1000, 3000] {
        let case = format!("files of at most {blocks} KiB");
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = bench.run_in_shell(&line, &COMPILE);
        bench.expect_full(&case, &output, "File too large");
    }
    // And where this user may mount one, a disk that is really full.
    for size in ["16k", "300k", "3m", "6m"] {
        if let Some(disk) = Tmpfs::mount(&bench, size) {
            let output = bench.compile();
            bench.expect_full(&format!("a disk of {size}"), &output, "No space left on device");
            drop(disk);
        }
    }
    assert!(bench.compile().status.success(), "with space it works");
}

impl Bench {
    /// The name of the file is that of the folder in which the bundle was being made.
    fn expect_full(&self, case: &str, output: &Output, word: &str) {
        let text = stderr(output);
        assert_eq!(output.status.code(), Some(OS), "{case}: {text}");
        assert!(text.starts_with("error: ") && text.contains(word), "{case}: {text}");
        assert!(text.contains("help: free some space"), "{case}: {text}");
        self.expect_no_bundle(case);
    }
}

#[test]
fn a_disk_that_fills_in_a_later_stage_leaves_the_bundle_as_it_was() {
    let bench = Bench::new();
    assert!(bench.export().status.success());
    let before = bench.read("out/bundle/manifest.json");
    let calibrate = ["calibrate", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
    for blocks in [0, 1, 4] {
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = bench.run_in_shell(&line, &calibrate);
        assert_eq!(output.status.code(), Some(OS), "{blocks} KiB: {}", stderr(&output));
        assert_eq!(bench.read("out/bundle/manifest.json"), before, "{blocks} KiB");
        assert_eq!(names(&bench.path("out/bundle")), [".ledger.json", "manifest.json", "model"], "{blocks} KiB");
        assert_eq!(names(&bench.path("out")), ["bundle"], "{blocks} KiB");
    }
    assert!(bench.run(&calibrate).status.success(), "with space it works");
}

#[test]
fn folders_that_may_not_be_written_are_an_error_of_the_system() {
    let bench = Bench::new();
    bench.write("file", "");
    let with = |out: &'static str| {
        let mut args = EXPORT;
        args[7] = out;
        bench.run(&args)
    };
    bench.expect("below a file", &with("{file/bundle}"), OS, &["file"]);
    bench.expect("below the system's", &with("/proc/nobody/bundle"), OS, &["/proc"]);
    bench.expect("no name", &with("{out}/.."), INPUT, &["exists already"]);
}

#[test]
fn closed_and_full_outputs_are_no_panic() {
    let bench = Bench::new();
    let inspect = ["inspect", "{weights}", "--json"];
    let quietly = |case: &str, line: &str, args: &[&str], status: i32| {
        let output = bench.run_in_shell(line, args);
        assert_eq!(output.status.code(), Some(status), "{case}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{case}: {}", stderr(&output));
        output
    };
    let first = "\"$0\" \"$@\" | head -c 1; exit ${PIPESTATUS[0]}";
    assert_eq!(stdout(&quietly("a reader that leaves", first, &inspect, 0)), "{");
    quietly("closed", "exec \"$0\" \"$@\" >&-", &inspect, 0);
    let full = quietly("full", "exec \"$0\" \"$@\" > /dev/full", &inspect, OS);
    assert!(
        stderr(&full).contains("\"standard output\"") && stderr(&full).contains("No space left"),
        "{}",
        stderr(&full)
    );
    let wrong = ["inspect", "{nowhere}"];
    quietly("errors to a full disk", "exec \"$0\" \"$@\" 2> /dev/full", &wrong, INPUT);
    quietly("errors to nobody", "exec \"$0\" \"$@\" 2>&-", &wrong, INPUT);
    let gone = "\"$0\" \"$@\" 2>&1 >&3 3>&- | true; exit ${PIPESTATUS[0]}";
    quietly("errors to a reader that left", &format!("exec 3>&1; {gone}"), &wrong, INPUT);
    // Progress too, which -q would hide.
    quietly("progress to a full disk", "set -- \"${@:1:$#-1}\"; exec \"$0\" \"$@\" 2> /dev/full", &COMPILE, 0);
}

#[test]
fn a_toolkit_that_does_not_load_is_an_error_of_its_own() {
    let bench = Bench::new();
    let required = [&COMPILE[..], &["--require-npu"]].concat();
    let words = ["toolkit: onnxruntime", "onnxruntime-qnn", "is missing", "help: `make toolkit` installs it"];
    bench.expect("nothing there", &bench.run(&required), TOOLKIT, &words);
    let library = "empty/onnxruntime/capi/libonnxruntime.so.1";
    std::fs::create_dir_all(bench.path(library).parent().expect("a folder")).expect("a folder");
    let program = std::fs::read(env!("CARGO_BIN_EXE_autoneural")).expect("the program");
    for (case, bytes) in [
        ("empty", &[][..]),
        ("text", b"This is no library; it is a text of more than the sixty-four bytes of a header."),
        // A whole ELF file, cut off: the loader would map pages that are not there.
        ("header alone", &program[..64]),
        ("cut off", &program[..program.len() / 2]),
        ("no library", &program),
    ] {
        bench.write(library, bytes);
        bench.expect(case, &bench.compile(), TOOLKIT, &["libonnxruntime.so.1", "does not load", "help: "]);
    }
    let doctor = bench.run(&["doctor", "--json", "--toolkit", "{empty}"]);
    assert!(doctor.status.success() && stdout(&doctor).contains("does not load"), "{}", stdout(&doctor));
}

#[test]
fn errors_as_json_are_one_object() {
    let bench = Bench::new();
    let json = |args: &[&str]| {
        let output = bench.run(&[args, &["--json"]].concat());
        assert_eq!(stdout(&output), "", "results only on standard output");
        let value: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("one JSON object");
        assert_eq!(value["error"]["exit_status"].as_i64(), output.status.code().map(i64::from));
        value["error"].clone()
    };
    let target = json(&["export", "{graph.toml}", "--weights", "{weights}", "--target", "x", "--out", "{out/bundle}"]);
    assert_eq!((target["kind"].as_str(), target["place"].as_str()), (Some("input"), Some("target `x`")));
    assert_eq!(target["message"], "is not known");
    assert!(target["help"].as_str().is_some_and(|help| help.contains("sa8295p")));
    let io = json(&["inspect", "{nowhere}"]);
    assert_eq!((io["kind"].as_str(), io["exit_status"].as_i64()), (Some("input"), Some(3)));
    assert!(Path::new(io["place"].as_str().expect("a place")).ends_with("nowhere"));
    assert_eq!(json(&[&COMPILE[..], &["--require-npu"]].concat())["kind"], "toolkit");
}

#[test]
fn wrong_usage_has_its_own_status() {
    let bench = Bench::new();
    for (case, args) in [
        ("no command", vec![]),
        ("unknown command", vec!["frobnicate"]),
        ("unknown option", vec!["doctor", "--frobnicate"]),
        ("missing option", vec!["export", "{graph.toml}"]),
        ("a difference that is no number", [&COMPILE[..], &["--max-difference", "nan"]].concat()),
        ("a negative difference", [&COMPILE[..], &["--max-difference=-1"]].concat()),
    ] {
        let output = bench.run(&args);
        assert_eq!(output.status.code(), Some(USAGE), "{case}: {}", stderr(&output));
        assert_eq!(names(&bench.path("out")), Vec::<String>::new(), "{case}");
    }
}
