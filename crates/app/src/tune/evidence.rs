//! What tuning looks at in float: the steps that layers are measured in, and what rounding alone wants to know.

use std::collections::BTreeMap;

use super::candidates::{Subject, Tunable};
use super::net::Fed;
use crate::drivers::{Driver, Run};
use crate::stages::for_evidence;
use autoneural_base::error::{Error, Result};
use autoneural_core::evidence::{Ask, Collection, Observer, Plan, sites};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::rounding::Rounder;
use autoneural_core::recipe::Sample;
use autoneural_engines::engine::{Engine, Reference};

/// Most samples that layers are measured on.
const MOST: usize = 4;

/// The calibration samples that rounding learns from, and those that layers are measured on: the last quarter, at least
/// one. A single one serves both.
pub(crate) fn split(samples: &[Sample]) -> (&[Sample], &[Sample]) {
    let count = (samples.len() / 4).clamp(1, MOST);
    match samples.len() {
        0 | 1 => (samples, samples),
        all => samples.split_at(all - count),
    }
}

/// What goes into the nets of some subjects in the last step of each sample, by the place of the graph.
///
/// # Errors
/// A sample that cannot be run, or a graph that none reaches.
pub(crate) fn fed(
    driver: &dyn Driver,
    run: &Run,
    samples: &[Sample],
    subjects: &[&Subject],
) -> Result<BTreeMap<usize, Vec<Fed>>> {
    let nets: BTreeMap<usize, &Partition> =
        subjects.iter().flat_map(|subject| &subject.nets).map(|(at, net)| (*at, net)).collect();
    let groups: Vec<Group> = subjects.iter().map(|subject| subject.group.clone()).collect();
    let mut made: BTreeMap<usize, Vec<Fed>> = BTreeMap::new();
    let load = |partition: &Partition| -> Result<Box<dyn Engine>> {
        Ok(Box::new(Reference::load(partition, &run.bundle.float_model(partition))?))
    };
    driver.walk("run samples", run, (samples, &groups), Box::new(load), &mut |step| {
        let Some(net) = nets.get(&step.partition).filter(|_| step.is_last) else { return Ok(()) };
        let all = &run.partitions[step.partition];
        let input = |port: &autoneural_core::partition::Port| {
            let at = all.input(&port.name);
            at.map(|at| step.inputs[at].clone()).ok_or_else(|| Error::internal(&port.name, "is no input of its graph"))
        };
        let inputs = net.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
        made.entry(step.partition).or_default().push(Fed { inputs, count: step.tokens.map(|tokens| tokens.count) });
        Ok(())
    })?;
    match nets.iter().find(|(at, _)| !made.contains_key(at)) {
        Some((_, net)) => {
            Err(Error::input(&net.name, "was never run by the calibration samples that layers are measured on")
                .help(driver.how_to_reach()))
        }
        None => Ok(made),
    }
}

/// What rounders want to know of the float model on these samples, for layers of some subjects; `None` where that does not
/// fit into memory together.
///
/// # Errors
/// A sample that cannot be run.
pub(crate) fn collected(
    driver: &dyn Driver,
    run: &Run,
    samples: &[Sample],
    wanted: &[(&Subject, &[Tunable], Rounder)],
) -> Result<Option<BTreeMap<Ask, Observer>>> {
    let (mut asks, mut all) = (Vec::new(), Vec::new());
    for (subject, layers, rounder) in wanted {
        all.extend(sites(run.partitions, &subject.group));
        for layer in layers.iter().filter_map(Tunable::layer) {
            for want in rounder.wants(layer) {
                let readers = layer.readers.iter();
                asks.extend(readers.map(|of| Ask::new(&subject.group, &of.data, want, &of.rows)));
            }
        }
    }
    let Ok(Plan { passes }) = Plan::new(asks, &all, for_evidence()) else { return Ok(None) };
    let [asks] = passes.as_slice() else { return Ok(None) };
    if asks.is_empty() {
        return Ok(Some(BTreeMap::new()));
    }
    let collection = Collection::new(asks.clone());
    let groups: Vec<Group> = wanted.iter().map(|(subject, ..)| subject.group.clone()).collect();
    let load = |partition: &Partition| -> Result<Box<dyn Engine>> {
        let watcher = collection.watcher(&partition.group, &partition.name);
        Ok(Box::new(Reference::load_watched(partition, &run.bundle.float_model(partition), watcher)?))
    };
    driver.walk("look at what layers read", run, (samples, &groups), Box::new(load), &mut |_| Ok(()))?;
    collection.take().map(Some)
}
