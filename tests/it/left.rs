//! What is said of a bundle that is complete.

use crate::common::bench::{Bench, EXPORT, OS};

/// Where only the result cannot be printed, the message says that the bundle is there.
#[test]
fn a_result_that_cannot_be_printed_says_that_the_bundle_is_complete() {
    let bench = Bench::new();
    let args: Vec<&str> = EXPORT.to_vec();
    // Without -q, which prints nothing.
    let line = "set -- \"${@:1:$#-1}\"; exec \"$0\" \"$@\" > /dev/full 2> errors";
    let output = bench.run_in_shell(line, &args);
    assert_eq!(output.status.code(), Some(OS));
    let said = bench.read("errors");
    assert!(said.contains("standard output: ") && said.contains("out/bundle is complete all the same"), "{said}");
    assert!(bench.path("out/bundle/manifest.json").is_file());
}

/// Help says the same.
#[test]
fn help_says_what_is_left() {
    let said = crate::common::succeed(&["--help"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["After 2 to 5 and 70 there is no new bundle", "After 6 the bundle is complete"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
