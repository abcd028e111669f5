//! Rounding methods and room in ranges: what they gain on the NPU, and what recipes may say of them.

use std::path::{Path, PathBuf};

use autoneural::ir::ops::{Clip, Conv};
use autoneural::ir::{Builder, Constant, ElementType, Graph, ValueId, ops};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::tower::{self, figure};
use crate::common::{autoneural, numbers, stderr};

const SIZE: usize = 16;
const WIDTHS: [usize; 3] = [3, 24, 24];

/// A convolution with its bias.
fn convolution(b: &mut Builder, name: &str, x: ValueId, shape: [usize; 4], groups: usize, seed: usize) -> ValueId {
    let count = shape.iter().product();
    let fan = (shape[1] * shape[2] * shape[3]) as f32;
    let weights: Vec<f32> = numbers(count, seed).iter().map(|weight| weight * 2.0 / fan.sqrt()).collect();
    let bias: Vec<f32> = numbers(shape[0], seed + 1).iter().map(|bias| bias + 0.5).collect();
    let weights = b.constant(format!("{name}.weight"), Constant::from_values(weights, shape.to_vec())).unwrap();
    let bias = b.constant(format!("{name}.bias"), Constant::from_values(bias, vec![shape[0]])).unwrap();
    let pads = [shape[2] / 2; 4];
    let op = Conv { strides: [1, 1], pads, groups, dilations: [1, 1] };
    b.node(name, op, &[x, weights, bias]).unwrap()
}

/// Convolutions of every kind: over three channels, depthwise behind a clip, pointwise.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, WIDTHS[0], SIZE, SIZE], ElementType::F32).unwrap();
    let clip = Clip { min: Some(0.0), max: Some(6.0) };
    let stem = convolution(&mut b, "stem", x, [WIDTHS[1], WIDTHS[0], 3, 3], 1, 3);
    let stem = b.node("stem.clip", clip.clone(), &[stem]).unwrap();
    let deep = convolution(&mut b, "deep", stem, [WIDTHS[1], 1, 3, 3], WIDTHS[1], 5);
    let deep = b.node("deep.clip", clip, &[deep]).unwrap();
    let wide = convolution(&mut b, "wide", deep, [WIDTHS[2], WIDTHS[1], 1, 1], 1, 7);
    let wide = b.node("wide.relu", ops::Relu, &[wide]).unwrap();
    let last = convolution(&mut b, "last", wide, [8, WIDTHS[2], 1, 1], 1, 9);
    b.finish(vec![last])
}

/// The model with smooth samples; those that judge reach further than those that calibrate.
fn written() -> TempDir {
    tower::written(model(), &[1, WIDTHS[0], SIZE, SIZE], |at| {
        let waves = numbers(WIDTHS[0] * 4, 50 + at);
        let reach = if at < tower::CALIBRATING { 1.0 } else { 1.15 };
        let value = |place: usize| {
            let (channel, y, x) = (place / SIZE / SIZE, place / SIZE % SIZE, place % SIZE);
            let wave = &waves[channel * 4..][..4];
            reach * (wave[0] + wave[1] * (y as f32 * 0.3).sin() + wave[2] * (x as f32 * 0.4 + wave[3]).cos())
        };
        (0..WIDTHS[0] * SIZE * SIZE).map(value).collect()
    })
}

/// A recipe with these lines.
fn recipe(folder: &Path, lines: &str) -> PathBuf {
    tower::recipe(folder, ["int4", "uint16"], lines)
}

fn compile(folder: &Path, lines: &str, out: &Path) -> Value {
    tower::compile(folder, &recipe(folder, lines), &["--max-difference", "99"], out)
}

#[test]
fn weights_of_four_bits_lose_less_the_more_a_method_knows() {
    let folder = written();
    let compile = |name: &str, lines: &str| {
        let report = compile(folder.path(), &format!("headroom = 0.25\n{lines}"), &folder.path().join(name));
        ["simulated", "npu"].map(|engine| figure(&report, engine))
    };
    let nearest = compile("nearest", "");
    let corrected = compile("corrected", "bias_correction = true");
    let behind = compile("behind", "bias_correction = \"quantized-prefix\"");
    let gptq = compile("gptq", "rounding = \"gptq\"\nbias_correction = true");
    let qronos = compile("qronos", "rounding = \"qronos\"\nbias_correction = true");
    println!("{nearest:?} {corrected:?} {behind:?} {gptq:?} {qronos:?}");
    for engine in 0..2 {
        assert!(corrected[engine] > nearest[engine] + 1.0, "{nearest:?} {corrected:?}");
        // Behind the layers that are already quantized the means are about the same here, and so is the figure.
        assert!(behind[engine] > nearest[engine] + 1.0 && behind != corrected, "{nearest:?} {corrected:?} {behind:?}");
        assert!(gptq[engine] > corrected[engine] + 1.0, "{corrected:?} {gptq:?}");
        assert!(qronos[engine] > corrected[engine] + 1.0, "{corrected:?} {qronos:?}");
    }
}

