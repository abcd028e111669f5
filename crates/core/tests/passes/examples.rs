//! For each pass a small graph that shows what it does.

use autoneural_core::ir::{Builder, Constant, ElementType, Graph, ValueId, ops};

/// The graph for the pass of a name.
pub fn example(pass: &str) -> Graph {
    let b = Builder::new("example");
    match pass {
        "fold_constants" => fold_constants(b),
        "pick_first" => pick_first(b),
        "skip_neutral" => skip_neutral(b),
        "skip_repeats" => skip_repeats(b),
        "fold_biases" => fold_biases(b),
        "fold_pads" => fold_pads(b),
        "join_pads" => join_pads(b),
        "fold_scales" => fold_scales(b),
        "add_to_parts" => add_to_parts(b),
        "legalize" => legalize(b),
        "constant_last" => constant_last(b),
        "give_biases" => give_biases(b),
        "last_axis" => last_axis(b),
        "fewer_axes" => fewer_axes(b),
        "merge_moves" => merge_moves(b),
        "outer_products" => outer_products(b),
        "prune" => prune(b),
        other => panic!("there is no example for the pass {other}"),
    }
}

fn input(b: &mut Builder, name: &str, shape: &[usize]) -> ValueId {
    b.input(name, shape.to_vec(), ElementType::F32).unwrap()
}

fn constant(b: &mut Builder, name: &str, shape: &[usize]) -> ValueId {
    let values = vec![0.5; shape.iter().product()];
    b.constant(name, Constant::from_values(values, shape.to_vec())).unwrap()
}

/// A table of positions that is turned and added to weights.
fn fold_constants(mut b: Builder) -> Graph {
    let (x, table) = (input(&mut b, "x", &[1, 3, 4]), constant(&mut b, "table", &[4, 3]));
    let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[table]).unwrap();
    let y = b.node("y", ops::Add, &[x, turned]).unwrap();
    b.finish(vec![y])
}

/// Tokens that are turned before they pick their embeddings.
fn pick_first(mut b: Builder) -> Graph {
    let ids = b.input("ids", vec![1, 3], ElementType::I64).unwrap();
    let table = constant(&mut b, "table", &[5, 4]);
    let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[ids]).unwrap();
    let y = b.node("y", ops::Gather { axis: 0 }, &[table, turned]).unwrap();
    b.finish(vec![y])
}

/// A shift and a factor that were not trained.
fn skip_neutral(mut b: Builder) -> Graph {
    let x = input(&mut b, "x", &[1, 3]);
    let of = |value: f32| Constant::from_values(vec![value; 3], vec![3]);
    let (ones, zeros) = (b.constant("ones", of(1.0)).unwrap(), b.constant("zeros", of(0.0)).unwrap());
    let scaled = b.node("scaled", ops::Mul, &[x, ones]).unwrap();
    let shifted = b.node("shifted", ops::Add, &[scaled, zeros]).unwrap();
    let y = b.node("y", ops::Relu, &[shifted]).unwrap();
    b.finish(vec![y])
}

/// Rows divided by their lengths, which are as long as the rows.
fn skip_repeats(mut b: Builder) -> Graph {
    let x = input(&mut b, "x", &[1, 3, 4]);
    let length = b.node("length", ops::ReduceL2 { axes: vec![2], keepdims: true }, &[x]).unwrap();
    let repeated = b.node("repeated", ops::Concat { axis: 2 }, &[length; 4]).unwrap();
    let y = b.node("y", ops::Div, &[x, repeated]).unwrap();
    b.finish(vec![y])
}

/// A column of ones behind what a product reads.
fn join_pads(mut b: Builder) -> Graph {
    let (x, keys) = (input(&mut b, "x", &[1, 4, 3]), input(&mut b, "keys", &[1, 5, 4]));
    let pad = ops::Pad { before: vec![0, 0, 0], after: vec![0, 0, 1], padding: ops::Padding::Constant(1.0) };
    let padded = b.node("padded", pad, &[x]).unwrap();
    let y = b.node("y", ops::MatMul, &[keys, padded]).unwrap();
    b.finish(vec![y])
}

