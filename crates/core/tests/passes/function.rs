//! The property of every pass: the graph behind it computes what the graph before it does.

use std::collections::BTreeMap;

use autoneural_core::ir::{Constant, Graph, ValueId};
use autoneural_core::passes::{Context, PASSES, as_built, freeze};

use super::random::{Numbers, graph};
use super::run::run;
use super::target;

/// How many random graphs.
const GRAPHS: u32 = 400;
/// Largest difference, of the size of the largest number of an output: what other orders of single precision give.
const ROUNDING: f32 = 1e-4;

/// Names, shapes and element types of values.
fn ports(graph: &Graph, ids: &[ValueId]) -> Vec<String> {
    let port = |id: &ValueId| {
        let value = graph.value(*id);
        format!("{}: {} {:?}", value.name, value.element.name(), value.shape)
    };
    ids.iter().map(port).collect()
}

fn assert_same(what: &str, before: &Graph, after: &Graph, inputs: &[Constant]) {
    assert_eq!(ports(before, before.inputs()), ports(after, after.inputs()), "{what}: inputs");
    assert_eq!(ports(before, before.outputs()), ports(after, after.outputs()), "{what}: outputs");
    for (place, (a, b)) in run(before, inputs).iter().zip(run(after, inputs)).enumerate() {
        let largest = a.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        for (a, b) in a.iter().zip(b) {
            let is_same = (a - b).abs() <= ROUNDING * largest || a == &b;
            assert!(is_same, "{what}: output {place} is {b}, it was {a}\n{before}\n{after}");
        }
    }
}

#[test]
fn every_pass_keeps_the_function_of_random_graphs() {
    let target = target();
    let context = Context { target: &target };
    let mut changed: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..GRAPHS {
        let (built, inputs) = graph(&mut Numbers::new(seed));
        let mut now = built.clone();
        for pass in PASSES {
            let next = pass.apply(&now, context).unwrap();
            assert_same(&format!("graph {seed}, {}", pass.name), &now, &next, &inputs);
            *changed.entry(pass.name).or_default() += u32::from(next.to_string() != now.to_string());
            now = next;
        }
        let frozen = freeze(&built, context).unwrap();
        assert_eq!(frozen.to_string(), now.to_string());
        assert_same(&format!("graph {seed}, frozen"), &built, &frozen, &inputs);
        assert_same(&format!("graph {seed}, as built"), &built, &as_built(&built).unwrap(), &inputs);
    }
    // A pass that never had anything to do was not tested.
    for pass in PASSES {
        assert!(changed[pass.name] >= GRAPHS / 20, "{} changed {} of {GRAPHS} graphs", pass.name, changed[pass.name]);
    }
}
