//! Weights of float8 with their scales.

use safetensors::Dtype;

use super::{f32s, models};
use crate::common::bench::{Bench, FILE, INPUT, Tensor, Tensors};

/// 384 x 128 and 128 x 384.
const W1: &str = "model.layers.1.feed_forward.w1.weight";
const W2: &str = "model.layers.1.feed_forward.w2.weight";

/// The number that float8 bits stand for, by their parts.
fn number(bits: u8, mantissa_bits: u32, bias: i32) -> f32 {
    let mantissa = u32::from(bits) & ((1 << mantissa_bits) - 1);
    let exponent = (i32::from(bits & 0x7f)) >> mantissa_bits;
    let part = mantissa as f32 / (1 << mantissa_bits) as f32;
    let size = if exponent == 0 { part * 2f32.powi(1 - bias) } else { (1.0 + part) * 2f32.powi(exponent - bias) };
    if bits < 0x80 { size } else { -size }
}

/// A tensor of float8 with all kinds of finite numbers in it, and its numbers.
fn float8(dtype: Dtype, shape: [usize; 2]) -> (Tensor, Vec<f32>) {
    let (mantissa_bits, bias, largest) = if dtype == Dtype::F8_E4M3 { (3, 7, 0x7e) } else { (2, 15, 0x7b) };
    let data: Vec<u8> = (0..shape[0] * shape[1])
        .map(|at| ((at * 37 + at / 251) % (largest as usize + 1)) as u8 | if at % 3 == 0 { 0x80 } else { 0 })
        .collect();
    let numbers = data.iter().map(|&bits| number(bits, mantissa_bits, bias)).collect();
    (Tensor { dtype, shape: shape.to_vec(), data }, numbers)
}

/// What is stored, and what it is in f32, of one weight.
struct Case {
    name: &'static str,
    dtype: Dtype,
    suffix: &'static str,
    scale_shape: &'static [usize],
    /// Rows and columns of a block.
    block: [usize; 2],
    config: &'static str,
}

#[test]
fn float8_is_read_with_its_scales() {
    let bench = Bench::new();
    let sound = bench.tensors();
    let cases = [
        Case { name: W1, dtype: Dtype::F8_E4M3, suffix: "_scale_inv", scale_shape: &[], block: [384, 128], config: "" },
        Case { name: W1, dtype: Dtype::F8_E5M2, suffix: "_scale", scale_shape: &[1], block: [384, 128], config: "" },
        Case { name: W1, dtype: Dtype::F8_E4M3, suffix: "_scale", scale_shape: &[384, 1], block: [1, 128], config: "" },
        Case { name: W1, dtype: Dtype::F8_E4M3, suffix: "_scale", scale_shape: &[384], block: [1, 128], config: "" },
        Case {
            name: W1,
            dtype: Dtype::F8_E4M3,
            suffix: "_scale_inv",
            scale_shape: &[3, 1],
            block: [128, 128],
            config: "",
        },
        Case {
            name: W2,
            dtype: Dtype::F8_E4M3,
            suffix: "_scale_inv",
            scale_shape: &[1, 3],
            block: [128, 128],
            config: "",
        },
        // The last block is shorter; how long the others are stands in the configuration.
        Case {
            name: W2,
            dtype: Dtype::F8_E4M3,
            suffix: "_scale_inv",
            scale_shape: &[2, 4],
            block: [100, 100],
            config: r#"{"quantization_config": {"quant_method": "fp8", "weight_block_size": [100, 100]}}"#,
        },
    ];
    for Case { name, dtype, suffix, scale_shape, block, config } in cases {
        let shape: [usize; 2] = sound.0[name].shape[..].try_into().unwrap();
        let (stored, numbers) = float8(dtype, shape);
        let count = scale_shape.iter().product::<usize>();
        let scales: Vec<f32> = (0..count).map(|at| 0.001 * (1.0 + at as f32)).collect();
        let across = shape[1].div_ceil(block[1]);
        let scaled: Vec<f32> = numbers
            .iter()
            .enumerate()
            .map(|(at, number)| number * scales[at / shape[1] / block[0] * across + at % shape[1] / block[1]])
            .collect();
        let case = format!("{name} {dtype:?} {suffix} {scale_shape:?}");
        let mut wanted = Tensors(sound.0.clone());
        wanted.0.insert(name.into(), f32s(&shape, &scaled));
        wanted.write(&bench.path(FILE));
        let wanted = models(&bench, &case, "{weights}");
        let mut given = Tensors(sound.0.clone());
        given.0.insert(name.into(), stored);
        given.0.insert(format!("{name}{suffix}"), f32s(scale_shape, &scales));
        given.write(&bench.path(FILE));
        if !config.is_empty() {
            bench.write("weights/config.json", config);
        }
        assert!(models(&bench, &case, "{weights}") == wanted, "{case}");
    }
}

