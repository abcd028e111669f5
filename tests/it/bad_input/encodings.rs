//! Encodings that were learned elsewhere and do not fit.

use serde_json::{Value, json};

use super::bundle::with_bundle;
use crate::common::bench::{Bench, INPUT, names};

const QUANTIZE: [&str; 4] = ["quantize", "{bundle}", "--encodings", "{qat.json}"];

/// Expects a failure that names the file, and a bundle that is as before.
fn expect(bench: &Bench, case: &str, command: &[&str], words: &[&str]) {
    let (manifest, folders) = (bench.read("bundle/manifest.json"), names(&bench.path("bundle")));
    bench.expect(case, &bench.run(command), INPUT, words);
    assert_eq!(bench.read("bundle/manifest.json"), manifest, "{case}: the manifest changed");
    assert_eq!(names(&bench.path("bundle")), folders, "{case}: the bundle has other files");
    assert!(!bench.path("bundle/encodings/given").exists(), "{case}: the file was taken");
}

/// An activation of 16 bits.
fn activation(name: &str) -> Value {
    json!({ "name": name, "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 16, "is_sym": false,
            "scale": [0.001], "offset": [-30000] })
}

/// A weight of the projector: 8 bits, 256 channels.
fn weight() -> Value {
    json!({ "name": "linear_1.weight", "enc_type": "PER_CHANNEL", "dtype": "INT", "bw": 8, "is_sym": true,
            "scale": vec![0.01; 256], "offset": vec![-128; 256] })
}

fn file_of(activations: &[Value], params: &[Value]) -> String {
    json!({ "version": "1.0.0", "activation_encodings": activations, "param_encodings": params }).to_string()
}

fn with(mut entry: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().expect("an object") {
        entry[key] = value.clone();
    }
    entry
}

