//! No false alarms: compiled again from nothing, on an engine that runs again, the same inputs pass.

use crate::common::{GRAPH, WEIGHTS, copy, root, stderr, toolkit};
use crate::sealed::Sealed;

const RUNS: usize = 20;
/// One sample of each kind; what is done with it is all that is done with many.
const RECIPE: &str = r#"schema = 1
name = "one"
decode_steps = 2
[recipe.vision]
weights = "int8"
activations = "uint16"
observer = "min-max"
[recipe.projector]
weights = "int8"
activations = "uint16"
observer = "min-max"
[recipe.language]
weights = "int4"
activations = "uint16"
kv_cache = "uint8"
head = "int8"
observer = "min-max"
[[calibration]]
image = "photos/cat.jpg"
prompt = "What colour are the eyes of the cat?"
[[verification]]
image = "photos/rocket.jpg"
prompt = "Is it day or night?"
"#;

#[test]
fn twenty_compilations_from_nothing_stay_quiet() {
    let sealed = Sealed::empty();
    copy(&root("calibration/photos"), &sealed.path("photos"));
    sealed.write("one.toml", RECIPE);
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
