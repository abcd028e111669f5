//! Ranges of activations: one for each class of tied values, known beforehand or taken from statistics.

use std::collections::BTreeMap;

use super::given_class::GivenClass;
use super::joined::cut;
use super::ties::Ties;
use crate::encoding::{Encoding, IntegerType};
use crate::evidence::{Statistics, StatisticsTable};
use crate::ir::{Op, ValueId};
use crate::partition::Partition;
use crate::program::{Group, State};
use crate::recipe::Recipe;
use crate::target::Target;
use autoneural_base::error::{Error, Result};

/// How far below the smallest score that is not masked the range of masked scores reaches: exp(-24) is 4e-11, so in a
/// softmax 4096 masked tokens together weigh less than 2e-7.
const MASK_MARGIN: f32 = 24.0;
/// How small a share of a range an activation may leave that is the range of what it reads, too. Where less is left, the
/// multiplier from sums to outputs would come near 1.
const LEAST_LEFT: f32 = 1.0 / 64.0;
/// A value that is 0 at most, and this low at least once, hides what it is added to.
const HIDES: f32 = -100.0;

/// Where the range of an activation comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeSource {
    /// It was learned elsewhere, and given in the file of this name.
    Given(String),
    /// It is known without calibration: the range of a port, or the largest range that an operator can make.
    Known,
    /// It is the range of the scores that a mask does not hide.
    Masked,
    /// It is that of what a Relu or Clip leaves of the value, which nothing else reads.
    Behind,
    /// It was seen during calibration.
    Seen,
}

/// What is known about the range of a class of tied values.
#[derive(Default, Clone)]
pub(crate) struct Class {
    /// Range known without calibration.
    fixed: Option<[f32; 2]>,
    /// Range for masked scores. The range that was seen reaches down to the mask's value, and would waste integers on
    /// it.
    masked: Option<[f32; 2]>,
    /// Range that was seen.
    seen: Option<[f32; 2]>,
    /// Ranges that observers chose of it, for integers of 8 and of 16 bits; all that was seen if they keep that.
    chosen: [Option<[f32; 2]>; 2],
    /// What an operator cuts its values to: room beyond it would be of no use, and the NPU computes a `Clip` wrongly
    /// whose integers reach further than what it cuts to.
    cut: Option<[f32; 2]>,
    /// The zero point should be a multiple of this; then its readers lose nothing to the steps of their sums.
    step: i64,
    /// Integers that the recipe sets for one of its values (`kv_cache`). `None`: the activations of the group.
    integer: Option<IntegerType>,
    /// Integers that an override of the recipe sets, and the value that it fits.
    exception: Option<(IntegerType, String)>,
    /// The class behind the activation that alone reads the value, and that has the same encoding.
    behind: Option<usize>,
    group: Option<Group>,
    name: String,
}

impl Class {
    /// The number of the class whose encoding it has; `own` is its own.
    pub(crate) fn number(&self, own: usize) -> usize {
        self.behind.unwrap_or(own)
    }

    /// The encoding of its values; `usual` are the integers of its group, if they are others than the recipe says.
    ///
    /// # Errors
    /// No range of it is known, or its given encoding has other integers than the recipe chose.
    pub(crate) fn encoding(
        self,
        recipe: &Recipe,
        given: Option<&GivenClass>,
        usual: Option<IntegerType>,
    ) -> Result<Encoding> {
        let group = self.group.as_ref().expect("set with the first value");
        let exception = self.exception.map(|(integer, _)| integer);
        let integer = match exception.or(self.integer).or(usual) {
            Some(integer) => integer,
            None => recipe.part(group)?.activations,
        };
        if let Some(given) = given {
            return given.encoding(integer);
        }
        let mut range = self.fixed;
        if let Some(seen) = self.chosen[usize::from(integer.bits() > 8)] {
            // What is known without samples needs no room.
            let is_known = self.fixed.is_some_and(|[low, high]| seen[0] >= low && seen[1] <= high);
            let room = match integer {
                IntegerType::Uint16 if !is_known => 1.0 + recipe.part(group)?.headroom,
                _ => 1.0,
            };
            let [low, high] = self.cut.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
            widen(&mut range, seen);
            widen(&mut range, [(seen[0] * room).max(low), (seen[1] * room).min(high)]);
        }
        let Some([low, high]) = self.masked.or(range) else {
            let place = format!("{}: {}", group.name(), self.name);
            return Err(Error::input(place, "was not seen during calibration")
                .help("calibrate again; the statistics belong to another graph"));
        };
        // Only the sums of 16-bit integers are longer than what the hardware keeps.
        let step = if integer == IntegerType::Uint16 { self.step } else { 1 };
        Ok(Encoding::of_range_with_step(integer, low, high, step))
    }