#[test]
fn entries_that_do_not_fit_are_refused() {
    let bench = with_bundle();
    let (one, per_channel) = (|changes| with(activation("linear_1"), changes), |changes| with(weight(), changes));
    let of_channel_7 = |scale: f64| {
        let mut scales = vec![0.01; 256];
        scales[7] = scale;
        per_channel(json!({ "scale": scales }))
    };
    let activations = [
        ("unknown", activation("linear_3"), ["`linear_3`", "is no tensor of the model", "did you mean `linear_1`"]),
        ("a constant", activation("linear_1.bias"), ["`linear_1.bias`", "is a constant", "param_encodings"]),
        ("positions", activation("last"), ["`last`", "is no tensor of the model", "encodings/*.json"]),
        ("bits", one(json!({ "bw": 8, "offset": [-128] })), ["`linear_1`", "is uint8", "the recipe wants uint16"]),
        (
            "bits of the cache",
            activation("layers.1.k_new"),
            ["`layers.1.k_new`", "is uint16", "the recipe wants uint8"],
        ),
        ("no such bits", one(json!({ "bw": 12 })), ["`linear_1`", "12 bits", "are not known"]),
        (
            "off its middle",
            one(json!({ "is_sym": true })),
            ["`linear_1`", "is symmetric, but its offset is -30000", "-32768"],
        ),
        (
            "by channel",
            one(json!({ "enc_type": "PER_CHANNEL" })),
            ["`linear_1`", "uint16 per channel is no encoding", ""],
        ),
        (
            "a bias among activations",
            one(json!({ "bw": 32 })),
            ["`linear_1`", "32 bits are not known for activations", ""],
        ),
        ("half an offset", one(json!({ "offset": [-30000.5] })), ["qat.json:1", "-30000.5 is no whole number", ""]),
        ("perhaps", one(json!({ "is_sym": "maybe" })), ["qat.json:1", "`maybe` is neither True nor False", ""]),
        ("float", one(json!({ "dtype": "FLOAT" })), ["`linear_1`", "dtype FLOAT", "is not known"]),
        ("no scale", one(json!({ "scale": [] })), ["`linear_1`", "0 scales and 1 offsets", ""]),
        ("zero", one(json!({ "scale": [0.0] })), ["`linear_1`", "scale 0 is impossible", ""]),
        ("negative", one(json!({ "scale": [-0.5] })), ["`linear_1`", "scale -0.5 is impossible", ""]),
        ("infinite", one(json!({ "scale": [1e300] })), ["qat.json:1", "number out of range at line 1 column", ""]),
        ("tiny", one(json!({ "scale": [1e-30] })), ["`linear_1`", "scale 1e-30 is outside 1e-12 to 1e12", ""]),
        ("no number", one(json!({ "scale": [null] })), ["qat.json:1", "invalid type: null", ""]),
        ("offset below", one(json!({ "offset": [-65536] })), ["`linear_1`", "zero point 65536 is outside uint16", ""]),
        ("offset above", one(json!({ "offset": [1] })), ["`linear_1`", "zero point -1 is outside uint16", ""]),
        ("offset far out", one(json!({ "offset": [i64::MIN] })), ["`linear_1`", "outside uint16", ""]),
    ];
    let params = [
        (
            "unknown param",
            per_channel(json!({ "name": "model.linear_1.weight" })),
            ["did you mean `linear_1.weight`", "", ""],
        ),
        (
            "an activation",
            per_channel(json!({ "name": "linear_1" })),
            ["`linear_1`", "is no constant", "activation_encodings"],
        ),
        (
            "number of channels",
            per_channel(json!({ "scale": vec![0.01; 255], "offset": vec![-128; 255] })),
            ["`linear_1.weight`", "has 255 scales by channel", "should have 256 scales"],
        ),
        (
            "one scale",
            per_channel(json!({ "enc_type": "PER_TENSOR", "scale": [0.01], "offset": [-128] })),
            ["`linear_1.weight`", "has one scale for all channels", "should have 256 scales"],
        ),
        ("one offset", per_channel(json!({ "offset": [-128] })), ["`linear_1.weight`", "256 scales and 1 offsets", ""]),
        ("zero scale", of_channel_7(0.0), ["`linear_1.weight`", "scale 0 is impossible", ""]),
        ("negative scale", of_channel_7(-0.01), ["`linear_1.weight`", "scale -0.01 is impossible", ""]),
        (
            "bits of a weight",
            per_channel(json!({ "bw": 4, "offset": vec![-8; 256] })),
            ["`linear_1.weight`", "is int4", "wants int8"],
        ),
        ("unsigned weight", per_channel(json!({ "is_sym": false })), ["`linear_1.weight`", "is uint8", "wants int8"]),
        (
            "asymmetric weight",
            per_channel(json!({ "offset": vec![-100; 256] })),
            ["`linear_1.weight`", "is symmetric, but its offset is -100", "neither -128 nor -127"],
        ),
        (
            "blocks with a scale each",
            per_channel(json!({ "enc_type": "LPBQ", "block_size": 64, "compressed_bw": 4 })),
            ["`linear_1.weight`", "0 multiples (per_block_int_scale) do not fit 256 scales", ""],
        ),
        (
            "blocks",
            per_channel(json!({ "enc_type": "PER_BLOCK" })),
            ["`linear_1.weight`", "enc_type PER_BLOCK needs a block_size above 0", ""],
        ),
        (
            "a new kind",
            per_channel(json!({ "enc_type": "VECTOR" })),
            ["`linear_1.weight`", "enc_type VECTOR is not known", ""],
        ),
        (
            "a bias in 32 bits that is added in 16",
            json!({ "name": "linear_1.bias", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 32, "is_sym": true,
                    "scale": [1e-7], "offset": [-2_147_483_648i64] }),
            ["`linear_1.bias`: is a bias in 32 bits; here a node of its own adds it", "takes uint16", "leave it out"],
        ),
        (
            "a bias with one scale",
            json!({ "name": "conv_stem.conv.bias", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 32, "is_sym": true,
                    "scale": [1e-7], "offset": [-2_147_483_648i64] }),
            [
                "`conv_stem.conv.bias`: is a bias, whose encoding follows from its input and weights",
                "has one scale",
                "leave",
            ],
        ),
        (
            "a near name of the checkpoint",
            per_channel(json!({ "name": "model.vision_tower.timm_model.blocks.0.0.conv_exp.wieght" })),
            ["is no tensor of the model", "did you mean `blocks.0.0.conv_exp.weight`", ""],
        ),
    ];
    for (case, entry, words) in activations {
        bench.write("qat.json", file_of(&[entry], &[]));
        expect(&bench, case, &QUANTIZE, &[&["qat.json"], &words[..]].concat());
    }
    for (case, entry, words) in params {
        bench.write("qat.json", file_of(&[], &[entry]));
        expect(&bench, case, &QUANTIZE, &[&["qat.json"], &words[..]].concat());
    }
    let unknown: Vec<Value> = (0..5).map(|number| activation(&format!("layer{number}"))).collect();
    bench.write("qat.json", file_of(&unknown, &[]));
    let words = ["qat.json: 5 names are no tensors", "`layer0`, `layer1`, `layer2`, `layer3` and 1 more"];
    expect(&bench, "several unknown names", &QUANTIZE, &words);
    let stem = json!({ "name": "conv_stem.conv.weight", "enc_type": "PER_CHANNEL", "dtype": "INT", "bw": 8,
                       "is_sym": true, "scale": vec![1e-12; 16], "offset": vec![-128; 16] });
    bench.write("qat.json", file_of(&[], &[stem]));
    expect(&bench, "a bias out of reach", &QUANTIZE, &["conv_stem.conv: bias", "does not fit int32"]);
}

