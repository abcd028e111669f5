//! What tuning looks at in float: the steps that layers are measured in, and what rounding alone wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::candidates::{Subject, Tunable};
use super::net::Fed;
use crate::drivers::{Driver, Run};
use crate::stages::for_evidence;
use autoneural_base::error::{Error, Result};
use autoneural_core::evidence::{Ask, Collection, Observer, Plan, Site, sites as sites_of};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::Layer;
use autoneural_core::quantize::rounding::Rounder;
use autoneural_core::recipe::Sample;
use autoneural_engines::engine::{Engine, Reference};

/// Most samples that layers are measured on.
const MOST: usize = 4;

/// The calibration samples that rounding learns from, and those that layers are measured on: the last quarter, at least
/// one and at most [`MOST`]; rounding learns from all before them. A single one serves both.
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

/// A layer that is measured: its subject, what it is, and how it is rounded.
pub(crate) type Wanted<'a> = (&'a Subject, &'a Tunable, Rounder);

/// What rounding wants to know of a layer.
fn asks((subject, layer, rounder): &Wanted) -> BTreeSet<Ask> {
    let of = |layer: &Layer| {
        let readers = layer.readers.iter();
        let wants = rounder.wants(layer);
        readers.flat_map(|of| wants.iter().map(|&want| Ask::new(&subject.group, &of.data, want, &of.rows))).collect()
    };
    layer.layer().map(of).unwrap_or_default()
}

/// Cuts layers into stretches, of each of which memory holds all that rounding wants to know. One layer that takes more
/// is a stretch of its own.
pub(crate) fn stretches(partitions: &[Partition], wanted: &[Wanted], most: u64) -> Vec<Range<usize>> {
    let sites = wanted.iter().map(|(subject, ..)| &subject.group).collect::<BTreeSet<_>>();
    let sites: Vec<Site> = sites.into_iter().flat_map(|group| sites_of(partitions, group)).collect();
    let shapes: BTreeMap<_, _> = sites.iter().map(|site| ((&site.group, site.name.as_str()), &site.shape)).collect();
    let bytes = |ask: &Ask| shapes.get(&(&ask.group, ask.site.as_str())).map_or(0, |shape| Observer::bytes(ask, shape));
    let asks: Vec<BTreeSet<Ask>> = wanted.iter().map(asks).collect();
    cut(&asks, &bytes, most)
}

/// Cuts sets into runs of which all elements together have at most `most` bytes. A set that has more is alone.
fn cut<T: Clone + Ord>(sets: &[BTreeSet<T>], bytes: &dyn Fn(&T) -> u64, most: u64) -> Vec<Range<usize>> {
    let (mut made, mut start, mut held) = (Vec::new(), 0, BTreeSet::new());
    for (at, own) in sets.iter().enumerate() {
        held.extend(own.iter().cloned());
        if held.iter().map(bytes).sum::<u64>() > most && start < at {
            made.push(start..at);
            (start, held) = (at, own.clone());
        }
    }
    made.push(start..sets.len());
    made
}

/// What rounders want to know of the float model on these samples, for a stretch of layers.
///
/// # Errors
/// A sample that cannot be run, or memory does not hold what a single layer wants.
pub(crate) fn collected(
    driver: &dyn Driver,
    run: &Run,
    samples: &[Sample],
    wanted: &[Wanted],
) -> Result<BTreeMap<Ask, Observer>> {
    let asks: BTreeSet<Ask> = wanted.iter().flat_map(asks).collect();
    if asks.is_empty() {
        return Ok(BTreeMap::new());
    }
    let groups: BTreeSet<&Group> = asks.iter().map(|ask| &ask.group).collect();
    let groups: Vec<Group> = groups.into_iter().cloned().collect();
    let all: Vec<Site> = groups.iter().flat_map(|group| sites_of(run.partitions, group)).collect();
    // Refuses what is too large.
    Plan::new(asks.iter().cloned(), &all, for_evidence())?;
    let collection = Collection::new(asks);
    let load = |partition: &Partition| -> Result<Box<dyn Engine>> {
        let watcher = collection.watcher(&partition.group, &partition.name);
        Ok(Box::new(Reference::load_watched(partition, &run.bundle.float_model(partition), watcher)?))
    };
    driver.walk("look at what layers read", run, (samples, &groups), Box::new(load), &mut |_| Ok(()))?;
    collection.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_hold_what_fits_and_count_what_layers_share_once() {
        // The ends of the stretches.
        let of = |sets: &[&[u64]], most| -> Vec<usize> {
            let sets: Vec<BTreeSet<u64>> = sets.iter().map(|set| set.iter().copied().collect()).collect();
            let made = cut(&sets, &|bytes| *bytes, most);
            assert!(made[0].start == 0 && made.windows(2).all(|pair| pair[0].end == pair[1].start), "{made:?}");
            made.iter().map(|stretch| stretch.end).collect()
        };
        assert_eq!(of(&[&[3], &[4], &[5]], 12), [3]);
        assert_eq!(of(&[&[3], &[4], &[5]], 8), [2, 3]);
        assert_eq!(of(&[&[3], &[3, 4], &[4]], 7), [3]);
        assert_eq!(of(&[&[1], &[9], &[2], &[3]], 5), [1, 2, 4]);
        assert_eq!(of(&[&[], &[]], 0), [2]);
    }
}
