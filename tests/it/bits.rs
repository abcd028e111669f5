//! Other bits on other statistics: refused.

use crate::common::bench::{Bench, INPUT};
use crate::common::{autoneural, stderr};

#[test]
fn a_recipe_that_asks_for_other_statistics_is_refused() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    let manifest = bench.read("out/bundle/manifest.json");
    let (sound, photo) = (bench.read("recipe/recipe.toml"), std::fs::read(bench.path("recipe/photo.png")).unwrap());
    let cases: [(&str, &str, &str); 4] = [
        ("decode_steps = 1", "decode_steps = 2", "decode_steps: is 2; `calibrate` ran with 1"),
        ("prompt = \"Who?\"", "prompt = \"Whose?\"", "calibration[0]: is not the sample"),
        ("prompt = \"Who?\"", "prompt = \"Who?\"\ntokens = 3", "calibration[0]: is not the sample"),
        (
            "[[verification]]",
            "[[calibration]]\nprompt = \"Why?\"\n\n[[verification]]",
            "calibration: has 2 samples; `calibrate` ran with 1",
        ),
    ];
    let quantize = ["quantize", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
    let refused = |case: &str| {
        let output = bench.run(&quantize);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{case}: {said}");
        assert!(said.contains(case) && said.contains("run `autoneural calibrate`"), "{case}: {said}");
        assert_eq!(bench.read("out/bundle/manifest.json"), manifest, "{case}");
    };
    for (from, to, case) in cases {
        bench.edit("recipe/recipe.toml", from, to);
        refused(case);
        bench.write("recipe/recipe.toml", &sound);
    }
    // Another picture under the same name.
    let other = crate::common::root("calibration/demo-eval/images/cluster-01.png");
    std::fs::copy(other, bench.path("recipe/photo.png")).unwrap();
    refused("`photo.png` is not the picture");
    bench.write("recipe/photo.png", photo);
    // Other samples of verification, and another name, are no other statistics.
    bench.edit("recipe/recipe.toml", "prompt = \"Where?\"", "prompt = \"When?\"");
    let output = bench.run(&quantize);
    assert!(output.status.success(), "{}", stderr(&output));
    let args = ["quantize", &bench.text("out/bundle"), "--calibration", &bench.text("nowhere.toml")];
    assert_eq!(autoneural(&args).status.code(), Some(INPUT));
}
