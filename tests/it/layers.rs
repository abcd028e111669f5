//! `--layers`: engines that are none.

use crate::common::{autoneural, stderr};

#[test]
fn an_unknown_engine_is_refused() {
    let output = autoneural(&["verify", "x", "--calibration", "y", "--layers", "gpu"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("simulated"), "{}", stderr(&output));
}
