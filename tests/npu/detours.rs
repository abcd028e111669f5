//! Operators that the vendor's compiler gets wrong or refuses, which are computed in another way.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ValueId, ops};

use crate::common::numbers;
use crate::common::tower::{self, figure};

/// A convolution of each pixel, as most of these operators stand behind one.
fn pixels(b: &mut Builder, x: ValueId, channels: usize) -> ValueId {
    let weights = numbers(channels * channels, 3).into_iter().map(|number| number * 0.5).collect();
    let weights = b.constant("w", Constant::from_values(weights, vec![channels, channels, 1, 1])).unwrap();
    let conv = ops::Conv { strides: [1; 2], pads: [0; 4], groups: 1, dilations: [1; 2] };
    b.node("pixels", conv, &[x, weights]).unwrap()
}

/// The model of a case, and the shape of its input.
fn model(case: &str) -> (Graph, Vec<usize>) {
    let mut b = Builder::new("tower");
    let shape = match case {
        "gather" => vec![1, 40, 8],
        "base" => vec![1, 12, 8],
        "silu of a tall image" => vec![1, 16, 16, 6],
        "softplus" => vec![1, 16, 10, 12],
        _ => vec![1, 8, 9, 9],
    };
    let x = b.input("x", shape.clone(), ElementType::F32).unwrap();
    let kernel = |b: &mut Builder, shape: [usize; 4]| {
        let values = numbers(shape.iter().product(), 5).into_iter().map(|number| number * 0.4).collect();
        b.constant("kernel", Constant::from_values(values, shape.to_vec())).unwrap()
    };
    let y = match case {
        "gather" => {
            let places = (0..36).map(|at| at * 7 % 40).collect();
            let places = Constant::from_integers(ElementType::I32, places, vec![36]);
            let places = b.constant("places", places).unwrap();
            b.node("y", ops::Gather { axis: 1 }, &[x, places]).unwrap()
        }
        "base" => {
            let base = b.constant("base", Constant::from_values(vec![2.0], vec![1])).unwrap();
            b.node("y", ops::Pow, &[base, x]).unwrap()
        }
        "silu of a tall image" => {
            let made = pixels(&mut b, x, 16);
            let gate = b.node("gate", ops::Sigmoid, &[made]).unwrap();
            b.node("y", ops::Mul, &[made, gate]).unwrap()
        }
        "softplus" => {
            let made = pixels(&mut b, x, 16);
            b.node("y", ops::Softplus, &[made]).unwrap()
        }
        "output padding" => {
            let kernel = kernel(&mut b, [8, 1, 3, 3]);
            let op = ops::ConvTranspose { strides: [2; 2], pads: [1; 4], output_padding: [1; 2], groups: 8 };
            b.node("y", op, &[x, kernel]).unwrap()
        }
        _ => {
            let kernel = kernel(&mut b, [4, 8, 3, 3]);
            let op = ops::Conv { strides: [2; 2], pads: [2; 4], groups: 1, dilations: [2; 2] };
            b.node("y", op, &[x, kernel]).unwrap()
        }
    };
    (b.finish(vec![y]), shape)
}

#[test]
fn what_the_compiler_gets_wrong_goes_another_way() {
    for case in ["gather", "base", "silu of a tall image", "softplus", "output padding", "stride and dilation"] {
        let (graph, shape) = model(case);
        let count = shape.iter().product();
        let folder = tower::written(graph, &shape, |at| numbers(count, 110 + at));
        let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "");
        let report = tower::compile(folder.path(), &recipe, &[], &folder.path().join("out"));
        let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
        assert!(npu > 35.0, "{case}: {simulated} dB, NPU {npu} dB");
    }
}
