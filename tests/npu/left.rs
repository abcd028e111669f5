//! What a command that fails leaves: nothing new, unless only its figures are not good enough.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::bench::{Bench, COMPILE, EXPORT, INPUT, OS, TOOLKIT, USAGE, names};
use crate::common::{autoneural, stderr, toolkit};

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut made = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true => made.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes))),
            false => drop(made.insert(name, std::fs::read(&path).expect("a file"))),
        }
    }
    made
}

#[test]
fn statuses_2_to_5_leave_no_new_bundle_and_6_leaves_a_whole_one() {
    let bench = Bench::new();
    let full = |args: &[&str]| bench.run_in_shell("trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", args);
    bench.expect(
        "input",
        &bench.run(&[&EXPORT[..4], &["--target", "x", "--out", "{out/bundle}"]].concat()),
        INPUT,
        &[],
    );
    bench.expect("system", &full(&EXPORT), OS, &[]);
    bench.expect("toolkit", &bench.run(&[&COMPILE[..], &["--require-npu"]].concat()), TOOLKIT, &[]);
    bench.expect("usage", &bench.run(&[&EXPORT[..], &["--nonsense"]].concat()), USAGE, &[]);

    let toolkit = toolkit();
    let npu = ["--toolkit", toolkit.to_str().expect("UTF-8"), "--min-sqnr", "500"];
    let args = [&COMPILE[..COMPILE.len() - 2], &npu[..]].concat();
    // Without the bench's limits, under which the vendor's libraries do not load.
    let words: Vec<String> = args.iter().map(|word| bench.expand(word)).collect();
    let output = autoneural(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("the bundle is complete"), "{}", stderr(&output));
    assert!(bench.path("out/bundle/manifest.json").is_file() && bench.path("out/bundle/report.json").is_file());
    let said = bench.run(&["inspect", "{out/bundle}", "--json"]);
    assert!(said.status.success(), "{}", stderr(&said));
}

/// A bundle that was there is as it was, also where it was verified and the NPU was demanded.
#[test]
fn a_bundle_that_was_there_is_unchanged_after_a_failure() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    let before = files(&bench.path("out/bundle"));
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    let recipe = ["--calibration", "{recipe/recipe.toml}"];
    let cases: [(i32, Vec<&str>); 5] = [
        (INPUT, [&["verify", "{out/bundle}", "--calibration"], &["{nowhere.toml}"][..]].concat()),
        (INPUT, vec!["quantize", "{out/bundle}", "--encodings", "{nowhere.json}"]),
        (TOOLKIT, vec!["build", "{out/bundle}", "--toolkit", "{empty}"]),
        (TOOLKIT, [&["verify", "{out/bundle}", "--require-npu", "--toolkit", toolkit], &recipe[..]].concat()),
        (USAGE, vec!["emit", "{out/bundle}", "--nonsense"]),
    ];
    for (status, args) in cases {
        let words: Vec<String> = args.iter().map(|word| bench.expand(word)).collect();
        let output = autoneural(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", stderr(&output));
        assert!(files(&bench.path("out/bundle")) == before, "{args:?} changed the bundle");
        assert_eq!(names(&bench.path("out")), ["bundle"], "{args:?}");
    }
}
