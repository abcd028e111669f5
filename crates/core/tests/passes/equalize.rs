//! Equalization: graphs compute what they did, and values whose channels differ by far differ by less.

use std::collections::BTreeMap;

use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::equalize::{Equalize, METHODS};
use autoneural_core::evidence::{Ask, Collection, Observer};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::as_built;
use autoneural_core::program::Group;

use super::random::{Numbers, graph};
use super::run::{run, values};

fn partition(name: &str, graph: &Graph) -> Partition {
    let ports = |ids: &[_]| {
        let name = |id: &_| graph.value(*id).name.clone();
        ids.iter().map(|id| Port::plain(name(id))).collect()
    };
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    Partition {
        name: name.into(),
        group: Group::of_graph(name).unwrap(),
        graph: as_built(graph).unwrap(),
        inputs,
        outputs,
    }
}

fn method(text: &str) -> Equalize {
    toml::from_str(text).unwrap()
}

/// The graphs of a group, equalized with what these inputs show; the error if nothing in them can be.
fn equalized(how: &Equalize, graphs: &[Partition], inputs: &[Constant]) -> Result<Vec<Partition>, String> {
    let group = &graphs[0].group;
    let asks = how.wants(group, graphs).map_err(|error| error.to_string())?;
    let collection = Collection::new(asks);
    for partition in graphs {
        let watcher = collection.watcher(group, &partition.name);
        for (name, value) in values(&partition.graph, inputs) {
            watcher.see(&name, value.shape(), &value.to_f32());
        }
    }
    let seen: BTreeMap<Ask, Observer> = collection.take().unwrap();
    Ok(how.apply(group, IntegerType::Int4.into(), graphs, &seen).unwrap())
}

