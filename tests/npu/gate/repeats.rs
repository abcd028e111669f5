//! No false alarms: compiled again from nothing, on an engine that runs again, the same inputs pass.

use crate::common::{GRAPH, SMALL_RECIPE, WEIGHTS, copy, root, stderr, toolkit};
use crate::sealed::Sealed;

const RUNS: usize = 20;

#[test]
fn twenty_compilations_from_nothing_stay_quiet() {
    let sealed = Sealed::empty();
    copy(&root("calibration/photos"), &sealed.path("photos"));
    sealed.write("one.toml", &SMALL_RECIPE.replace("photo.png", "photos/cat.jpg"));
    let paths = [root(GRAPH), root(WEIGHTS), toolkit()].map(|path| path.canonicalize().expect("a path"));
    let [graph, weights, toolkit] = paths.each_ref().map(|path| path.to_str().expect("UTF-8"));
    let mut first = String::new();
    for run in 0..=RUNS {
        let args = ["compile", graph, "--weights", weights, "--calibration", "one.toml", "--target", "sa8295p"];
        let more = ["--out", "bundle", "--force", "--require-npu", "-q", "--toolkit", toolkit];
        let output = sealed.run(&[&args[..], &more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        if run == 0 {
            sealed.accept();
            first = sealed.text("quant-baseline.json");
            continue;
        }
        let (status, text) = sealed.gate(&[]);
        assert_eq!(status, 0, "{run}: {text}");
        assert!(text.contains(" passed") && !text.contains("failed") && !text.contains("warning"), "{run}: {text}");
        sealed.accept();
        assert_eq!(sealed.text("quant-baseline.json"), first, "{run}: the figures are not the same");
    }
}