/// A transposed convolution whose bias is a sum of its own.
fn fold_biases(mut b: Builder) -> Graph {
    let (x, w) = (input(&mut b, "x", &[1, 2, 3, 3]), constant(&mut b, "weight", &[2, 3, 2, 2]));
    let added = constant(&mut b, "added", &[1, 3, 1, 1]);
    let op = ops::ConvTranspose { strides: [2, 2], pads: [0; 4], output_padding: [0; 2], groups: 1 };
    let made = b.node("upsampled", op, &[x, w]).unwrap();
    let y = b.node("y", ops::Add, &[made, added]).unwrap();
    b.finish(vec![y])
}

/// Padding before a convolution, and before a pool of what is not below zero.
fn fold_pads(mut b: Builder) -> Graph {
    let (x, w) = (input(&mut b, "x", &[1, 2, 6, 6]), constant(&mut b, "weight", &[3, 2, 3, 3]));
    let pad = ops::Pad { before: vec![0, 0, 1, 1], after: vec![0, 0, 1, 1], padding: ops::Padding::Constant(0.0) };
    let padded = b.node("image.padded", pad.clone(), &[x]).unwrap();
    let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
    let made = b.node("conv", conv, &[padded, w]).unwrap();
    let made = b.node("relu", ops::Relu, &[made]).unwrap();
    let padded = b.node("relu.padded", pad, &[made]).unwrap();
    let pool = ops::MaxPool { kernel: [3, 3], strides: [2, 2], pads: [0; 4] };
    let y = b.node("pool", pool, &[padded]).unwrap();
    b.finish(vec![y])
}

/// A projection with bias and LayerScale, and an attention with a scale whose query is projected.
fn fold_scales(mut b: Builder) -> Graph {
    let (x, w) = (input(&mut b, "x", &[1, 3, 4]), constant(&mut b, "weight", &[4, 8]));
    let (bias, gamma) = (constant(&mut b, "bias", &[8]), constant(&mut b, "gamma", &[8]));
    let product = b.node("proj.product", ops::MatMul, &[x, w]).unwrap();
    let projected = b.node("proj", ops::Add, &[product, bias]).unwrap();
    let scaled = b.node("layer_scale", ops::Mul, &[projected, gamma]).unwrap();
    let wq = constant(&mut b, "query.weight", &[8, 8]);
    let q = b.node("query", ops::MatMul, &[scaled, wq]).unwrap();
    let heads = b.node("query.heads", ops::Reshape { shape: vec![1, 3, 2, 4] }, &[q]).unwrap();
    let q = b.node("query.turned", ops::Transpose { perm: vec![0, 2, 1, 3] }, &[heads]).unwrap();
    let (k, v) = (input(&mut b, "k", &[1, 1, 4, 5]), input(&mut b, "v", &[1, 1, 5, 4]));
    let y = b.node("attention", ops::Attention { scale: 0.5 }, &[q, k, v]).unwrap();
    b.finish(vec![y])
}

/// Tokens behind a class token, with positions added.
fn add_to_parts(mut b: Builder) -> Graph {
    let (x, token) = (input(&mut b, "x", &[1, 3, 4]), constant(&mut b, "token", &[1, 1, 4]));
    let tokens = b.node("tokens", ops::Concat { axis: 1 }, &[token, x]).unwrap();
    let positions = constant(&mut b, "positions", &[1, 4, 4]);
    let y = b.node("y", ops::Add, &[tokens, positions]).unwrap();
    b.finish(vec![y])
}

/// Every operator that is spelled out, and a normalization of channels.
fn legalize(mut b: Builder) -> Graph {
    let (x, gamma) = (input(&mut b, "x", &[1, 2, 3, 4]), constant(&mut b, "gamma", &[2]));
    let norm = b.node("norm", ops::RmsNorm { axis: 1, epsilon: 1e-6 }, &[x, gamma]).unwrap();
    let gate = b.node("gate", ops::Silu, &[norm]).unwrap();
    let (cos, sin) = (input(&mut b, "cos", &[1, 1, 3, 4]), input(&mut b, "sin", &[1, 1, 3, 4]));
    let q = b.node("q", ops::Rope, &[gate, cos, sin]).unwrap();
    let (k, v) = (input(&mut b, "k", &[1, 1, 4, 5]), input(&mut b, "v", &[1, 1, 5, 4]));
    let mask = input(&mut b, "mask", &[1, 1, 3, 5]);
    let y = b.node("attention", ops::Attention { scale: 0.5 }, &[q, k, v, mask]).unwrap();
    b.finish(vec![y])
}