/// Power of two of the spread of a value's channels, on the last axis: the largest peak against the middle one.
fn spread(graph: &Graph, inputs: &[Constant], name: &str) -> f32 {
    let value = &values(graph, inputs)[name];
    let width = *value.shape().last().unwrap();
    let mut peaks = vec![0f32; width];
    for row in value.to_f32().chunks(width) {
        peaks.iter_mut().zip(row).for_each(|(peak, value)| *peak = peak.max(value.abs()));
    }
    peaks.sort_by(f32::total_cmp);
    (peaks[width - 1] / peaks[width / 2]).log2()
}

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| (((at + 31 * seed) * 7919 + seed) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// Factors of a normalization with one channel that is 100 times the others, and weights of two layers that read it.
fn with_a_large_channel() -> [Constant; 3] {
    let mut gamma = vec![1.0; 16];
    gamma[5] = 100.0;
    let weight = |seed: usize| Constant::from_values(numbers(16 * 8, seed), vec![16, 8]);
    [Constant::from_values(gamma, vec![16]), weight(1), weight(2)]
}

/// A normalization that two layers read, of these constants.
fn normalized(name: &str, [gamma, first, second]: &[Constant; 3]) -> Graph {
    let mut b = Builder::new(name);
    let x = b.input("x", vec![1, 6, 16], ElementType::F32).unwrap();
    let gamma = b.constant("gamma", gamma.clone()).unwrap();
    let normal = b.node("normal", ops::RmsNorm { axis: 2, epsilon: 1e-5 }, &[x, gamma]).unwrap();
    let layer = |b: &mut Builder, name: &str, weight: &Constant| {
        let weight = b.constant(format!("{name}.weight"), weight.clone()).unwrap();
        b.node(name, ops::MatMul, &[normal, weight]).unwrap()
    };
    let outputs = vec![layer(&mut b, "first", first), layer(&mut b, "second", second)];
    b.finish(outputs)
}

#[test]
fn every_method_keeps_the_function_of_random_graphs() {
    // Random graphs have no residual stream; `hadamard` has tests of its own.
    for method in METHODS.iter().filter(|method| method.name() != "hadamard") {
        let how = self::method(&format!("method = \"{}\"", method.name()));
        let mut changed = 0;
        for seed in 0..600 {
            let (built, inputs) = graph(&mut Numbers::new(seed));
            let before = [partition("some", &built)];
            let Ok(after) = equalized(&how, &before, &inputs) else { continue };
            assert_eq!(after.len(), 1);
            assert_eq!((&after[0].name, &after[0].inputs), (&before[0].name, &before[0].inputs));
            changed += u32::from(constants(&after[0].graph) != constants(&built));
            for (a, b) in run(&built, &inputs).iter().zip(run(&after[0].graph, &inputs)) {
                let largest = a.iter().fold(1.0f32, |most, value| most.max(value.abs()));
                for (a, b) in a.iter().zip(b) {
                    assert!(
                        (a - b).abs() <= 1e-4 * largest || *a == b,
                        "{}, graph {seed}: {b}, was {a}",
                        method.name()
                    );
                }
            }
        }
        assert!(changed >= 10, "{} changed {changed} graphs", method.name());
    }
}

/// Blocks that add to a stream of 12 channels, to one of them far more than to the others; an `odd` graph has another
/// reader of the stream.
fn stream(name: &str, rows: usize, odd: bool) -> Graph {
    const WIDTH: usize = 12;
    let mut b = Builder::new(name);
    let mut x = b.input("x", vec![1, rows, WIDTH], ElementType::F32).unwrap();
    let weight = |b: &mut Builder, name: String, numbers: Vec<f32>, shape: Vec<usize>| {
        b.constant(name, Constant::from_values(numbers, shape)).unwrap()
    };
    let gains = |seed| numbers(WIDTH, seed).iter().map(|gain| 1.5 + gain).collect::<Vec<f32>>();
    let norm = ops::RmsNorm { axis: 2, epsilon: 1e-5 };
    for block in 0..2 {
        let gamma = weight(&mut b, format!("{block}.gamma"), gains(block), vec![WIDTH]);
        let normal = b.node(format!("{block}.normal"), norm.clone(), &[x, gamma]).unwrap();
        let up = weight(&mut b, format!("{block}.up.weight"), numbers(WIDTH * 8, 10 + block), vec![WIDTH, 8]);
        let up = b.node(format!("{block}.up"), ops::MatMul, &[normal, up]).unwrap();
        let hidden = b.node(format!("{block}.tanh"), ops::Tanh, &[up]).unwrap();
        let mut down = numbers(8 * WIDTH, 20 + block);
        down.iter_mut().skip(5).step_by(WIDTH).for_each(|weight| *weight *= 100.0);
        let down = weight(&mut b, format!("{block}.down.weight"), down, vec![8, WIDTH]);
        let down = b.node(format!("{block}.down"), ops::MatMul, &[hidden, down]).unwrap();
        x = b.node(format!("{block}.sum"), ops::Add, &[x, down]).unwrap();
    }
    let mut outputs = Vec::new();
    if odd {
        outputs.push(b.node("odd", ops::Tanh, &[x]).unwrap());
    }
    let gamma = weight(&mut b, "last.gamma".into(), gains(7), vec![WIDTH]);
    let normal = b.node("last", norm, &[x, gamma]).unwrap();
    let head = weight(&mut b, "head.weight".into(), numbers(WIDTH * 5, 30), vec![WIDTH, 5]);
    outputs.insert(0, b.node("scores", ops::MatMul, &[normal, head]).unwrap());
    b.finish(outputs)
}

#[test]
fn a_rotated_stream_computes_the_same_and_has_no_large_channel() {
    let graphs =
        [("some.first", 6), ("some.second", 1)].map(|(name, rows)| partition(name, &stream(name, rows, false)));
    let how = method("method = \"hadamard\"");
    let nothing: BTreeMap<Ask, Observer> = BTreeMap::new();
    let after = how.apply(&graphs[0].group, IntegerType::Int4.into(), &graphs, &nothing).unwrap();
    for ((before, after), rows) in graphs.iter().zip(&after).zip([6, 1]) {
        let inputs = [Constant::from_values(numbers(rows * 12, 9), vec![1, rows, 12])];
        for (a, b) in run(&before.graph, &inputs).iter().zip(run(&after.graph, &inputs)) {
            let largest = a.iter().fold(1.0f32, |most, value| most.max(value.abs()));
            a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= 1e-4 * largest, "{a} {b}"));
        }
        // Blocks of 4 of the 12 channels: the large one becomes four that are half as large.
        let [old, new] = [&before.graph, &after.graph].map(|graph| {
            let sum = values(graph, &inputs)["1.sum"].to_f32();
            sum.iter().fold(0f32, |most, value| most.max(value.abs()))
        });
        assert!(new < 0.6 * old, "{new} {old}");
    }
    // Constants that graphs share stay shared.
    let of = |at: usize, name: &str| {
        let graph = &after[at].graph;
        graph.value(graph.find(name).unwrap()).constant().unwrap().to_f32()
    };
    for name in ["0.up.weight", "1.down.weight", "head.weight", "last.gamma", "x.rotation.weight"] {
        assert_eq!(of(0, name), of(1, name), "{name}");
    }
}

