//! Outliers: a few numbers that are so large that the scale which covers them is too coarse for all others. Nothing is
//! changed; warnings tell the author of the weights where they are and what they cost.

use std::collections::BTreeSet;

use super::table::Table;
use super::weights::weight;
use crate::encoding::{Encoding, IntegerType};
use crate::ir::{Constant, index_of};
use crate::partition::Partition;
use crate::program::Group;
use autoneural_base::warning::Warning;

/// The stage that the warnings name.
const STAGE: &str = "quantize";
/// Among fewer numbers or rows than this there are no outliers.
const FEWEST: usize = 32;
/// At most one in this many is an outlier.
const ONE_IN: usize = 1000;
/// At most this many are outliers.
const MOST: usize = 64;
/// An outlier is at least this many times as large as any other number.
const LEAST_FACTOR: f32 = 2.0;
/// Least cost for the others that is worth a warning, in dB. At 10 dB an integer step is more than three times as long
/// as without the outliers.
const LEAST_COST: f64 = 10.0;
/// If the others reach this SQNR (dB) nevertheless, there is no warning: other errors are larger.
const ENOUGH: f64 = 50.0;
/// Share of a channel's energy (sum of squares) that may become zero beside its one large weight.
const VANISHING: f64 = 0.01;

/// What outliers cost.
#[derive(Debug, PartialEq)]
struct Cost {
    /// Rows of the outliers, the largest first.
    positions: Vec<usize>,
    /// How many times as large as the largest other number the largest outlier is.
    factor: f32,
    /// SQNR of the others as they are encoded, in dB.
    with_db: f64,
    /// SQNR of the others in an encoding of their own, in dB.
    without_db: f64,
}

impl Cost {
    fn text(&self, what: impl Fn(usize) -> String) -> String {
        let Cost { positions, factor, with_db, without_db } = self;
        let more = if positions.len() > 1 { format!(" (and {} more)", positions.len() - 1) } else { String::new() };
        let (first, cost) = (what(positions[0]), without_db - with_db);
        format!(
            "{first}{more} is {factor:.0} times as large as the rest, which share its scale and lose {cost:.1} dB by \
             it: they reach {with_db:.1} dB"
        )
    }
}

/// Outliers among rows of `inner` numbers that share the encoding `with`. `other` is a range that the encoding has to
/// cover as well.
fn find(values: &[f32], inner: usize, with: &Encoding, other: [f32; 2]) -> Option<Cost> {
    let rows = values.len() / inner;
    if rows < FEWEST {
        return None;
    }
    let most = (rows / ONE_IN).clamp(1, MOST);
    let largest = largest(values, inner, most + 1);
    // The outliers are those before the largest step down.
    let step = |count: &usize| largest[count - 1].0 / largest[*count].0;
    let count = (1..=most).max_by(|a, b| step(a).total_cmp(&step(b)))?;
    let ((top, _), (next, _)) = (largest[0], largest[count]);
    let [low, high] = with.range();
    // A given encoding may not reach the outliers. Then they do not set its scale.
    let is_reached = top <= 1.01 * high.max(-low);
    if next == 0.0 || step(&count) < LEAST_FACTOR || !is_reached {
        return None;
    }
    let positions: Vec<usize> = largest[..count].iter().map(|(_, row)| *row).collect();
    let is_rest = |row: usize| !positions.contains(&row);
    let rest = values.chunks_exact(inner).enumerate().filter(|(row, _)| is_rest(*row)).flat_map(|(_, row)| row);
    let [low, high] = rest.fold(other, |[low, high], &value| [low.min(value), high.max(value)]);
    let without = match with.integer.is_signed() {
        true => Encoding::symmetric(with.integer, &[high.max(-low)], None),
        false => Encoding::of_range(with.integer, low, high),
    };
    let (with_db, without_db) = (sqnr(values, inner, &is_rest, with), sqnr(values, inner, &is_rest, &without));
    let is_worth_a_word = with_db < ENOUGH && without_db - with_db >= LEAST_COST;
    is_worth_a_word.then(|| Cost { factor: top / next, with_db, without_db, positions })
}

/// The `count` rows of `inner` numbers with the largest magnitudes, the largest first: the magnitude and the row.
fn largest(values: &[f32], inner: usize, count: usize) -> Vec<(f32, usize)> {
    let mut made: Vec<(f32, usize)> = Vec::with_capacity(count + 1);
    for (row, values) in values.chunks_exact(inner).enumerate() {
        let magnitude = values.iter().fold(0f32, |most, value| most.max(value.abs()));
        if made.len() < count || magnitude > made[count - 1].0 {
            let at = made.partition_point(|(other, _)| *other >= magnitude);
            made.insert(at, (magnitude, row));
            made.truncate(count);
        }
    }
    made
}