    /// Where its range comes from.
    pub(crate) fn source(&self, given: Option<&GivenClass>) -> RangeSource {
        // Values that were seen outside a known range widen it.
        let is_wider = |known: [f32; 2]| self.seen.is_some_and(|[low, high]| low < known[0] || high > known[1]);
        match given {
            Some(given) => RangeSource::Given(given.file().to_string()),
            None if self.behind.is_some() => RangeSource::Behind,
            None if self.masked.is_some() => RangeSource::Masked,
            None if self.fixed.is_some_and(|known| !is_wider(known)) => RangeSource::Known,
            None => RangeSource::Seen,
        }
    }
}

fn widen(range: &mut Option<[f32; 2]>, [low, high]: [f32; 2]) {
    *range = Some(range.map_or([low, high], |[l, h]| [l.min(low), h.max(high)]));
}

/// Records an override of a recipe for a value of a class.
fn except(class: &mut Class, integer: IntegerType, name: &str) -> Result<()> {
    match &class.exception {
        Some((other, first)) if *other != integer => {
            let message = format!(
                "an override makes it {}, and `{first}`, with which it shares its encoding, {}",
                integer.name(),
                other.name()
            );
            Err(Error::input(format!("`{name}`"), message)
                .help("no arithmetic stands between the two: give both the same type"))
        }
        _ => {
            class.exception = Some((integer, name.to_string()));
            Ok(())
        }
    }
}

/// Refuses statistics from which no range can be made.
fn refuse_unusable(seen: &Statistics) -> Result<()> {
    let times = |count: u64| if count == 1 { "once".to_string() } else { format!("{count} times") };
    if seen.non_finite > 0 {
        let message = format!("was NaN or infinite {} during calibration", times(seen.non_finite));
        return Err(Error::input("", message).help("check the weights and the samples"));
    }
    let is_range = |[low, high]: [f32; 2]| low.is_finite() && high.is_finite() && low <= high;
    let ranges = [[seen.min, seen.max], seen.range(8), seen.range(16)];
    if seen.count == 0 || !ranges.into_iter().all(is_range) {
        return Err(Error::input("", "has no range in the statistics, which are damaged").help("calibrate again"));
    }
    Ok(())
}