/// A query that was learned, by keys.
fn constant_last(mut b: Builder) -> Graph {
    let (query, keys) = (constant(&mut b, "query", &[1, 1, 4]), input(&mut b, "keys", &[2, 4, 3]));
    let y = b.node("y", ops::MatMul, &[query, keys]).unwrap();
    b.finish(vec![y])
}

/// A depthwise convolution without a bias.
fn give_biases(mut b: Builder) -> Graph {
    let (x, w) = (input(&mut b, "x", &[1, 2, 6, 6]), constant(&mut b, "weight", &[2, 1, 3, 3]));
    let conv = ops::Conv { strides: [1, 1], pads: [1; 4], groups: 2, dilations: [1, 1] };
    let y = b.node("y", conv, &[x, w]).unwrap();
    b.finish(vec![y])
}

/// A softmax over channels.
fn last_axis(mut b: Builder) -> Graph {
    let x = input(&mut b, "x", &[1, 2, 3, 4]);
    let y = b.node("y", ops::Softmax { axis: 1 }, &[x]).unwrap();
    b.finish(vec![y])
}

/// A picture that is cut into windows, each of which is turned, squashed and averaged.
fn fewer_axes(mut b: Builder) -> Graph {
    let x = input(&mut b, "x", &[1, 4, 6, 5]);
    let cut = b.node("cut", ops::Reshape { shape: vec![1, 2, 2, 3, 2, 5] }, &[x]).unwrap();
    let windows = b.node("windows", ops::Transpose { perm: vec![0, 1, 3, 2, 4, 5] }, &[cut]).unwrap();
    let squashed = b.node("squashed", ops::Softmax { axis: 5 }, &[windows]).unwrap();
    let y = b.node("y", ops::ReduceMean { axes: vec![5], keepdims: false }, &[squashed]).unwrap();
    b.finish(vec![y])
}

/// Channels to the last axis, and back; two reshapes.
fn merge_moves(mut b: Builder) -> Graph {
    let x = input(&mut b, "x", &[1, 2, 3, 4]);
    let last = b.node("last", ops::Transpose { perm: vec![0, 2, 3, 1] }, &[x]).unwrap();
    let back = b.node("back", ops::Transpose { perm: vec![0, 3, 1, 2] }, &[last]).unwrap();
    let flat = b.node("flat", ops::Reshape { shape: vec![24] }, &[back]).unwrap();
    let rows = b.node("rows", ops::Reshape { shape: vec![4, 6] }, &[flat]).unwrap();
    let y = b.node("y", ops::Sigmoid, &[rows]).unwrap();
    b.finish(vec![y])
}

/// What keys add to the memory of linear attention: each number of a key with each of its value.
fn outer_products(mut b: Builder) -> Graph {
    let (key, value) = (input(&mut b, "key", &[3, 4]), input(&mut b, "value", &[3, 4]));
    let key = b.node("key.column", ops::Reshape { shape: vec![3, 4, 1] }, &[key]).unwrap();
    let value = b.node("value.row", ops::Reshape { shape: vec![3, 1, 4] }, &[value]).unwrap();
    let y = b.node("y", ops::Mul, &[key, value]).unwrap();
    b.finish(vec![y])
}

/// Nodes behind which nothing comes, and their constant.
fn prune(mut b: Builder) -> Graph {
    let (x, unread) = (input(&mut b, "x", &[2, 3]), constant(&mut b, "unread", &[3]));
    let dead = b.node("dead", ops::Add, &[x, unread]).unwrap();
    b.node("deader", ops::Sigmoid, &[dead]).unwrap();
    let y = b.node("y", ops::Sigmoid, &[x]).unwrap();
    b.finish(vec![y])
}