#[test]
fn a_stream_that_others_read_is_not_rotated() {
    let graphs = [partition("some", &stream("some", 6, true))];
    let said = equalized(&method("method = \"hadamard\""), &graphs, &[]).unwrap_err();
    assert!(said.contains("no residual stream that could be rotated: `odd`, Tanh, reads it"), "{said}");
}

fn constants(graph: &Graph) -> Vec<Vec<f32>> {
    graph.values().filter_map(|(_, value)| value.constant().map(Constant::to_f32)).collect()
}

#[test]
fn smooth_quant_moves_the_spread_of_channels_into_all_weights_behind_them() {
    let of_both = with_a_large_channel();
    let graphs = ["some.first", "some.second"].map(|name| partition(name, &normalized(name, &of_both)));
    let x = Constant::from_values(numbers(96, 9), vec![1, 6, 16]);
    let inputs = [x];
    let after = equalized(&method("method = \"smooth-quant\""), &graphs, &inputs).unwrap();
    for (before, after) in graphs.iter().zip(&after) {
        let [before, after] = [before, after].map(|one| spread(&one.graph, &inputs, "normal"));
        assert!(before > 5.0 && after < before - 2.5, "{before} and {after}");
    }
    // Powers of two: the same to the last bit.
    let outputs = |partition: &Partition| run(&partition.graph, &inputs);
    assert_eq!(outputs(&graphs[0]), outputs(&after[0]));
    // What both graphs have stays one.
    assert_eq!(constants(&after[0].graph), constants(&after[1].graph));
    // With nothing of the spread moved into weights, only that of the weights would be evened out; with all of it
    // moved, the channel is like the others.
    let all = equalized(&method("method = \"smooth-quant\"\nalpha = 1"), &graphs, &inputs).unwrap();
    assert!(spread(&all[0].graph, &inputs, "normal") < 1.5);
}

/// Two convolutions with a rectifier between them. One channel between them is made by large weights and read by small
/// ones.
fn rectified() -> Graph {
    let mut b = Builder::new("some");
    let x = b.input("x", vec![1, 4, 3, 3], ElementType::F32).unwrap();
    let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
    let mut last = x;
    for (name, channels, seed, large) in [("first", [8, 4], 1, true), ("second", [8, 8], 2, false)] {
        let mut weights = numbers(channels[0] * channels[1], seed);
        for (at, weight) in weights.iter_mut().enumerate() {
            let [made, read] = [at / channels[1], at % channels[1]];
            *weight *= if large && made == 3 {
                64.0
            } else if !large && read == 3 {
                1.0 / 64.0
            } else {
                1.0
            };
        }
        let weights = Constant::from_values(weights, vec![channels[0], channels[1], 1, 1]);
        let weights = b.constant(format!("{name}.weight"), weights).unwrap();
        let bias = b.constant(format!("{name}.bias"), Constant::from_values(numbers(8, seed), vec![8])).unwrap();
        last = b.node(name, conv.clone(), &[last, weights, bias]).unwrap();
        if large {
            last = b.node("relu", ops::Relu, &[last]).unwrap();
        }
    }
    b.finish(vec![last])
}

#[test]
fn cross_layer_equalization_evens_out_weights_on_both_sides_of_a_rectifier() {
    let graphs = [partition("some", &rectified())];
    let inputs = [Constant::from_values(numbers(36, 4), vec![1, 4, 3, 3])];
    let after = equalized(&method("method = \"cross-layer\""), &graphs, &inputs).unwrap();
    let largest = |partition: &Partition, name: &str, of: &dyn Fn(usize) -> bool| {
        let constant = partition.graph.value(partition.graph.find(name).unwrap()).constant().unwrap().to_f32();
        constant.iter().enumerate().filter(|(at, _)| of(*at)).fold(0f32, |most, (_, value)| most.max(value.abs()))
    };
    let [before, after_it] = [&graphs[0], &after[0]].map(|one| {
        let made = largest(one, "first.weight", &|at| at / 4 == 3) / largest(one, "first.weight", &|at| at / 4 == 5);
        let read = largest(one, "second.weight", &|at| at % 8 == 3) / largest(one, "second.weight", &|at| at % 8 == 5);
        (made / read).log2().abs()
    });
    assert!(before > 8.0 && after_it < 2.5, "{before} and {after_it}");
    // Powers of two, which pass through a rectifier: the same to the last bit.
    assert_eq!(run(&graphs[0].graph, &inputs), run(&after[0].graph, &inputs));
}

