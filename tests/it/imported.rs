//! ONNX models of other programs: samples and references in their own types, and what is said where one is not taken.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::onnx::{BOOL, FLOAT, INT64, integers, reals, write};
use crate::common::{autoneural, numbers, stderr, succeed};

const TOKENS: usize = 4;
const WIDTH: usize = 3;

/// Rows of embeddings of 8 tokens.
fn table() -> Vec<f32> {
    (0..8 * WIDTH).map(|at| (at * 7 % 11) as f32 / 4.0 - 1.0).collect()
}

/// A model that embeds tokens, hides some of them, and says which number of each is the largest.
fn embedding(path: &Path) {
    let tokens = [1, TOKENS as i64];
    let wide = [1, TOKENS as i64, WIDTH as i64];
    let inputs: [(&str, i32, &[i64]); 3] = [("ids", INT64, &tokens), ("kept", BOOL, &tokens), ("scale", FLOAT, &wide)];
    let constants = vec![reals("table", &[8, WIDTH as i64], table()), integers("last", &[-1])];
    let nodes = [
        "embed: Gather table ids -> rows",
        "real: Cast kept to=1 -> real",
        "wide: Unsqueeze real last -> wide",
        "hide: Mul rows wide -> hidden",
        "scaled: Mul hidden scale -> y",
        "which: ArgMax y axis=-1 keepdims=0 -> best",
    ];
    write(path, &inputs, constants, &nodes, &[("y", FLOAT, &wide), ("best", INT64, &tokens)]);
}

/// What PyTorch holds of such a model: tokens and classes in 64 bits, truths as such, half and double precision.
#[test]
fn parity_takes_the_types_that_models_have() {
    let folder = TempDir::new().unwrap();
    let [model, out, reference] =
        ["m.onnx", "out", "r.safetensors"].map(|name| folder.path().join(name).to_str().unwrap().to_string());
    embedding(Path::new(&model));
    succeed(&["export", &model, "--target", "sa8295p", "--out", &out, "-q"]);
    let (ids, kept) = ([5i64, 0, 3, 7], vec![1u8, 1, 0, 1]);
    let scale: Vec<half::f16> = (0..TOKENS * WIDTH).map(|at| half::f16::from_f32(at as f32 / 8.0 + 0.5)).collect();
    let y: Vec<f64> = (0..TOKENS * WIDTH)
        .map(|at| {
            let value = table()[ids[at / WIDTH] as usize * WIDTH + at % WIDTH] * f32::from(kept[at / WIDTH]);
            f64::from(value) * scale[at].to_f64()
        })
        .collect();
    let best = |y: &[f64]| -> Vec<i64> {
        let first = |row: &[f64]| {
            let most = row.iter().copied().fold(f64::MIN, f64::max);
            row.iter().position(|&value| value == most).unwrap() as i64
        };
        y.chunks(WIDTH).map(first).collect()
    };
    let record = |best: &[i64]| {
        let [ids, best] = [&ids[..], best].map(|all| all.iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<u8>>());
        let scale: Vec<u8> = scale.iter().flat_map(|one| one.to_le_bytes()).collect();
        let y: Vec<u8> = y.iter().flat_map(|one| one.to_le_bytes()).collect();
        let nan: Vec<u8> = f32::NAN.to_le_bytes().to_vec();
        let arrays = [
            ("ids", Dtype::I64, vec![1, TOKENS], &ids),
            ("kept", Dtype::BOOL, vec![1, TOKENS], &kept),
            ("scale", Dtype::F16, vec![1, TOKENS, WIDTH], &scale),
            ("y", Dtype::F64, vec![1, TOKENS, WIDTH], &y),
            ("best", Dtype::I64, vec![1, TOKENS], &best),
            // What is no input or output is not looked at.
            ("note", Dtype::F32, vec![1], &nan),
        ]
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(dtype, shape, bytes).unwrap()));
        std::fs::write(&reference, serialize(arrays, None).unwrap()).unwrap();
    };
    let figures = || -> Vec<f64> {
        let said = autoneural(&["parity", &out, "--reference", &reference, "--json", "--min-sqnr", "0"]);
        let found: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
        found.as_array().unwrap().iter().map(|one| one["sqnr_db"].as_f64().unwrap()).collect()
    };
    record(&best(&y));
    assert!(figures().iter().all(|&db| db > 100.0), "{:?}", figures());
    // Another class is noise, as for all outputs.
    record(&best(&y).iter().map(|class| class + 1).collect::<Vec<_>>());
    assert!(figures()[0] > 100.0 && figures()[1] < 10.0, "{:?}", figures());
}