#[test]
fn weights_of_each_head_are_rounded_by_every_method() {
    const SHAPE: [usize; 4] = [1, 2, 12, 16];
    let mut b = Builder::new("tower");
    let x = b.input("x", SHAPE.to_vec(), ElementType::F32).unwrap();
    let weights = b.constant("w", Constant::from_values(numbers(2 * 16 * 8, 3), vec![2, 16, 8])).unwrap();
    let product = b.node("product", ops::MatMul, &[x, weights]).unwrap();
    let made = b.node("made", ops::Relu, &[product]).unwrap();
    let folder = tower::written(b.finish(vec![made]), &SHAPE, |at| numbers(SHAPE.iter().product(), 20 + at));
    for (at, lines) in [
        "rounding = \"gptq\"\nbias_correction = true",
        "rounding = \"qronos\"\nbias_correction = true",
        "bias_correction = \"quantized-prefix\"",
        "weight_scales = \"output-mse\"",
    ]
    .into_iter()
    .enumerate()
    {
        let recipe = tower::recipe(folder.path(), ["int8", "uint16"], lines);
        let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join(format!("out{at}")));
        let made = figure(&report, "npu");
        assert!(made > 35.0, "{lines}: {made} dB");
    }
}

/// Heads of detectors multiply values of several levels with the same weights; the second is made from the first here, and
/// comes first by its name.
#[test]
fn weights_that_nodes_share_are_rounded_by_what_all_of_them_read() {
    const SHAPE: [usize; 4] = [1, 16, 6, 6];
    let mut b = Builder::new("tower");
    let x = b.input("x", SHAPE.to_vec(), ElementType::F32).unwrap();
    let weights = Constant::from_values(numbers(16 * 16 * 9, 3).iter().map(|w| w * 0.2).collect(), vec![16, 16, 3, 3]);
    let weights = b.constant("w", weights).unwrap();
    let bias = b.constant("bias", Constant::from_values(numbers(16, 4), vec![16])).unwrap();
    let conv = ops::Conv { strides: [1, 1], pads: [1; 4], groups: 1, dilations: [1, 1] };
    let first = b.node("first", conv.clone(), &[x, weights, bias]).unwrap();
    let read = b.node("a", ops::Relu, &[first]).unwrap();
    let second = b.node("second", conv, &[read, weights, bias]).unwrap();
    let made = b.node("made", ops::Add, &[second, read]).unwrap();
    let folder = tower::written(b.finish(vec![made]), &SHAPE, |at| numbers(SHAPE.iter().product(), 20 + at));
    let figure = |name: &str, lines: &str| {
        let recipe = tower::recipe(folder.path(), ["int4", "uint16"], lines);
        figure(&tower::compile(folder.path(), &recipe, &["--max-difference", "99"], &folder.path().join(name)), "npu")
    };
    let nearest = figure("nearest", "");
    for (name, lines) in [
        ("qronos", "rounding = \"qronos\"\nbias_correction = true"),
        ("prefix", "rounding = \"gptq\"\nbias_correction = \"quantized-prefix\""),
    ] {
        let made = figure(name, lines);
        println!("{nearest} {name} {made}");
        assert!(made > nearest + 1.0, "{name}: {made} dB, nearest {nearest} dB");
    }
}

#[test]
fn values_beyond_what_was_seen_have_room() {
    let folder = written();
    let compile = |name: &str, lines: &str| compile(folder.path(), lines, &folder.path().join(name));
    let (without, with) = (compile("without", "headroom = 0"), compile("with", "headroom = 0.25"));
    let cut = |report: &Value| report["partitions"][0]["outputs"][0]["encoding"]["cut_off_db"].as_f64();
    let [without, with] = [cut(&without), cut(&with)].map(|db| db.unwrap_or(200.0));
    assert!(with > without + 10.0, "{without} dB, with room {with} dB");
}

#[test]
fn a_layer_that_is_known_is_not_rounded_again_and_later_ones_follow_it() {
    let folder = written();
    let out = folder.path().join("out");
    let lines = "rounding = \"qronos\"\nbias_correction = true";
    compile(folder.path(), lines, &out);
    let codes = |name: &str| std::fs::read(out.join(format!("codes/tower/{name}.weight.safetensors"))).unwrap();
    let names = ["stem", "deep", "wide", "last"];
    let before = names.map(codes);
    // Only the last layer is lost: what is read of the others gives it again.
    std::fs::remove_file(out.join("codes/tower/last.weight.safetensors")).unwrap();
    compile(folder.path(), lines, &out);
    assert_eq!(names.map(codes), before);
    // The same again is up to date.
    let report = std::fs::read(out.join("report.json")).unwrap();
    compile(folder.path(), lines, &out);
    assert_eq!(std::fs::read(out.join("report.json")).unwrap(), report);
}

#[test]
fn what_recipes_say_wrongly_of_rounding_is_told() {
    let folder = written();
    let model = folder.path().join("tower.onnx");
    let refused = |lines: &str| {
        let (recipe, out) = (recipe(folder.path(), lines), folder.path().join("none"));
        let [model, recipe, out] = [&model, &recipe, &out].map(|path| path.to_str().unwrap());
        let arguments = ["compile", model, "--calibration", recipe, "--target", "sa8295p", "--out", out];
        let output = autoneural(&[&arguments[..], &["--verify", "none"]].concat());
        assert!(!output.status.success() && !Path::new(out).exists(), "{lines}");
        stderr(&output)
    };
    let said = refused("rounding = \"farthest\"");
    assert!(said.contains("`farthest` is no rounding method; there are nearest, gptq, qronos"), "{said}");
    let said = refused("headroom = -0.5");
    assert!(said.contains("recipe.tower.headroom") && said.contains("0 to 3"), "{said}");
    let said = refused("bias_correction = \"yes\"");
    assert!(said.contains("recipe.toml:7: ") && said.contains("`true`, `false` or \"quantized-prefix\""), "{said}");
}
