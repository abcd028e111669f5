//! Disks under the compiler.

use crate::common::bench::{Bench, OS, names};
use crate::common::stderr;

#[test]
fn a_disk_too_small_for_context_binaries_is_no_fault_of_the_model() {
    let bench = Bench::new();
    let toolkit = crate::common::toolkit();
    let bundle = bench.text("out/bundle");
    assert!(bench.compile().status.success());
    let before = bench.read("out/bundle/manifest.json");
    let mut build = std::process::Command::new("bash");
    build.arg("-c").arg("trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"").arg(env!("CARGO_BIN_EXE_autoneural"));
    let output = build.args(["build", &bundle, "-q", "--toolkit"]).arg(toolkit).output().expect("bash starts");
    assert_eq!(output.status.code(), Some(OS), "{}", stderr(&output));
    assert!(stderr(&output).contains("free some space"), "{}", stderr(&output));
    assert_eq!(bench.read("out/bundle/manifest.json"), before);
    assert!(!names(&bench.path("out/bundle")).iter().any(|name| name.contains("partial")));
}