/// Weights that follow from the data: the NPU takes none, so the CPU has that convolution.
#[test]
fn a_convolution_with_computed_weights_goes_to_the_cpu() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let image: (&str, i32, &[i64]) = ("x", FLOAT, &[1, 4, 6, 6]);
    let experts = reals("experts", &[4, 4 * 4 * 9], numbers(4 * 4 * 4 * 9, 7));
    let nodes = [
        "mean: GlobalAveragePool x -> mean",
        "flat: Flatten mean -> flat",
        "mixed: MatMul flat experts -> mixed",
        "kernel: Reshape mixed shape -> kernel",
        "turned: Conv x kernel pads=1,1,1,1 -> y",
    ];
    let constants = vec![experts, integers("shape", &[4, 4, 3, 3])];
    write(Path::new(&path("m.onnx")), &[image], constants, &nodes, &[("y", FLOAT, &[1, 4, 6, 6])]);
    let x: Vec<u8> = numbers(4 * 36, 3).into_iter().flat_map(f32::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F32, vec![1, 4, 6, 6], &x).unwrap();
    std::fs::write(path("x.safetensors"), serialize([("x", view)], None).unwrap()).unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    let [model, samples, out, empty] = ["m.onnx", "x.safetensors", "out", "empty"].map(path);
    let args = ["compile", &model, "--calibration", &samples, "--verification", &samples];
    let said = succeed(&[&args[..], &["--target", "sa8295p", "--out", &out, "--toolkit", &empty]].concat());
    let why = "m: on the CPU 1 Conv, in 1 of 2 segments: target sa8295p takes Conv where `w` is constant; here it is computed";
    assert!(said.contains(why), "{said}");
}

/// All that is wrong with a model is told at once, with what to do about each.
#[test]
fn what_is_not_read_has_a_way_round() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.onnx");
    let film: (&str, i32, &[i64]) = ("film", FLOAT, &[1, 2, 4, 6, 6]);
    let inputs = [film, ("ids", INT64, &[1, 4]), ("scores", FLOAT, &[1, 9])];
    let constants = vec![reals("w", &[1, 2, 3, 3, 3], numbers(54, 1)), integers("k", &[3])];
    let nodes = [
        "moves: Conv film w pads=1,1,1,1,1,1 -> a",
        "next: ArgMax scores axis=1 -> best",
        "picked: GatherElements scores ids axis=1 -> b",
        "more: Add ids best -> sum",
        "real: Cast sum to=1 -> c",
        "sorted: TopK scores k -> d places",
    ];
    let outputs = ["a", "b", "c", "d"].map(|name| (name, FLOAT, &[][..]));
    write(&path, &inputs, constants, &nodes, &outputs);
    let [model, out] = [path, folder.path().join("out")].map(|path| path.to_str().unwrap().to_string());
    let output = autoneural(&["export", &model, "--target", "sa8295p", "--out", &out]);
    let said = stderr(&output);
    for words in [
        "Conv (`moves`) four axes are wanted, not [1, 2, 3, 3, 3]",
        "Add (`more`) computes with `ids`, whose elements pick others, too",
        "operators that are not supported: TopK (`sorted`)",
        "write others as a sum of convolutions over two axes",
        "compute on the host what is computed of them, and give it to the model as an input of its own",
        "the largest number alone is ReduceMax, and its place ArgMax",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// A norm without an epsilon divides by zero where all numbers are: the sample that has them is told, and where.
#[test]
fn a_sample_that_makes_what_is_infinite_is_named() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let x: (&str, i32, &[i64]) = ("x", FLOAT, &[1, 2, 4]);
    let nodes = [
        "square: Mul x x -> square",
        "mean: ReduceMean square axes=2,1 keepdims=1 -> mean",
        "root: Sqrt mean -> root",
        "inverse: Reciprocal root -> inverse",
        "norm: Mul x inverse -> y",
    ];
    write(Path::new(&path("m.onnx")), &[x], vec![], &nodes, &[("y", FLOAT, &[1, 2, 4])]);
    let mut values = numbers(3 * 8, 5);
    values[16..].fill(0.0);
    let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F32, vec![3, 1, 2, 4], &bytes).unwrap();
    std::fs::write(path("x.safetensors"), serialize([("x", view)], None).unwrap()).unwrap();
    let [model, samples, out] = ["m.onnx", "x.safetensors", "out"].map(path);
    let args = ["compile", &model, "--calibration", &samples, "--verification", &samples, "--verify", "none"];
    let output = autoneural(&[&args[..], &["--target", "sa8295p", "--out", &out]].concat());
    let said = stderr(&output);
    let wanted = "x.safetensors: calibration[2]: m: inverse: is the first value of the float model that is infinite, at \
                  [0, 0, 0]; Reciprocal makes it of `root`";
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(wanted) && said.contains("the model divides by zero"), "{said}");
}