#[test]
fn entries_that_contradict_each_other_are_refused() {
    let bench = with_bundle();
    bench.write("qat.json", file_of(&[activation("linear_1"), activation("linear_1")], &[]));
    expect(&bench, "twice", &QUANTIZE, &["qat.json: `linear_1`", "stands twice"]);
    let other = with(activation("layers.0.conv.bcx"), json!({ "offset": [-29999] }));
    bench.write("qat.json", file_of(&[activation("layers.0.conv.in_proj"), other.clone()], &[]));
    let words = ["qat.json: `layers.0.conv.", "`layers.0.conv.bcx`", "`layers.0.conv.in_proj`", "shares its encoding"];
    expect(&bench, "tied", &QUANTIZE, &words);
    bench.write("qat.json", file_of(&[activation("layers.0.conv.in_proj")], &[]));
    bench.write("more.json", file_of(&[other], &[]));
    let both = [&QUANTIZE[..], &["--encodings", "{more.json}"]].concat();
    expect(&bench, "tied in two files", &both, &["qat.json", "more.json", "shares its encoding"]);
    bench.write("more.json", file_of(&[with(activation("layers.0.conv.in_proj"), json!({ "scale": [0.002] }))], &[]));
    expect(&bench, "two files", &both, &["more.json: `layers.0.conv.in_proj`", "is encoded otherwise in", "qat.json"]);
}

#[test]
fn malformed_files_are_refused_before_anything_is_made() {
    let bench = Bench::new();
    let compile = [&crate::common::bench::COMPILE[..], &["--encodings", "{qat.json}"]].concat();
    let whole = file_of(&[activation("linear_1")], &[weight()]);
    let cases: [(&str, String, &[&str]); 8] = [
        ("truncated", whole[..whole.len() / 2].into(), &["qat.json:1", "EOF"]),
        ("empty", String::new(), &["qat.json", "EOF"]),
        ("no JSON", "activations:\n- none\n".into(), &["qat.json:1"]),
        ("NaN", whole.replace("0.001", "NaN"), &["qat.json:1", "expected"]),
        ("other version", whole.replace("1.0.0", "3.0.0"), &["qat.json", "version 3.0.0 are not read", "2.0.0"]),
        ("missing list", "{\"version\": \"1.0.0\"}".into(), &["qat.json:1", "missing field"]),
        ("lists in a format of maps", whole.replace("1.0.0", "0.6.1"), &["qat.json:1", "a map of encodings by name"]),
        ("no version", "{\"encodings\": []}".into(), &["qat.json:1", "missing field `version`"]),
    ];
    for (case, text, words) in cases {
        bench.write("qat.json", text);
        bench.expect(case, &bench.run(&compile), INPUT, words);
    }
    bench.write("qat.json", file_of(&[activation("layers.9.out")], &[]));
    bench.expect("unknown", &bench.run(&compile), INPUT, &["qat.json: `layers.9.out`", "is no tensor of the model"]);
    let file = std::fs::File::create(bench.path("qat.json")).expect("a file");
    file.set_len((256 << 20) + 1).expect("a sparse file");
    bench.expect("too large", &bench.run(&compile), INPUT, &["qat.json", "is larger than 268435456 bytes"]);
    std::fs::remove_file(bench.path("qat.json")).expect("the file");
    std::fs::create_dir(bench.path("qat.json")).expect("a folder");
    bench.expect("a folder", &bench.run(&compile), INPUT, &["qat.json", "is a folder, a file is wanted"]);
}

