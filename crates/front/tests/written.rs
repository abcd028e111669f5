//! What this program writes as ONNX, the importer reads as the same graph.

use std::path::PathBuf;
use std::sync::Arc;

use autoneural_base::map::Map;
use autoneural_core::ir::ops::{Chance, OPERATORS};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, StoredType, ValueId, View, ops, sample_graph};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::{Frozen, as_built};
use autoneural_core::program::Group;
use autoneural_engines::back::onnx::{DataWriter, emit_float};
use autoneural_front::onnx::import;
use proptest::prelude::*;
use tempfile::TempDir;

/// A graph in a file.
fn written(graph: Frozen) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let ports = |ids: &[ValueId]| ids.iter().map(|&id| Port::plain(graph.value(id).name.clone())).collect();
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    let partition = Partition { name: graph.name.clone(), group: Group::fixed("group"), graph, inputs, outputs };
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &path, &mut data).unwrap();
    data.finish().unwrap();
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_operator_comes_back_from_its_model(entropy in prop::collection::vec(any::<u32>(), 40)) {
        for kind in OPERATORS {
            let mut numbers = entropy.iter().copied().chain(std::iter::repeat(0));
            let mut next = || numbers.next().unwrap_or_default();
            let sample = (kind.draw)(&mut Chance::new(&mut next));
            let (graph, _) = sample_graph(&sample, |count, size| vec![size; count]).unwrap();
            // What ONNX has no operator for comes back spelled out.
            let graph = as_built(&graph).unwrap();
            let (_folder, path) = written(graph.clone());
            let back = import(&path, &[]).unwrap().graph;
            prop_assert_eq!(graph.difference(&back), None, "{:?}", sample);
        }
    }
}

fn with_constant(constant: Constant) -> Graph {
    let mut b = Builder::new("g");
    let x = b.input("x", vec![2, 2], ElementType::F32).unwrap();
    let y = b.node("y", ops::Sigmoid, &[x]).unwrap();
    let c = b.constant("c", constant).unwrap();
    b.finish(vec![y, c])
}

#[test]
fn constants_of_every_type_come_back() {
    let integers = |element, values: &[i64]| Constant::from_integers(element, values.to_vec(), vec![values.len()]);
    for constant in [
        Constant::from_values(vec![0.5, -1.5], vec![2]),
        integers(ElementType::I32, &[-7, i64::from(i32::MAX)]),
        integers(ElementType::I64, &[i64::MIN, 3]),
        integers(ElementType::Bool, &[1, 0]),
    ] {
        let graph = Frozen::new(with_constant(constant)).unwrap();
        let (_folder, path) = written(graph.clone());
        assert_eq!(graph.difference(&import(&path, &[]).unwrap().graph), None);
    }
}

#[test]
fn large_weights_come_back_in_the_type_that_they_keep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let (shape, elements) = (vec![512, 1024], 512 * 1024);
    std::fs::write(&path, [0x80, 0x3f].repeat(elements)).unwrap();
    let map = Arc::new(Map::open(&path).unwrap());
    let weights = Constant::from_view(View::new(map, 0, elements, StoredType::Bf16).unwrap(), shape);
    let mut b = Builder::new("g");
    let x = b.input("x", vec![2, 512], ElementType::F32).unwrap();
    let weights = b.constant("weights", weights).unwrap();
    let y = b.node("y", ops::MatMul, &[x, weights]).unwrap();
    let graph = Frozen::new(b.finish(vec![y])).unwrap();
    let (_folder, path) = written(graph.clone());
    let back = import(&path, &[]).unwrap().graph;
    assert_eq!(graph.difference(&back), None);
    let constant = back.values().find_map(|(_, value)| value.constant()).unwrap();
    assert_eq!((constant.stored_type(), constant.element(elements - 1)), (StoredType::Bf16, 1.0));
}

#[test]
fn large_weights_that_are_other_numbers_than_the_stored_ones_are_written_as_those() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let elements = 512 * 1024;
    std::fs::write(&path, [0x80, 0x3f].repeat(elements)).unwrap();
    let map = Arc::new(Map::open(&path).unwrap());
    let stored = Constant::from_view(View::new(map, 0, elements, StoredType::Bf16).unwrap(), vec![512, 1024]);
    for weights in [stored.scaled(0, vec![3.0; 512].into()), stored.hadamard(1, 4)] {
        assert_eq!(weights.stored_type(), StoredType::F32);
        assert_eq!(weights.to_bytes_of(weights.stored_type()), weights.to_le_bytes());
    }
    assert_eq!(stored.permuted(&[1, 0]).sliced(0, 0, 4).stored_type(), StoredType::Bf16);
}