/// What is known about every class of [`Ties`], by the number of the class.
///
/// # Errors
/// A value was NaN or infinite, overrides of the recipe contradict each other, or scores span so much that a mask
/// cannot hide them.
pub(crate) fn classes(
    partitions: &[Partition],
    ties: &Ties,
    statistics: &StatisticsTable,
    recipe: &Recipe,
    target: &Target,
    given: &BTreeMap<usize, GivenClass>,
) -> Result<BTreeMap<usize, Class>> {
    let mut classes: BTreeMap<usize, Class> = BTreeMap::new();
    // For each mask: the class of the masked scores, that of the scores before it, and the number that it adds to hide
    // one.
    let mut masked: Vec<(usize, usize, f32)> = Vec::new();
    for partition in partitions {
        let (graph, group) = (&partition.graph, &partition.group);
        let class_of = |id: ValueId| ties.class(group, &graph.value(id).name);
        for (id, value) in graph.values() {
            let Some(number) = class_of(id) else { continue };
            let class = classes.entry(number).or_default();
            class.name.clone_from(&value.name);
            class.group.get_or_insert_with(|| group.clone());
            if let Some(integer) = recipe.exception(&value.name, false) {
                except(class, integer, &value.name)?;
            }
            if let Some(seen) = statistics.get(group, &value.name)
                && !given.contains_key(&number)
            {
                refuse_unusable(&seen).map_err(|error| error.within(format!("{}: {}", partition.name, value.name)))?;
                widen(&mut class.seen, [seen.min, seen.max]);
                class.chosen.iter_mut().zip([8, 16]).for_each(|(range, bits)| widen(range, seen.range(bits)));
            }
        }
        let ids = graph.inputs().iter().chain(graph.outputs());
        for (&id, port) in ids.zip(partition.inputs.iter().chain(&partition.outputs)) {
            let Some(class) = class_of(id).and_then(|class| classes.get_mut(&class)) else { continue };
            if let Some(range) = port.range {
                widen(&mut class.fixed, range);
            }
            if matches!(port.meaning.state, Some(State::Append { .. })) {
                class.integer = recipe.part(group)?.kv_cache.or(class.integer);
            }
        }
        for node in graph.nodes() {
            let Some(made) = class_of(node.outputs[0]) else { continue };
            let shapes: Vec<_> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
            let stated = target.operator(node.op.name()).and_then(|operator| operator.output_range);
            if let Some(range) = stated.or(node.op.range(&shapes))
                && let Some(class) = classes.get_mut(&made)
            {
                widen(&mut class.fixed, range);
            }
            if let Op::Clip(clip) = &node.op
                && let Some(class) = classes.get_mut(&made)
            {
                class.cut = Some([clip.min.unwrap_or(f32::NEG_INFINITY), clip.max.unwrap_or(f32::INFINITY)]);
            }
            let weighted = node.inputs.get(1).is_some_and(|&id| graph.value(id).constant().is_some());
            if let Some(step) = target.operator(node.op.name()).and_then(|operator| operator.sum_step)
                && let Some(class) = class_of(node.inputs[0]).and_then(|class| classes.get_mut(&class))
                && weighted
            {
                class.step = class.step.max(i64::from(step));
            }
            let mask = |id: &ValueId| {
                let port = &partition.inputs[partition.input(&graph.value(*id).name)?];
                port.range.filter(|_| port.meaning.mask)
            };
            if matches!(node.op, Op::Add(_))
                && let Some((at, [hidden, _])) = (0..2).find_map(|at| Some((at, mask(&node.inputs[at])?)))
                && let Some(scores) = class_of(node.inputs[1 - at])
            {
                masked.push((made, scores, hidden));
            }
            // What is computed and hides like a mask is one where only softmax reads the sum.
            let hides = |id: &ValueId| {
                let seen = statistics.get(group, &graph.value(*id).name)?;
                (seen.max == 0.0 && seen.min <= HIDES).then_some(seen.min)
            };
            let readers = || graph.nodes().iter().filter(|reader| reader.inputs.contains(&node.outputs[0]));
            if matches!(node.op, Op::Add(_))
                && !graph.outputs().contains(&node.outputs[0])
                && readers().next().is_some()
                && readers().all(|reader| matches!(reader.op, Op::Softmax(_)))
                && let Some((at, hidden)) = (0..2).find_map(|at| Some((at, hides(&node.inputs[at])?)))
                && let Some(scores) = class_of(node.inputs[1 - at])
                && let Some([low, high]) = classes.get(&scores).and_then(|class| class.seen)
                && high - low + MASK_MARGIN <= -hidden
            {
                masked.push((made, scores, hidden));
            }
        }
    }
    for (made, scores, hidden) in masked {
        let range = classes.get(&scores).and_then(|class| class.seen);
        if let (Some([low, high]), Some(class)) = (range, classes.get_mut(&made)) {
            if high - low + MASK_MARGIN > -hidden {
                let message = format!("the scores span {low}..{high}; a mask of {hidden} does not hide tokens in it");
                return Err(Error::input(
                    format!("{}: {}", class.group.as_ref().map_or("", Group::name), class.name),
                    message,
                )
                .help("check the weights"));
            }
            class.masked = Some([low.min(0.0) - MASK_MARGIN, high]);
        }
    }
    let class = |group: &Group, name: &str| ties.class(group, name).filter(|class| !given.contains_key(class));
    let found = cut(partitions, recipe, target).into_iter();
    let pairs: Vec<(usize, usize)> = found
        .filter_map(|(group, before, behind)| class(group, before).zip(ties.class(group, behind)))
        .filter(|(before, behind)| before != behind && leaves_enough(&classes, *before, *behind))
        .collect();
    // An override of one is for both, as for all values that share an encoding.
    for (before, behind) in pairs.iter().rev() {
        let stated = classes.get(before).and_then(|class| class.exception.clone());
        if let (Some(stated), Some(class)) = (stated, classes.get_mut(behind)) {
            class.exception.get_or_insert(stated);
        }
    }
    for (before, behind) in pairs {
        join((before, behind), &mut classes);
    }
    Ok(classes)
}

/// Whether what an activation leaves of a range is not next to nothing.
fn leaves_enough(classes: &BTreeMap<usize, Class>, before: usize, behind: usize) -> bool {
    let span = |class| classes.get(&class).and_then(|class| class.seen).map(|[low, high]| high.max(0.0) - low.min(0.0));
    span(before).zip(span(behind)).is_some_and(|(whole, left)| left >= LEAST_LEFT * whole)
}

/// Gives what an operator makes for an activation alone the range of what stands behind it, where overrides of the recipe
/// do not tell the two apart.
fn join((own, other): (usize, usize), classes: &mut BTreeMap<usize, Class>) {
    let (Some(before), Some(behind)) = (classes.get(&own), classes.get(&other)) else { return };
    let stated = |class: &Class| class.exception.as_ref().map(|(integer, _)| *integer);
    if stated(before).is_none_or(|own| stated(behind) == Some(own)) {
        let (name, group) = (before.name.clone(), before.group.clone());
        let joined = Class { behind: Some(behind.number(other)), name, group, ..behind.clone() };
        classes.insert(own, joined);
    }
}
