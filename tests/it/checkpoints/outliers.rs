//! Few numbers that cost all others.

use serde_json::Value;

use super::EMBED;
use crate::common::bench::{Bench, COMPILE, FILE, change};
use crate::common::{stderr, warnings_of};

/// What a compilation warns of.
fn warnings(bench: &Bench, case: &str) -> Vec<String> {
    let output = bench.run(&[&COMPILE[..], &["--force"]].concat());
    assert!(output.status.success(), "{case}: {}", stderr(&output));
    let report: Value = serde_json::from_str(&bench.read("out/bundle/report.json")).expect("the report");
    warnings_of(&report)
}

#[test]
fn a_row_of_the_embedding_table_that_costs_the_others_is_named() {
    let bench = Bench::new();
    assert_eq!(warnings(&bench, "as it is"), Vec::<String>::new());
    let mut tensors = bench.tensors();
    change(&mut tensors, EMBED, |at, number| if at / 128 == 300 { 3000.0 * number } else { number });
    tensors.write(&bench.path(FILE));
    let made = warnings(&bench, "an outlier");
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].contains("embed_tokens.weight") && made[0].contains("row 300 is "), "{made:?}");
    assert!(made[0].contains(" times as large") && made[0].contains(" dB"), "{made:?}");
    // Nothing is done again, and it is said all the same.
    let output = bench.run(&COMPILE);
    assert!(output.status.success(), "{}", stderr(&output));
    let manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).unwrap();
    assert_eq!(warnings_of(&manifest).len(), 1);
}

#[test]
fn elements_and_channels_of_other_weights_are_named() {
    let bench = Bench::new();
    let mut tensors = bench.tensors();
    // A factor of a normalization, encoded as one tensor, and a weight of int4, encoded by channel.
    change(&mut tensors, "model.layers.2.ffn_norm.weight", |at, number| if at == 17 { 3000.0 } else { number });
    change(&mut tensors, "model.layers.3.feed_forward.w1.weight", |at, number| match at {
        1300 => 0.2,
        1280..1408 => 0.01 * number.signum(),
        _ => number,
    });
    tensors.write(&bench.path(FILE));
    let made = warnings(&bench, "outliers");
    let about = |tensor: &str| made.iter().find(|one| one.contains(tensor)).unwrap_or_else(|| panic!("{made:?}"));
    assert!(about("layers.2.ffn_norm.weight").contains("element [17] is "), "{made:?}");
    assert!(about("layers.3.feed_forward.w1.weight").contains("of channel 10 one weight"), "{made:?}");
    assert_eq!(made.len(), 2, "{made:?}");
}