#[test]
fn scales_of_exponents_alone_are_powers_of_two() {
    let bench = Bench::new();
    let mut tensors = bench.tensors();
    let (stored, numbers) = float8(Dtype::F8_E4M3, [384, 128]);
    let scaled: Vec<f32> = numbers.iter().map(|number| number / 1024.0).collect();
    tensors.0.insert(W1.into(), f32s(&[384, 128], &scaled));
    tensors.write(&bench.path(FILE));
    let wanted = models(&bench, "f32", "{weights}");
    tensors.0.insert(W1.into(), stored);
    for dtype in [Dtype::U8, Dtype::F8_E8M0] {
        let scale = Tensor { dtype, shape: vec![3, 1], data: vec![117; 3] };
        tensors.0.insert(format!("{W1}_scale_inv"), scale);
        tensors.write(&bench.path(FILE));
        assert!(models(&bench, "exponents", "{weights}") == wanted, "{dtype:?}");
    }
}

#[test]
fn float8_that_cannot_be_read_is_refused_by_export_and_inspect() {
    let bench = Bench::new();
    let sound = bench.tensors();
    let stored = float8(Dtype::F8_E4M3, [384, 128]).0;
    let scale = format!("{W1}_scale_inv");
    let without = ["is f8_e4m3 without a scale", &scale];
    let cases: [(&str, Option<Tensor>, &[&str]); 5] = [
        ("no scale", None, &without),
        ("other shape", Some(f32s(&[5, 1], &[1.0; 5])), &[&scale, "of shape [5, 1]", "[384, 128]"]),
        ("NaN", Some(f32s(&[1], &[f32::NAN])), &[&scale, "holds the scale NaN"]),
        ("too large", Some(f32s(&[1], &[1e36])), &[&scale, "holds the scale"]),
        (
            "integers",
            Some(Tensor { dtype: Dtype::I32, shape: vec![1], data: vec![0; 4] }),
            &[&scale, "is i32; f32, f16 or bf16 is wanted"],
        ),
    ];
    for (case, scale_tensor, words) in cases {
        let mut tensors = Tensors(sound.0.clone());
        tensors
            .0
            .insert(W1.into(), Tensor { dtype: stored.dtype, shape: stored.shape.clone(), data: stored.data.clone() });
        tensors.0.extend(scale_tensor.map(|tensor| (scale.clone(), tensor)));
        tensors.write(&bench.path(FILE));
        bench.expect(case, &bench.export(), INPUT, words);
        let inspect = bench.run(&["inspect", "{weights}", "--definition", "{graph.toml}"]);
        bench.expect(case, &inspect, INPUT, words);
    }
    let mut tensors = Tensors(sound.0.clone());
    let mut bad = float8(Dtype::F8_E4M3, [384, 128]).0;
    bad.data[130] = 0x7f;
    tensors.0.insert(W1.into(), bad);
    tensors.0.insert(scale.clone(), f32s(&[1], &[1.0]));
    tensors.write(&bench.path(FILE));
    bench.expect("a number that is none", &bench.export(), INPUT, &[W1, "element [1, 2] is NaN"]);
    let mut tensors = Tensors(sound.0.clone());
    let weight = tensors.0.remove(W1).unwrap();
    tensors.0.insert(W1.replace("weight", "qweight"), weight);
    tensors.write(&bench.path(FILE));
    bench.expect("of another way", &bench.export(), INPUT, &[W1, "is missing", "qweight` is of quantized weights"]);
}