#[test]
fn entries_of_other_formats_that_do_not_fit_are_refused() {
    let bench = with_bundle();
    let channel = json!({ "bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": 0.01, "offset": -128 });
    let old = |activations: Value, params: Value| {
        json!({ "version": "0.6.1", "activation_encodings": activations, "param_encodings": params }).to_string()
    };
    let of_weight = |channel: Value| old(json!({}), json!({ "linear_1.weight": [channel] }));
    let new = |entry: Value| json!({ "version": "2.0.0", "encodings": [entry] }).to_string();
    let attributes =
        json!({ "name": "linear_1.weight", "output_dtype": "int8", "y_scale": vec![0.01; 256], "axis": 0 });
    let cases: [(&str, String, &[&str]); 15] = [
        ("old: one scale", of_weight(channel.clone()), &["`linear_1.weight`", "has one scale", "256 scales"]),
        ("old: nothing", old(json!({ "linear_1": [] }), json!({})), &["`linear_1`", "has no encoding"]),
        (
            "old: a module",
            old(json!({ "linear_1": { "output": { "0": channel } } }), json!({})),
            &["`linear_1`", "is a module", "_torch.encodings", "names are those of tensors"],
        ),
        (
            "old: twice",
            of_weight(channel.clone()).replace("]}", &format!("],\"linear_1.weight\":[{channel}]}}")),
            &["`linear_1.weight`", "stands twice"],
        ),
        ("old: float", of_weight(with(channel.clone(), json!({ "dtype": "float" }))), &["dtype float is not known"]),
        ("old: no bits", of_weight(json!({ "scale": 1.0 })), &["`linear_1.weight`", "missing field `bitwidth`"]),
        (
            "old: no scale",
            of_weight(json!({ "bitwidth": 8 })),
            &["`linear_1.weight`", "neither scale and offset nor min"],
        ),
        ("new: float", new(with(attributes.clone(), json!({ "output_dtype": "float16" }))), &["float16 is not known"]),
        (
            "new: no scale",
            new(with(attributes.clone(), json!({ "y_scale": null }))),
            &["`linear_1.weight`", "no y_scale"],
        ),
        (
            "new: blocks",
            new(with(attributes.clone(), json!({ "block_size": 64, "axis": 1 }))),
            &["`linear_1.weight`", "has 256 scales in blocks of 64 where it should have 256 scales by channel"],
        ),
        (
            "new: blocks with a scale each",
            new(with(attributes.clone(), json!({ "per_block_int_scale": [[1]], "per_channel_float_scale": [[1.0]] }))),
            &["`linear_1.weight`", "has multiples (per_block_int_scale), which need axis and block_size"],
        ),
        (
            "new: other bits",
            new(with(attributes.clone(), json!({ "output_dtype": "int4" }))),
            &["is int4", "wants int8"],
        ),
        (
            "new: an activation by channel",
            new(with(attributes.clone(), json!({ "name": "linear_1" }))),
            &["`linear_1`", "uint8 per channel is no encoding of activations"],
        ),
        (
            "new: a misspelled name",
            new(with(attributes.clone(), json!({ "name": "linear_1.wieght" }))),
            &["`linear_1.wieght`", "is no tensor of the model", "did you mean `linear_1.weight`"],
        ),
        (
            "new: the input channels of a convolution",
            new(json!({
                "name": "conv_stem.conv.weight", "output_dtype": "int8", "y_scale": vec![0.01; 16], "axis": 1,
            })),
            &["`conv_stem.conv.weight`", "index of axis 1", "output channels are axis 0"],
        ),
    ];
    for (case, text, words) in cases {
        bench.write("qat.json", text);
        expect(&bench, case, &QUANTIZE, &[&["qat.json"], words].concat());
    }
    // Both names of one tensor.
    let double = with(weight(), json!({ "name": "model.multi_modal_projector.linear_1.weight" }));
    bench.write("qat.json", file_of(&[], &[weight(), double]));
    let words = ["qat.json: `model.multi_modal_projector.linear_1.weight`", "is the same tensor as `linear_1.weight`"];
    expect(&bench, "two names", &QUANTIZE, &words);
}