/// How many numbers are encoded at a time.
const RUN: usize = 1 << 16;

/// SQNR in an encoding of those rows of `inner` numbers for which `is_such` is true, in dB.
fn sqnr(values: &[f32], inner: usize, is_such: &dyn Fn(usize) -> bool, encoding: &Encoding) -> f64 {
    let (mut signal, mut noise) = (0f64, 0f64);
    let rows = (RUN / inner).max(1);
    for (run, values) in values.chunks(rows * inner).enumerate() {
        let made = encoding.dequantize(&encoding.quantize(values, &[values.len()]), &[values.len()]);
        for (row, (values, made)) in values.chunks_exact(inner).zip(made.chunks_exact(inner)).enumerate() {
            if is_such(run * rows + row) {
                for (&value, &made) in values.iter().zip(made) {
                    signal += f64::from(value).powi(2);
                    noise += f64::from(value - made).powi(2);
                }
            }
        }
    }
    10.0 * (signal / noise.max(f64::MIN_POSITIVE)).log10()
}

/// A warning about rows of the embedding table, `[tokens, hidden]`, that set the scale of all others. `visual` is the
/// range of the embeddings of pictures, which share the encoding.
pub fn of_embeddings(values: &[f32], hidden: usize, encoding: &Encoding, visual: [f32; 2]) -> Option<Warning> {
    let cost = find(values, hidden, encoding, visual)?;
    let help = "if no prompt holds the token, set its row to zero in the checkpoint";
    let message = cost.text(|row| format!("row {row}"));
    Some(Warning::new(STAGE, "embeddings: `embed_tokens.weight`", message).help(help))
}

/// Warnings about constants of a group in which a few numbers set the scale of the others. `tables` are those of the
/// group's partitions, in order.
pub fn of_constants(partitions: &[Partition], group: &Group, tables: &[&Table]) -> Vec<Warning> {
    let (mut made, mut seen) = (Vec::new(), BTreeSet::new());
    let own = partitions.iter().filter(|partition| partition.group == *group);
    for (partition, table) in own.zip(tables) {
        let graph = &partition.graph;
        let weights: BTreeSet<&str> =
            graph.nodes().iter().filter_map(|node| Some(weight(graph, node)?.name.as_str())).collect();
        for (_, value) in graph.values() {
            let Some(constant) = value.constant() else { continue };
            let Some(encoding) = table.params.get(&value.name) else { continue };
            // Partitions of a group share their weights, so each is looked at once. Biases of 32 bits have room for any
            // outlier.
            if encoding.integer == IntegerType::Int32 || encoding.block.is_some() || !seen.insert(value.name.clone()) {
                continue;
            }
            let message = match encoding.axis {
                None => find(&constant.to_f32(), 1, encoding, [0.0; 2])
                    .map(|cost| cost.text(|at| format!("element {:?}", index_of(at, &value.shape)))),
                Some(axis) if weights.contains(value.name.as_str()) && may_vanish(constant, axis, encoding) => {
                    vanished(&constant.to_f32(), &value.shape, axis, encoding)
                }
                Some(_) => None,
            };
            if let Some(message) = message {
                let help = "if it is meant, more bits for this tensor help: [[override]] in the recipe";
                made.push(Warning::new(STAGE, format!("{}: `{}`", partition.name, value.name), message).help(help));
            }
        }
    }
    made
}

/// How many numbers of a channel are looked at first.
const LOOKED_AT: usize = 16;

/// Whether only one number of some channel may be left, that is, may become an integer other than 0. For most weights a
/// few numbers of each channel show that more are left, and the whole weight need not be read.
fn may_vanish(constant: &Constant, axis: usize, encoding: &Encoding) -> bool {
    let shape = constant.shape();
    let inner: usize = shape[axis + 1..].iter().product();
    let (channels, each) = (shape[axis], shape.iter().product::<usize>() / shape[axis]);
    let position = |channel: usize, at: usize| (at / inner * channels + channel) * inner + at % inner;
    let step = each.div_ceil(LOOKED_AT).max(1);
    (0..channels).any(|channel| {
        let scale = encoding.scale[channel % encoding.scale.len()];
        // A number that is nearer to 0 than to the next integer becomes 0.
        let is_left = |at: &usize| constant.element(position(channel, *at)).abs() > scale / 2.0;
        (0..each).step_by(step).filter(is_left).nth(1).is_none()
    })
}

