//! Model definitions and target files.

use crate::common::bench::{Bench, EXPORT, INPUT, OS};

#[test]
fn malformed_definitions_are_refused_with_the_line() {
    let bench = Bench::new();
    let sound = bench.read("graph.toml");
    let line_of = |word: &str| sound.lines().position(|line| line.contains(word)).expect("the word stands there") + 1;
    let hidden = line_of("stem_channels");
    for (case, from, to, words) in [
        ("no TOML", "stem_channels = 16", "stem_channels = = 16", vec![format!("graph.toml:{hidden}")]),
        (
            "unknown key",
            "stem_channels = 16",
            "stem_chanels = 16",
            vec![format!("graph.toml:{hidden}"), "unknown field `stem_chanels`".into()],
        ),
        ("missing key", "stem_channels = 16\n", "", vec!["graph.toml:".into(), "missing field `stem_channels`".into()]),
        (
            "text for a number",
            "stem_channels = 16",
            "stem_channels = \"16\"",
            vec![format!("graph.toml:{hidden}"), "invalid type".into()],
        ),
        (
            "negative",
            "stem_channels = 16",
            "stem_channels = -16",
            vec![format!("graph.toml:{hidden}"), "invalid value".into()],
        ),
        ("unknown family", "\"mobilenetv5\"", "\"vit\"", vec!["unknown variant `vit`".into()]),
        ("later schema", "schema = 1", "schema = 2", vec!["schema 2 is not known to this version".into()]),
    ] {
        bench.write("graph.toml", sound.replacen(from, to, 1));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        bench.expect(case, &bench.export(), INPUT, &words);
    }
    bench.write("graph.toml", [0xff, 0xfe, 0x00]);
    bench.expect("no UTF-8", &bench.export(), INPUT, &["graph.toml", "no UTF-8"]);
    let with = |graph: &'static str| {
        let mut args = EXPORT;
        args[1] = graph;
        bench.run(&args)
    };
    bench.expect("a folder", &with("{weights}"), INPUT, &["weights", "is a folder"]);
    bench.expect("no file", &with("{nowhere.toml}"), INPUT, &["nowhere.toml", "No such file"]);
    bench.expect(
        "a file without end",
        &with("/dev/zero"),
        INPUT,
        &["/dev/zero", "is a device; a regular file is wanted"],
    );
}

