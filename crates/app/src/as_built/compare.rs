//! The comparison of frozen graphs with those that were built from the checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{first, model};
use crate::back::onnx::DataWriter;
use crate::bundle::{Bundle, Key, Making, hash_bytes, round};
use crate::engine::{Engine, Reference, Tensor};
use crate::error::{Error, Result};
use crate::files;
use crate::json::{LARGEST_JSON, write_json};
use crate::partition::Partition;
use crate::program::Group;
use crate::progress::Progress;
use crate::sqnr::Sqnr;

/// Folder of what is found.
const FOLDER: &str = "calibration";

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

/// Name of the file of a group.
fn file(group: &Group) -> String {
    format!("{group}.frozen.json")
}

/// Compares the graphs of a group that calibration has run, in a unit of work. Where nothing is known of how they were
/// built, as in a bundle that was exported elsewhere, nothing is compared, and what was found there stays: the graphs
/// are the same.
///
/// # Errors
/// A model that cannot run.
pub fn compare(bundle: &Making, group: &Group, partitions: &[Partition], progress: &dyn Progress) -> Result<()> {
    let built = |partition: &Partition| format!("model/{}", model(&partition.name));
    let kept = |partition: &Partition| format!("{FOLDER}/{}", first::file(&partition.name));
    let own = partitions.iter().filter(|partition| partition.group == *group);
    let own: Vec<&Partition> = own.filter(|one| bundle.has_file(&built(one)) && bundle.has_file(&kept(one))).collect();
    if own.is_empty() {
        return keep(bundle, group, progress);
    }
    let data = [DataWriter::name_of(group), DataWriter::as_built_name_of(group)].map(|name| format!("model/{name}"));
    let key = bundle.key(Key::new(), |path| {
        data.iter().any(|data| data == path) || own.iter().any(|one| path == built(one) || path == kept(one))
    })?;
    bundle.unit(&format!("calibrate/frozen-{group}"), FOLDER, key, progress, |folder| {
        progress.start(&format!("calibrate frozen-{group}"), own.len() as u64);
        let mut made = BTreeMap::new();
        for partition in own {
            progress.begin(&partition.name);
            let path = kept(partition);
            let (inputs, frozen) = first::read(&bundle.read(&path, u64::MAX)?, &bundle.path(&path))?;
            let outputs = Reference::load_as_built(partition, &bundle.path(built(partition)))?.run(&inputs)?;
            made.insert(&partition.name, FrozenReport::of(partition, &outputs, &frozen)?);
            progress.tick(&partition.name);
        }
        progress.finish();
        write_json(&made, &folder.join(file(group)))
    })
}

/// Keeps what was found of the graphs of a group before.
fn keep(bundle: &Making, group: &Group, progress: &dyn Progress) -> Result<()> {
    let path = format!("{FOLDER}/{}", file(group));
    if !bundle.has_file(&path) {
        return Ok(());
    }
    let found = bundle.read(&path, LARGEST_JSON)?;
    let key = Key::new().and("found", hash_bytes(&found));
    bundle.unit(&format!("calibrate/frozen-{group}"), FOLDER, key, progress, |folder| {
        files::write(&folder.join(file(group)), &found)
    })
}

/// What was found of a partition; none where it was not compared.
///
/// # Errors
/// A file that is damaged.
pub fn found(bundle: &Bundle, partition: &Partition) -> Result<Option<FrozenReport>> {
    let path = format!("{FOLDER}/{}", file(&partition.group));
    if !bundle.has_file(&path) {
        return Ok(None);
    }
    let mut found: BTreeMap<String, FrozenReport> = bundle.json(&path)?;
    Ok(found.remove(&partition.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, ops};
    use crate::partition::Port;
    use crate::passes::Frozen;

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
