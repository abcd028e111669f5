//! The comparison of frozen graphs with those that were built from the checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::first;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Key, Making, round};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::back::onnx::DataWriter;
use autoneural_engines::engine::{Engine, Reference, Tensor};

/// Name of the float model of a graph as it was built, in `model/`.
pub fn model(partition: &str) -> String {
    format!(".as-built.{partition}.onnx")
}

/// How far a frozen graph is from the one that was built from the checkpoint, both in float, in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenReport {
    /// The output that differs most, by SQNR.
    pub output: String,
    /// Its SQNR in dB; the noise is the difference. 200 where there is none.
    pub sqnr_db: f64,
    /// The largest difference of two of its numbers.
    pub largest_difference: f64,
    /// The largest of its numbers, whatever the sign.
    pub largest_value: f64,
}

impl FrozenReport {
    /// Compares what both graphs gave for the same inputs, one tensor per output.
    ///
    /// # Errors
    /// Outputs that are not of the partition.
    fn of(partition: &Partition, built: &[Tensor], frozen: &[Tensor]) -> Result<Self> {
        let ports = partition.outputs.len();
        if (built.len(), frozen.len()) != (ports, ports) {
            let message = format!("gives {} outputs frozen and {} as built, not {ports}", frozen.len(), built.len());
            return Err(Error::internal(&partition.name, message));
        }
        let mut made: Option<FrozenReport> = None;
        for ((port, built), frozen) in partition.outputs.iter().zip(built).zip(frozen) {
            let (built, frozen) = (built.as_f32()?, frozen.as_f32()?);
            let sqnr_db = Sqnr::of(built, frozen)?;
            if made.as_ref().is_some_and(|made| made.sqnr_db <= sqnr_db) {
                continue;
            }
            let largest =
                |numbers: &mut dyn Iterator<Item = f32>| f64::from(numbers.fold(0.0, |a: f32, b| a.max(b.abs())));
            let largest_difference = largest(&mut built.iter().zip(frozen).map(|(a, b)| a - b));
            let largest_value = largest(&mut built.iter().copied());
            made = Some(FrozenReport { output: port.name.clone(), sqnr_db, largest_difference, largest_value });
        }
        let made = made.ok_or_else(|| Error::internal(&partition.name, "has no output"))?;
        Ok(FrozenReport { sqnr_db: round(made.sqnr_db), ..made })
    }

    /// Whether every output is the same to the last bit.
    pub fn is_equal(&self) -> bool {
        self.largest_difference == 0.0
    }

    /// The figure in words.
    pub fn words(&self) -> String {
        if self.is_equal() { "the same".into() } else { format!("{:.1} dB", self.sqnr_db) }
    }
}

/// Compares the graphs of a group with those that were built from the checkpoint, in a unit of work: each by the name of
/// its partition. Where nothing is known of how they were built, or of a run of calibration, as in a bundle that came
/// from elsewhere, there is none.
///
/// # Errors
/// A model that cannot run.
pub fn compare(
    bundle: &Making,
    group: &Group,
    partitions: &[Partition],
    progress: &dyn Progress,
) -> Result<BTreeMap<String, FrozenReport>> {
    let built = |partition: &Partition| format!("model/{}", model(&partition.name));
    let kept = |partition: &Partition| format!("calibration/{}", first::file(&partition.name));
    let own = partitions.iter().filter(|partition| partition.group == *group);
    let own: Vec<&Partition> = own.filter(|one| bundle.has_file(&built(one)) && bundle.has_file(&kept(one))).collect();
    let data = [DataWriter::name_of(group), DataWriter::as_built_name_of(group)].map(|name| format!("model/{name}"));
    let key = bundle.key(Key::new(), |path| {
        data.iter().any(|data| data == path) || own.iter().any(|one| path == built(one) || path == kept(one))
    })?;
    bundle.unit(&format!("verify/frozen-{group}"), "", key, progress, |_| {
        progress.start(&format!("verify frozen-{group}"), own.len() as u64);
        let mut made = BTreeMap::new();
        for partition in own {
            progress.begin(&partition.name);
            let path = kept(partition);
            let (inputs, frozen) = first::read(&bundle.read(&path, u64::MAX)?, &bundle.path(&path))?;
            let outputs = Reference::load_as_built(partition, &bundle.path(built(partition)))?.run(&inputs)?;
            made.insert(partition.name.clone(), FrozenReport::of(partition, &outputs, &frozen)?);
            progress.tick(&partition.name);
        }
        progress.finish();
        Ok(made)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Builder, ElementType, ops};
    use autoneural_core::partition::Port;
    use autoneural_core::passes::Frozen;

    fn partition() -> Partition {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2], ElementType::F32).unwrap();
        let outputs = ["y", "z"].map(|name| b.node(name, ops::Sigmoid, &[x]).unwrap()).to_vec();
        let outputs = Frozen::new(b.finish(outputs)).unwrap();
        let port = |name: &str| Port::plain(name.into());
        let group = Group::fixed("g");
        Partition {
            name: "g".into(),
            group,
            graph: outputs,
            inputs: vec![port("x")],
            outputs: ["y", "z"].map(port).to_vec(),
        }
    }

    #[test]
    fn the_output_that_differs_most_is_told() {
        let tensor = |values: [f32; 2]| Tensor::f32(vec![2], values.to_vec());
        let built = [tensor([1.0, -2.0]), tensor([10.0, -10.0])];
        let found = FrozenReport::of(&partition(), &built, &[tensor([1.0, -2.0]), tensor([11.0, -9.5])]).unwrap();
        let FrozenReport { output, sqnr_db, largest_difference, largest_value } = &found;
        assert_eq!((output.as_str(), *largest_difference, *largest_value), ("z", 1.0, 10.0));
        assert_eq!((*sqnr_db, found.words().as_str()), (22.041, "22.0 dB"));
        let same = FrozenReport::of(&partition(), &built, &built).unwrap();
        assert_eq!((same.sqnr_db, same.words().as_str()), (200.0, "the same"));
        assert!(FrozenReport::of(&partition(), &built[..1], &built).is_err());
    }
}