#[test]
fn impossible_dimensions_are_refused_by_key() {
    let bench = Bench::new();
    let sound = bench.read("graph.toml");
    for (from, to, words) in [
        ("image_size = 128", "image_size = 0", ["vision.image_size", "0 is impossible"]),
        (
            "image_size = 128",
            "image_size = 100",
            ["vision.image_size", "not divided by the strides, which multiply to 32"],
        ),
        ("image_size = 128", "image_size = 1000000000", ["vision.image_size", "1000000000 is impossible"]),
        ("image_size = 128", "image_size = 18446744073709551615", ["graph.toml:", "image_size"]),
        ("image_size = 128", "image_size = 32768", ["vision.image_size", "more than 16384"]),
        ("kv_heads = 2", "kv_heads = 3", ["language.kv_heads", "3 does not divide heads = 4"]),
        ("kv_heads = 2", "kv_heads = 0", ["language.kv_heads", "0 is impossible"]),
        ("prefill = 32", "prefill = 256", ["language.prefill", "256 must be less than context = 256"]),
        ("prefill = 32", "prefill = 1000", ["language.prefill", "must be less than context"]),
        ("head_dim = 32", "head_dim = 31", ["language.head_dim", "31 is odd"]),
        ("conv_kernel = 3", "conv_kernel = 1", ["language.conv_kernel", "1 is impossible"]),
        ("rope_theta = 1000000.0", "rope_theta = nan", ["language.rope_theta", "NaN is impossible"]),
        ("norm_eps = 1e-6", "norm_eps = -1.0", ["vision.norm_eps", "-1 is no epsilon"]),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", ["vision.preprocess", "std positive"]),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, 1e-45, 1.0]", ["vision.preprocess", "too small"]),
        ("image = 4", "image = 512", ["language.tokens.image", "512 is outside the vocabulary of 512"]),
        ("stages = [-2, -1]", "stages = [-9]", ["vision.msfa.stages", "[-9] are not stages of 4"]),
        ("expansion = 2.0", "expansion = inf", ["vision.msfa.expansion", "inf is impossible"]),
        ("output_resolution = 4", "output_resolution = 1048576", ["graph.toml: vision: msfa.pool", "elements"]),
        ("er_r1_k3_s2_e4_c24", "er_r999999_k3_s2_e4_c24", ["vision.stages", "`er_r999999_k3_s2_e4_c24`"]),
        ("er_r1_k3_s2_e4_c24", "er_r1_k3_s2_e4_c0", ["vision.stages", "at least 1"]),
        ("er_r1_k3_s2_e4_c24", "er_r1_k3_s2_e4_c9999999999", ["vision.stages", "out of range"]),
        ("er_r1_k3_s2_e4_c24", "er_r1_k3_s2_e65536_c65536", ["conv_exp.weight", "[1048576, 16, 3, 3] is wanted"]),
        ("er_r1_k3_s2_e4_c24", "er_r1_k3_s65536_e4_c24", ["vision.image_size", "not divided by the strides"]),
        ("hidden = 128", "hidden = 1048576", ["`model.embed_tokens.weight`", "[512, 1048576] is wanted"]),
        ("vocabulary = 512", "vocabulary = 1048576", ["`model.embed_tokens.weight`", "[1048576, 128] is wanted"]),
        // The weights do not depend on the context, the state of a sequence does.
        ("context = 256", "context = 1048576\n# ", ["graph.toml: language.prefill: mask", "elements"]),
    ] {
        let text = sound.replacen(from, to, 1);
        assert_ne!(text, sound, "`{from}` stands in the definition");
        let text = if to.starts_with("context") { text.replace("prefill = 32", "prefill = 1048575") } else { text };
        bench.write("graph.toml", text);
        bench.expect(to, &bench.export(), INPUT, &words);
    }
}

#[test]
fn endless_block_lists_are_refused_before_memory_is_taken() {
    let bench = Bench::new();
    let sound = bench.read("graph.toml");
    let (before, rest) = sound.split_once("stages = [").expect("the stages");
    let (_, after) = rest.split_once("\n]\n").expect("their end");
    let stage = format!("[{}],\n", "\"er_r1024_k3_s1_e4_c24\", ".repeat(400_000));
    bench.write("graph.toml", format!("{before}stages = [\n{stage}\n]\n{after}"));
    bench.expect("400000 x 1024 blocks", &bench.export(), INPUT, &["vision.stages", "at most 4096"]);
    let strides = "[\"er_r1_k3_s65536_e4_c24\", \"er_r1_k3_s65536_e4_c24\", \"er_r1_k3_s65536_e4_c24\", \
             \"er_r1_k3_s65536_e4_c24\"],";
    bench.write("graph.toml", format!("{before}stages = [\n{strides}\n]\n{after}"));
    bench.expect("strides beyond 64 bits", &bench.export(), INPUT, &["vision", "not"]);
}

/// Told before the checkpoint is read: what no machine of this size can calibrate.
#[test]
fn a_model_that_does_not_fit_into_memory_is_refused_before_any_work() {
    let bench = Bench::new();
    let layers = format!("layers = [{}]", "\"conv\", ".repeat(200));
    let sound = bench.read("graph.toml");
    let text = sound.replace("layers = [\"conv\", \"attention\", \"conv\", \"attention\"]", &layers);
    assert_ne!(text, sound);
    bench.write("graph.toml", text.replace("feed_forward = 384", "feed_forward = 16384"));
    // 200 layers of 3 x 128 x 16384 weights, in an address space of 4 GB.
    let words = ["graph.toml", "1.3 billion parameters", "needs about 6 GB of memory; this process can have 4 GB"];
    bench.expect("too large", &bench.compile(), OS, &words);
    assert!(crate::common::bench::names(&bench.path("out")).is_empty());
}