/// A message about channels of a weight of which only one number is left.
fn vanished(values: &[f32], shape: &[usize], axis: usize, encoding: &Encoding) -> Option<String> {
    #[derive(Clone, Default)]
    struct Channel {
        left: usize,
        energy: f64,
        lost: f64,
    }
    let inner: usize = shape[axis + 1..].iter().product();
    let mut channels = vec![Channel::default(); shape[axis]];
    for (position, (&value, code)) in values.iter().zip(encoding.quantize(values, shape)).enumerate() {
        let channel = &mut channels[position / inner % shape[axis]];
        let energy = f64::from(value).powi(2);
        channel.energy += energy;
        match code {
            0 => channel.lost += energy,
            _ => channel.left += 1,
        }
    }
    let is_lost = |channel: &Channel| channel.left == 1 && channel.lost >= VANISHING * channel.energy;
    let mut lost = channels.iter().enumerate().filter(|(_, channel)| is_lost(channel));
    let (first, channel) = lost.next()?;
    let (more, share) = (lost.count(), 100.0 * channel.lost / channel.energy);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Some(format!(
        "of channel {first}{more} one weight is so large that all others become zero, with {share:.0} % of its energy"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1, spread evenly but in no order.
    fn spread(count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7919) % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    #[test]
    fn a_row_that_sets_the_scale_of_all_others_is_found_with_what_it_costs() {
        let mut values = spread(64 * 100);
        values[64 * 70..64 * 71].iter_mut().for_each(|value| *value *= 3000.0);
        let (low, high) = values.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
        let encoding = Encoding::of_range(IntegerType::Uint16, low, high);
        let cost = find(&values, 64, &encoding, [0.0; 2]).unwrap();
        assert_eq!(cost.positions, [70]);
        assert!((2900.0..3100.0).contains(&cost.factor), "{cost:?}");
        assert!((65.0..75.0).contains(&(cost.without_db - cost.with_db)), "{cost:?}");
        // Pictures that reach as far need the scale as it is.
        assert_eq!(find(&values, 64, &encoding, [low, high]), None);
        // An encoding that does not reach the row is not of its making.
        assert_eq!(find(&values, 64, &Encoding::of_range(IntegerType::Uint16, -1.0, 1.0), [0.0; 2]), None);
        // In 16 bits there is room for a factor of ten.
        let small: Vec<f32> = values.iter().map(|value| value.clamp(-10.0, 10.0)).collect();
        assert_eq!(find(&small, 64, &Encoding::of_range(IntegerType::Uint16, -10.0, 10.0), [0.0; 2]), None);
        assert_eq!(find(&spread(6400), 64, &Encoding::of_range(IntegerType::Uint8, -1.0, 1.0), [0.0; 2]), None);
    }

    #[test]
    fn some_elements_together_are_found_and_heavy_tails_are_none() {
        let mut values = spread(5000);
        values[10] = 50.0;
        values[4000] = -60.0;
        let encoding = Encoding::symmetric(IntegerType::Int8, &[60.0], None);
        let cost = find(&values, 1, &encoding, [0.0; 2]).unwrap();
        assert_eq!(cost.positions, [4000, 10]);
        let tails: Vec<f32> = values.iter().map(|value| value.powi(3).clamp(-3.0, 3.0)).collect();
        assert_eq!(find(&tails, 1, &Encoding::symmetric(IntegerType::Int8, &[3.0], None), [0.0; 2]), None);
    }

    #[test]
    fn a_channel_of_which_one_weight_is_left_is_named() {
        let mut values = spread(3 * 64);
        values[64..128].iter_mut().for_each(|value| *value /= 40.0);
        values[70] = 1.0;
        let encoding = Encoding::symmetric(IntegerType::Int4, &[1.0, 1.0, 1.0], Some(0));
        let said = vanished(&values, &[3, 64], 0, &encoding).unwrap();
        assert!(said.starts_with("of channel 1 one weight"), "{said}");
        // A kernel that hands one value on, and next to nothing else, loses nothing.
        values[64..128].iter_mut().for_each(|value| *value /= 40.0);
        values[70] = 1.0;
        assert_eq!(vanished(&values, &[3, 64], 0, &encoding), None);
    }
}
