//! Whether tract computes every operator as its own file says: two implementations, each of which checks the other, and
//! the form in which the operator is written.

use proptest::prelude::*;

use super::{Data, Engine, Reference, Tensor};
use crate::back::onnx::{DataWriter, emit_float};
use autoneural_core::ir::ops::{Chance, OPERATORS};
use autoneural_core::ir::{Constant, ValueId, sample_graph};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::{Frozen, as_built};
use autoneural_core::program::Group;

/// Outputs of a graph's float model in tract.
fn in_tract(graph: Frozen, given: &[Constant]) -> Vec<Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = |ids: &[ValueId]| ids.iter().map(|&id| Port::plain(graph.value(id).name.clone())).collect();
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    let partition = Partition { name: graph.name.clone(), group: Group::fixed("operator"), graph, inputs, outputs };
    let path = folder.join("model.onnx");
    let mut data = DataWriter::create(folder, &partition.group).unwrap();
    emit_float(&partition, &path, &mut data).unwrap();
    data.finish().unwrap();
    let tensor = |given: &Constant| match given.element_type().is_real() {
        true => Tensor { shape: given.shape().clone(), data: Data::F32(given.to_f32()) },
        false => {
            let values = given.to_i64().into_iter().map(|value| value as i32).collect();
            Tensor { shape: given.shape().clone(), data: Data::I32(values) }
        }
    };
    let inputs: Vec<Tensor> = given.iter().map(tensor).collect();
    let made = Reference::load(&partition, &path).unwrap().run(&inputs).unwrap();
    made.iter().map(|tensor| tensor.as_f32().unwrap().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tract_computes_every_operator_as_its_reference_does(entropy in prop::collection::vec(any::<u32>(), 40)) {
        let mut apart = Vec::new();
        for kind in OPERATORS {
            let mut numbers = entropy.iter().copied().chain(std::iter::repeat(0));
            let mut next = || numbers.next().unwrap_or_default();
            let sample = (kind.draw)(&mut Chance::new(&mut next));
            let mut seed = 1u32;
            let numbers = |count: usize, deviation: f32| {
                let mut next = || {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0) * 2.0 * deviation
                };
                (0..count).map(|_| next()).collect()
            };
            let (graph, given) = sample_graph(&sample, numbers).unwrap();
            let mut left = given.iter();
            let operands = graph.nodes()[0].inputs.iter().map(|&id| match graph.value(id).constant() {
                Some(constant) => constant.clone(),
                None => left.next().unwrap().clone(),
            });
            let wanted = graph.nodes()[0].op.evaluate(&operands.collect::<Vec<_>>()).unwrap();
            let found = in_tract(as_built(&graph).unwrap(), &given);
            let mut numbers = wanted.iter().flat_map(Constant::to_f32).zip(found.into_iter().flatten());
            let is_apart = |(wanted, found): &(f32, f32)| (wanted - found).abs() > 1e-4 * (1.0 + wanted.abs());
            if let Some((wanted, found)) = numbers.find(is_apart) {
                apart.push(format!("{sample:?}: {found} in tract, {wanted} by reference"));
            }
        }
        prop_assert!(apart.is_empty(), "{:#?}", apart);
    }
}
