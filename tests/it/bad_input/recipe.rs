//! Recipes, images and prompts.

use std::time::Instant;

use crate::common::bench::{Bench, INPUT, png_header};
use crate::common::root;

#[test]
fn malformed_recipes_are_refused() {
    let bench = Bench::new();
    let sound = bench.read("recipe/recipe.toml");
    for (case, from, to, words) in [
        ("no TOML", "decode_steps = 1", "decode_steps = ", ["recipe.toml:3", ""]),
        ("unknown key", "kv_cache", "kv_cash", ["recipe.toml:", "unknown field `kv_cash`"]),
        ("missing key", "decode_steps = 1", "", ["recipe.toml:", "missing field `decode_steps`"]),
        ("unknown observer", "\"min-max\"", "\"median\"", ["recipe.toml:8", "unknown variant `median`"]),
        (
            "unknown rounding",
            "observer = \"min-max\"",
            "observer = \"min-max\"\nrounding = \"up\"",
            ["recipe.toml:", "`up` is no rounding method; there are nearest"],
        ),
        (
            "no columns",
            "observer = \"min-max\"",
            "observer = \"min-max\"\nrounding_columns = 0",
            ["rounding_columns", "no layer has 0 columns"],
        ),
        (
            "columns of no method",
            "observer = \"min-max\"",
            "observer = \"min-max\"\nrounding_columns = 512",
            ["rounding_columns", "limits no method"],
        ),
        (
            "scales of no blocks",
            "weights = \"int4\"",
            "weights = \"int4\"\nblock_scales = \"shared\"",
            ["block_scales", "no weights of this group are in blocks"],
        ),
        ("unknown type", "\"int4\"", "\"int5\"", ["recipe.toml:", "`int5` is no integer type"]),
        (
            "unsigned weights",
            "weights = \"int4\"",
            "weights = \"uint8\"",
            ["recipe.language.weights", "uint8 is no type of weights"],
        ),
        (
            "signed activations",
            "activations = \"uint16\"",
            "activations = \"int8\"",
            ["recipe.vision.activations", "int8 is no type of activations"],
        ),
        (
            "weights that the target does not take",
            "weights = \"int8\"",
            "weights = \"int8 in blocks of 32\"",
            ["recipe `bench`: vision:", "not int8 in blocks of 32"],
        ),
        (
            "a group that no graph is of",
            "[recipe.projector]",
            "[recipe.audio]",
            ["recipe.toml: recipe.audio", "is no group of the program"],
        ),
        (
            "a group left out",
            "[recipe.projector]",
            "[recipe.vision.projector]",
            ["recipe.toml:", "unknown field `projector`"],
        ),
        ("a group that is no name", "[recipe.projector]", "[recipe.\"../up\"]", ["`../up`", "is no name of a group"]),
        ("later schema", "schema = 1", "schema = 3", ["schema", "schema 3"]),
        ("endless decoding", "decode_steps = 1", "decode_steps = 4294967296", ["decode_steps", "1 to 4096"]),
        ("no decoding", "decode_steps = 1", "decode_steps = 0", ["decode_steps", "1 to 4096"]),
        ("no image at all", "image = \"photo.png\"", "", ["calibration", "at least one sample with an image"]),
        ("image above the folder", "\"photo.png\"", "\"../recipe/photo.png\"", ["calibration[0]", "leaves the folder"]),
        ("image somewhere else", "\"photo.png\"", "\"/etc/passwd\"", ["calibration[0]", "leaves the folder"]),
        ("hidden way up", "\"photo.png\"", "\"a/../../x.png\"", ["calibration[0]", "leaves the folder"]),
        (
            "second image above the folder",
            "\"photo.png\"",
            "[\"photo.png\", \"../x.png\"]",
            ["calibration[0]", "leaves the folder"],
        ),
        ("image that is no path", "\"photo.png\"", "7", ["recipe.toml:", "a path or a list of paths"]),
        (
            "one image for two placeholders",
            "\"Who?\"",
            "\"<image> or <image>?\"",
            ["calibration[0]: prompt", "2 times; images: 1"],
        ),
        ("empty prompt", "\"Who?\"", "\"\"", ["calibration[0]", "the prompt is empty"]),
        (
            "long prompt",
            "\"Who?\"",
            &format!("\"{}\"", "long ".repeat(400)),
            ["recipe.toml: calibration[0]: prompt", "exceed the context of 256"],
        ),
        ("no tokens", "\"Who?\"", "\"Who?\"\ntokens = 0", ["calibration[0].tokens", "0 tokens are no prompt"]),
        (
            "fewer tokens than the image has",
            "\"Who?\"",
            "\"Who?\"\ntokens = 9",
            ["recipe.toml: calibration[0]: prompt", "has 16 visual tokens, which 9 tokens would cut off"],
        ),
        (
            "more tokens than the context",
            "\"Who?\"",
            "\"Who?\"\ntokens = 256",
            ["calibration[0]: prompt", "has 256 tokens; with 1 decoded ones they exceed the context of 256"],
        ),
        (
            "long verification prompt",
            "\"Where?\"",
            &format!("\"{}\"", "long ".repeat(400)),
            ["recipe.toml: verification[0]: prompt", "the context of 256"],
        ),
        (
            "too many decode steps",
            "decode_steps = 1",
            "decode_steps = 255",
            ["calibration[0]: prompt", "exceed the context of 256"],
        ),
    ] {
        let text = sound.replacen(from, to, 1);
        assert_ne!(text, sound, "{case}: `{from}` stands in the recipe");
        bench.write("recipe/recipe.toml", text);
        bench.expect(case, &bench.compile(), INPUT, &words);
    }
    // All mistakes at once: an unknown key, what is no value, a missing key, and an impossible value.
    let mut text = sound.replacen("name = \"bench\"", "name = \"bench\"\ncolor = 7", 1);
    for (from, to) in
        [("\"int4\"", "\"int5\""), ("observer = \"min-max\"\n", ""), ("decode_steps = 1", "decode_steps = \"x\"")]
    {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    bench.write("recipe/recipe.toml", &text);
    let words = [
        "recipe.toml: has 4 mistakes: line ",
        "unknown field `color`",
        "`int5` is no integer type",
        "missing field `observer`",
        "invalid type: string \"x\"",
    ];
    bench.expect("several mistakes", &bench.compile(), INPUT, &words);
    let text = sound.replacen("\"int4\"", "\"uint8\"", 1).replacen("\"uint16\"", "\"int16\"", 1);
    bench.write("recipe/recipe.toml", text);
    let words = [
        "recipe.toml: has 2 mistakes: recipe.",
        "recipe.language.weights: uint8 is no type of weights",
        "recipe.vision.activations: int16 is no type of activations",
    ];
    bench.expect("several impossible values", &bench.compile(), INPUT, &words);
    std::fs::remove_file(bench.path("recipe/recipe.toml")).expect("the recipe");
    bench.expect("no recipe", &bench.compile(), INPUT, &["recipe.toml", "No such file"]);
}

#[test]
fn unreadable_images_are_refused() {
    let bench = Bench::new();
    let png = std::fs::read(bench.path("recipe/photo.png")).expect("the photo");
    let jpeg = std::fs::read(root("calibration/photos/cat.jpg")).expect("the photo");
    for (case, bytes, word) in [
        ("zero bytes", vec![], "is empty"),
        ("text", b"This is no picture.".to_vec(), "cannot be read as an image"),
        ("another format", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(), "cannot be read as an image"),
        ("truncated PNG", png[..png.len() / 2].to_vec(), "cannot be read as an image"),
        ("truncated JPEG", jpeg[..200].to_vec(), "cannot be read as an image"),
        ("signature alone", png[..8].to_vec(), "cannot be read as an image"),
        ("60000 x 60000 pixels", png_header(60000, 60000), "PNG and JPEG images of 16 to 16384 pixels"),
        ("16000 x 16000 pixels", png_header(16000, 16000), "cannot be read as an image"),
        ("no pixels", png_header(0, 10), "cannot be read as an image"),
    ] {
        bench.write("recipe/photo.png", bytes);
        let begun = Instant::now();
        bench.expect(case, &bench.compile(), INPUT, &["calibration[0]", "recipe/photo.png", word]);
        assert!(begun.elapsed().as_secs() < 10, "{case}: it took too long");
    }
    std::fs::remove_file(bench.path("recipe/photo.png")).expect("the photo");
    bench.expect("missing", &bench.compile(), INPUT, &["calibration[0]", "recipe/photo.png", "No such file"]);
    std::fs::create_dir(bench.path("recipe/photo.png")).expect("a folder");
    bench.expect("a folder", &bench.compile(), INPUT, &["recipe/photo.png", "Is a directory"]);
}
