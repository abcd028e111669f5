//! Runs that are killed, and disks that fill, at every call that changes something: a bundle is whole before and after,
//! a file is the old one or the new one, and the next run ends with the same bytes as if nothing had happened.
//!
//! The points are counted by the calls of a run ([`tracer`](crate::tracer)), so no test depends on a clock. Of long
//! runs a part of the points is taken, spread over all of them; AUTONEURAL_CRASH_POINTS=3 takes three times as many.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::bench::{Bench, COMPILE, EXPORT, OS, names};
use crate::common::tracer::{Action, Outcome, run};
use crate::common::{GOLDEN, copy, files, json, root};

/// What happens at a point of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    Kill,
    Full,
}

/// A folder with a bundle and everything that commands read, and a copy of it as it was.
struct Ground {
    bench: Bench,
    spare: tempfile::TempDir,
}

impl Ground {
    /// With what these commands make, one after the other.
    fn after(commands: &[&[&str]]) -> Self {
        let bench = Bench::new();
        std::fs::create_dir(bench.path("set")).expect("a folder");
        std::fs::copy(root(&format!("{GOLDEN}/photo.png")), bench.path("set/photo.png")).expect("a photo");
        let question = r#"{"use": "u", "images": ["photo.png"], "question": "Who?", "answer": "Me."}"#;
        bench.write("set/questions.jsonl", format!("{question}\n{}\n", question.replace("Who?", "Why?")));
        for command in commands {
            assert!(bench.run(command).status.success(), "{command:?}");
        }
        let ground = Ground { bench, spare: tempfile::tempdir().expect("a folder") };
        copy(&ground.out(), &ground.spare.path().join("out"));
        ground
    }

    fn out(&self) -> PathBuf {
        self.bench.path("out")
    }

    fn bundle(&self) -> PathBuf {
        self.bench.path("out/bundle")
    }

    /// Puts everything back as it was at first.
    fn reset(&self) {
        std::fs::remove_dir_all(self.out()).expect("removed");
        copy(&self.spare.path().join("out"), &self.out());
    }

    /// Runs a command with a blow at its `point`-th call that changes something in the output's folder. How many such
    /// calls there were, and what became of it.
    fn strike(&self, args: &[&str], point: usize, blow: Blow) -> (usize, Outcome) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.args(args.iter().map(|arg| self.bench.expand(arg))).arg("-q").current_dir(self.bench.path("."));
        let (out, mut count) = (self.out().canonicalize().expect("the folder"), 0);
        let outcome = run(command, &mut |event| {
            if !event.changes(&out) {
                return Action::Go;
            }
            count += 1;
            match blow {
                Blow::Kill if count == point => Action::Kill,
                // What is full stays full, but for what makes room.
                Blow::Full if count >= point && !event.call.starts_with("unlink") && event.call != "rmdir" => {
                    Action::Fail(libc::ENOSPC)
                }
                _ => Action::Go,
            }
        });
        (count, outcome)
    }

    /// A blow at the points of a command, every one of them or spread; `check` looks at what is left, and then the
    /// command is run again and must make what it makes undisturbed.
    fn strike_all(&self, args: &[&str], most: usize, check: &dyn Fn(&str, Blow, &Outcome)) {
        self.reset();
        let (count, whole) = self.strike(args, usize::MAX, Blow::Kill);
        assert!(whole.status.success(), "{args:?}: {}{}", whole.stdout, whole.stderr);
        assert!(count > 3, "{args:?}: {count} calls are told of");
        let (wanted, left) = (self.results(), names(&self.out()));
        let more = std::env::var("AUTONEURAL_CRASH_POINTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        let most = most.saturating_mul(more);
        for blow in [Blow::Kill, Blow::Full] {
            for point in spread(count, most) {
                let case = format!("{args:?}: {blow:?} at {point} of {count}");
                self.reset();
                let (reached, outcome) = self.strike(args, point, blow);
                // Two threads may take turns otherwise, and a call less is made.
                assert!(reached + 5 > point, "{case}: {reached} calls");
                println!("{case}");
                if reached >= point {
                    check(&case, blow, &outcome);
                }
                let (_, again) = self.strike(args, usize::MAX, Blow::Kill);
                assert!(again.status.success(), "{case}: again: {}", again.stderr);
                assert_eq!(names(&self.out()), left, "{case}: something is left");
                let made = self.results();
                assert_eq!(made.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{case}");
                for (name, bytes) in &wanted {
                    assert!(made[name] == *bytes, "{case}: {name} is another");
                }
            }
        }
    }

    /// All that is no time, of all files that are not hidden.
    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = files(&self.out());
        for (name, bytes) in &mut found {
            if name.ends_with("manifest.json") || name.ends_with("report.json") {
                let mut value: Value = serde_json::from_slice(bytes).expect("JSON");
                for stage in value["stages"].as_array_mut().into_iter().flatten() {
                    (stage["seconds"], stage["command"]) = (Value::Null, Value::Null);
                }
                for file in
                    value["files"].as_array_mut().into_iter().flatten().filter(|file| file["path"] == "report.json")
                {
                    (file["sha256"], file["bytes"]) = (Value::Null, Value::Null);
                }
                *bytes = serde_json::to_vec(&value).expect("JSON");
            }
        }
        found
    }
}

/// Points from 1 to `count`, all of them where they are no more than `most`: half of those are spread, half are the
/// last ones, at which things take their places.
fn spread(count: usize, most: usize) -> BTreeSet<usize> {
    let most = most.min(count);
    let spread = (0..most.div_ceil(2)).map(|number| 1 + number * count / most.div_ceil(2));
    spread.chain(count - most / 2 + 1..=count).chain((1..=count).filter(|_| most == count)).collect()
}