#[test]
fn awq_changes_outputs_less_when_weights_are_rounded_to_nearest() {
    let mut constants = with_a_large_channel();
    // What is large in the value has small weights, whose rounding would cost most.
    for weights in &mut constants[1..] {
        let made = weights.to_f32().iter().enumerate().map(|(at, w)| if at / 8 == 5 { w * 0.1 } else { *w }).collect();
        *weights = Constant::from_values(made, vec![16, 8]);
    }
    let graphs = [partition("some", &normalized("some", &constants))];
    let inputs = [Constant::from_values(numbers(96, 9), vec![1, 6, 16])];
    let float = run(&graphs[0].graph, &inputs);
    // Squared error of the outputs with weights of four bits.
    let lost = |partition: &Partition| -> f64 {
        let rounded: [Constant; 3] = ["gamma", "first.weight", "second.weight"].map(|name| {
            let constant = partition.graph.value(partition.graph.find(name).unwrap()).constant().unwrap().clone();
            if name == "gamma" {
                return constant;
            }
            let values = constant.to_f32();
            let most: Vec<f32> =
                (0..8).map(|c| values.iter().skip(c).step_by(8).fold(0f32, |most, w| most.max(w.abs()))).collect();
            let encoding = Encoding::symmetric(IntegerType::Int4, &most, Some(1));
            Constant::from_values(encoding.dequantize(&encoding.quantize(&values, &[16, 8]), &[16, 8]), vec![16, 8])
        });
        let made = run(&as_built(&normalized("some", &rounded)).unwrap(), &inputs);
        let pairs = float.iter().flatten().zip(made.iter().flatten());
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let after = equalized(&method("method = \"awq\""), &graphs, &inputs).unwrap();
    assert!(lost(&after[0]) < lost(&graphs[0]) / 2.0, "{} and {}", lost(&after[0]), lost(&graphs[0]));
}

#[test]
fn only_a_method_that_takes_alpha_is_given_one() {
    let said = |text: &str| method(text).check().unwrap_err();
    assert_eq!(said("method = \"awq\"\nalpha = 0.5"), "is not taken by awq");
    assert_eq!(said("method = \"smooth-quant\"\nalpha = 2"), "2 is impossible; 0 to 1 are");
    assert_eq!(method("method = \"smooth-quant\"\nalpha = 1").check(), Ok(()));
}

#[test]
fn what_cannot_take_factors_is_told_with_its_reason() {
    let refused = |graph: &Graph| {
        let graphs = [partition("some", graph)];
        let error = method("method = \"smooth-quant\"").wants(&graphs[0].group, &graphs).unwrap_err();
        error.to_string()
    };
    let mut b = Builder::new("some");
    let x = b.input("x", vec![1, 6, 16], ElementType::F32).unwrap();
    let weight = b.constant("weight", Constant::from_values(numbers(128, 1), vec![16, 8])).unwrap();
    let first = b.node("first", ops::MatMul, &[x, weight]).unwrap();
    let active = b.node("active", ops::Silu, &[first]).unwrap();
    let other = b.constant("other", Constant::from_values(numbers(32, 1), vec![8, 4])).unwrap();
    let last = b.node("last", ops::MatMul, &[active, other]).unwrap();
    let said = refused(&b.finish(vec![last]));
    assert!(said.contains("`x` is an input") && said.contains("`active` is made by `active`, Mul"), "{said}");
    // Each graph has numbers of its own under the same names.
    let graphs = ["some.first", "some.second"].map(|name| partition(name, &normalized(name, &with_a_large_channel())));
    let said = method("method = \"smooth-quant\"").wants(&graphs[0].group, &graphs).unwrap_err().to_string();
    assert!(said.contains("which differs from graph to graph"), "{said}");
    // Another layer reads what would take the factors.
    let mut b = Builder::new("some");
    let x = b.input("x", vec![1, 6, 16], ElementType::F32).unwrap();
    let gamma = b.constant("gamma", Constant::from_values(vec![1.0; 16], vec![16])).unwrap();
    let norm = || ops::RmsNorm { axis: 2, epsilon: 1e-5 };
    let normal = b.node("normal", norm(), &[x, gamma]).unwrap();
    let weight = b.constant("weight", Constant::from_values(numbers(128, 1), vec![16, 8])).unwrap();
    let (first, other) =
        (b.node("first", ops::MatMul, &[normal, weight]).unwrap(), b.node("other", norm(), &[x, gamma]).unwrap());
    let said = refused(&b.finish(vec![first, other]));
    assert!(said.contains("scaled through `gamma`, which other nodes read too"), "{said}");
    assert!(said.contains("leave `equalize` out"), "{said}");
}
