//! `--verify`: words that name no part.

use crate::common::bench::USAGE;
use crate::common::{autoneural, stderr, stdout};

#[test]
fn a_wrong_part_is_refused_with_the_right_ones() {
    let output = autoneural(&["verify", "x", "--calibration", "y", "--verify", "vison"]);
    assert_eq!(output.status.code(), Some(USAGE));
    let text = stderr(&output);
    assert!(text.contains("vison") && text.contains("language.prefill"), "{text}{}", stdout(&output));
}