/// A bundle is whole: its manifest lists the files that are there.
fn expect_whole(case: &str, bundle: &Path) {
    let found = files(bundle);
    let manifest = json(&bundle.join("manifest.json"));
    let listed = manifest["files"].as_array().expect("files");
    for file in listed {
        let path = file["path"].as_str().expect("a path");
        let bytes = found.get(path).unwrap_or_else(|| panic!("{case}: {path} is missing"));
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], hash.as_str(), "{case}: {path} is another than the manifest says");
    }
    let mut others: Vec<&String> =
        found.keys().filter(|name| !listed.iter().any(|file| file["path"] == **name)).collect();
    others.retain(|name| *name != "manifest.json");
    assert!(others.is_empty(), "{case}: {others:?}");
}

fn expect_end(case: &str, blow: Blow, outcome: &Outcome) {
    match blow {
        Blow::Kill => assert_eq!(outcome.status.code(), None, "{case}"),
        // What is only for the next run's speed may be missing.
        Blow::Full if outcome.status.success() => {}
        Blow::Full => {
            assert_eq!(outcome.status.code(), Some(OS), "{case}: {}", outcome.stderr);
            assert!(
                outcome.stderr.contains("No space left") && outcome.stderr.contains("help: free"),
                "{case}: {}",
                outcome.stderr
            );
        }
    }
}

#[test]
fn a_new_bundle_is_there_whole_or_not_at_all() {
    let ground = Ground::after(&[]);
    // Forced, because the next run may find a whole one.
    let export = [&EXPORT[..], &["--force"]].concat();
    for (args, most) in [(&export[..], 12), (&COMPILE[..], 12)] {
        ground.strike_all(args, most, &|case, blow, outcome| {
            expect_end(case, blow, outcome);
            if ground.bundle().exists() {
                expect_whole(case, &ground.bundle());
            } else {
                assert!(!outcome.status.success(), "{case}");
            }
        });
    }
}

/// The old bundle or the new one, whichever command replaces the one by the other.
fn strike_bundle(ground: &Ground, args: &[&str], most: usize) {
    ground.strike_all(args, most, &|case, blow, outcome| {
        expect_end(case, blow, outcome);
        expect_whole(case, &ground.bundle());
        let looked = ground.bench.run(&["inspect", "{out/bundle}"]);
        assert!(looked.status.success(), "{case}: {}", String::from_utf8_lossy(&looked.stderr));
        let beside = names(&ground.out());
        assert!(
            !beside.iter().any(|name| name.ends_with(".replaced") || name.ends_with(".stage")),
            "{case}: {beside:?}"
        );
    });
}

#[test]
fn an_evaluation_leaves_a_whole_bundle_wherever_it_ends() {
    let ground = Ground::after(&[&COMPILE]);
    strike_bundle(&ground, &["eval", "{out/bundle}", "--set", "{set}", "--on", "float"], 40);
}

#[test]
fn a_stage_leaves_a_whole_bundle_wherever_it_ends() {
    let ground = Ground::after(&[&COMPILE]);
    let recipe = ground.bench.read("recipe/recipe.toml");
    // What calibration finds with another observer changes what the later stages make.
    ground.bench.write("recipe/recipe.toml", recipe.replace("decode_steps = 1", "decode_steps = 2"));
    let calibrate = ["calibrate", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
    strike_bundle(&ground, &calibrate, 16);
    ground.bench.write("recipe/recipe.toml", recipe);
    let verify =
        ["verify", "{out/bundle}", "--calibration", "{recipe/recipe.toml}", "--toolkit", "{empty}", "--min-sqnr", "0"];
    strike_bundle(&ground, &verify, 16);
}

#[test]
fn a_bundle_is_replaced_by_a_whole_one_wherever_a_run_ends() {
    let ground = Ground::after(&[&COMPILE]);
    let recipe = ground.bench.read("recipe/recipe.toml");
    ground.bench.write("recipe/recipe.toml", recipe.replacen("weights = \"int4\"", "weights = \"int8\"", 1));
    strike_bundle(&ground, &COMPILE, 12);
}

#[test]
fn a_result_is_the_old_file_or_the_new_one() {
    let ground =
        Ground::after(&[&COMPILE, &["report", "{out/bundle}"], &["graph", "{out/bundle}", "--out", "{out/graph.svg}"]]);
    for (args, file) in [
        (&["report", "{out/bundle}"][..], "out/bundle.html"),
        (&["report", "{out/bundle}", "--markdown", "{out/new.md}"], "out/new.md"),
        (&["graph", "{out/bundle}", "--tensors", "all", "--out", "{out/graph.svg}"], "out/graph.svg"),
        (&["gate", "{out/bundle}", "--baseline", "{out/base.json}", "--update"], "out/base.json"),
    ] {
        ground.reset();
        let before = std::fs::read(ground.bench.path(file)).ok();
        assert!(ground.bench.run(args).status.success(), "{args:?}");
        let after = std::fs::read(ground.bench.path(file)).ok();
        ground.strike_all(args, usize::MAX, &|case, blow, outcome| {
            let now = std::fs::read(ground.bench.path(file)).ok();
            assert!(now == before || now == after, "{case}: half a file");
            // The gate could not judge.
            match args[0] {
                "gate" if blow == Blow::Full => assert!(matches!(outcome.status.code(), Some(0 | 2)), "{case}"),
                _ => expect_end(case, blow, outcome),
            }
            expect_whole(case, &ground.bundle());
        });
    }
}
