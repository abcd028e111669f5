//! The comparison with other quantizers (`make bench-quality`): what its table, its summary and its exit status say.

use std::process::Command;

use super::common::root;

#[test]
fn figures_of_others_are_compared_rightly() {
    let output = Command::new("python3")
        .args(["-B", "-W", "error", "-m", "unittest", "discover", "-s"])
        .arg(root("tools/quality"))
        .output()
        .expect("python3 starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // None ran: an older Python calls that a success.
    assert!(!said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn a_row_that_there_is_not_is_named() {
    let output = Command::new("python3")
        .args(["-B"])
        .arg(root("tools/quality/bench.py"))
        .args(["--rows", "ppocr_cls", "no-such-row"])
        .output()
        .expect("python3 starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no such row: no-such-row; --list names them"), "{said}");
}
