//! What is kept of a model that another program quantized, brought to what the chip takes. Nothing of it is refused:
//! what does not fit is settled or left to calibration, and said.

use std::collections::BTreeMap;

use super::blocks::can_be_cut;
use super::entry::{Entry, LARGEST_SCALE};
use super::given_class::GivenClass;
use super::ties::Ties;
use super::wide::in_steps_of_257;
use crate::encoding::{Encoding, IntegerType, SMALLEST_SCALE};
use crate::ir::Constant;
use crate::ir::ops::Axes;
use crate::partition::Partition;
use crate::program::Group;
use crate::target::{Activations, Granularity, Operator, Target, Weights};

/// What became of an encoding that does not fit, by the name of its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settled {
    /// What was done and why.
    pub message: String,
    /// The value.
    pub name: String,
}

/// An activation's encoding in the integers that activations have: unsigned ones of 8 or 16 bits.
///
/// # Errors
/// Says in words what it has that activations cannot have.
pub fn activation(encoding: &Encoding) -> Result<Encoding, String> {
    refuse_extreme(encoding)?;
    if encoding.axis.is_some() || encoding.scale.len() != 1 {
        return Err("has several scales, and activations have one; it is calibrated".into());
    }
    match encoding.integer {
        IntegerType::Uint8 | IntegerType::Uint16 => Ok(encoding.clone()),
        IntegerType::Int8 => Ok(shifted(encoding, IntegerType::Uint8)),
        IntegerType::Int16 => Ok(shifted(encoding, IntegerType::Uint16)),
        other => Err(format!("is {}, and activations are uint8 or uint16; it is calibrated", other.name())),
    }
}

/// One encoding for two values that share theirs: it covers both ranges, in the larger integers.
pub fn joined(a: &Encoding, b: &Encoding) -> Encoding {
    let ([low, high], [other_low, other_high]) = (a.range(), b.range());
    Encoding::of_range(a.integer.max(b.integer), low.min(other_low), high.max(other_high))
}

/// The same grid in integers of the other sign.
fn shifted(encoding: &Encoding, integer: IntegerType) -> Encoding {
    let by = integer.limits().0 - encoding.integer.limits().0;
    let zero_point = encoding.zero_point.iter().map(|zero_point| zero_point + by).collect();
    Encoding { integer, zero_point, ..encoding.clone() }
}

fn refuse_extreme(encoding: &Encoding) -> Result<(), String> {
    let usable = SMALLEST_SCALE..=LARGEST_SCALE;
    match encoding.scale.iter().any(|scale| !usable.contains(scale)) {
        true => Err(format!("has scales outside {SMALLEST_SCALE:e} to {LARGEST_SCALE:e}; new scales are made")),
        false => Ok(()),
    }
}

/// Integers of values of which nothing is kept, where something is of others in the group: those that most have.
pub fn usual(ties: &Ties, given: &BTreeMap<usize, GivenClass>, group: &Group) -> Option<IntegerType> {
    let mut counts: BTreeMap<IntegerType, usize> = BTreeMap::new();
    for class in ties.classes(group) {
        if let Some(kept) = given.get(&class).filter(|class| class.is_kept) {
            *counts.entry(kept.integer()).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|&(integer, count)| (count, integer)).map(|(integer, _)| integer)
}

/// Brings the values of nodes that take no mixture of 8 and 16 bits to 16 bits, where some encodings are kept.
pub fn agree(
    partitions: &[Partition],
    (ties, group): (&Ties, &Group),
    target: &Target,
    by_class: &mut BTreeMap<usize, Encoding>,
) -> Vec<Settled> {
    let mut said = Vec::new();
    loop {
        let before = said.len();
        for partition in partitions.iter().filter(|partition| partition.group == *group) {
            let graph = &partition.graph;
            for node in graph.nodes() {
                let Some(operator) = target.operator(node.op.name()) else { continue };
                let class = |id| ties.class(group, &graph.value(id).name).map(|class| (class, id));
                let read: Vec<_> = node.inputs.iter().filter_map(|&id| class(id)).collect();
                let Some(made) = class(node.outputs[0]) else { continue };
                let integer = |(class, _): &(usize, _)| by_class.get(class).map(|encoding| encoding.integer);
                let (Some(inputs), Some(output)) = (read.iter().map(integer).collect(), integer(&made)) else {
                    continue;
                };
                let taken = &operator.activations;
                if taken.contains(&Activations::new(inputs, output))
                    || !taken.contains(&Activations::Same(IntegerType::Uint16))
                {
                    continue;
                }
                for (class, id) in read.into_iter().chain([made]) {
                    let Some(encoding) = by_class.get_mut(&class) else { continue };
                    if encoding.integer == IntegerType::Uint8 {
                        *encoding = in_steps_of_257(encoding);
                        let message = format!(
                            "is uint16 of the same range in place of uint8: {} takes no mixture",
                            node.op.name()
                        );
                        said.push(Settled { message, name: graph.value(id).name.clone() });
                    }
                }
            }
        }
        if said.len() == before {
            return said;
        }
    }
}

/// What an operator's weight, of this shape with these axes, is encoded as where this is kept of it; none where the target
/// takes nothing like it.
pub fn weights(kept: &Encoding, operator: &Operator, (shape, axes): (&[usize], Option<Axes>)) -> Option<Weights> {
    let integers: &[IntegerType] = match kept.integer {
        IntegerType::Int4 => &[IntegerType::Int4, IntegerType::Int8],
        IntegerType::Int8 | IntegerType::Uint8 => &[IntegerType::Int8],
        IntegerType::Int16 | IntegerType::Uint16 => &[IntegerType::Int16],
        IntegerType::Int32 => &[],
    };
    let in_blocks = |integer: IntegerType| {
        let block = kept.block.filter(|&block| axes.is_some_and(|axes| can_be_cut(shape, axes, block)))?;
        let granularity = Granularity::Block(block);
        operator.weights.iter().find(|weights| **weights == Weights { integer, granularity }).copied()
    };
    let plain = |&integer: &IntegerType| in_blocks(integer).or_else(|| operator.weights_of(integer));
    integers.iter().find_map(plain)
}

/// What is kept of a constant, in the form of the encoding that was computed for it. Its integers stand for the same
/// numbers as before.
///
/// # Errors
/// Says in words what it has that the constant cannot have here.
pub fn param(entry: &Entry, computed: &Encoding) -> Result<Encoding, String> {
    const ANEW: &str = "new scales are made";
    let kept = &entry.encoding;
    refuse_extreme(kept)?;
    let wanted = computed.integer;
    let mut made = kept.clone();
    if made.integer.is_signed() != wanted.is_signed() {
        let other = match made.integer {
            IntegerType::Uint8 => IntegerType::Int8,
            IntegerType::Uint16 => IntegerType::Int16,
            IntegerType::Int8 => IntegerType::Uint8,
            IntegerType::Int16 => IntegerType::Uint16,
            other => return Err(format!("is {}, and {} is taken here; {ANEW}", other.name(), wanted.name())),
        };
        made = shifted(&made, other);
    }
    match made.integer.bits().cmp(&wanted.bits()) {
        std::cmp::Ordering::Greater => {
            return Err(format!("is {}, and {} is taken here; {ANEW}", kept.integer.name(), wanted.name()));
        }
        std::cmp::Ordering::Less if wanted == IntegerType::Uint16 => made = in_steps_of_257(&made),
        _ => {}
    }
    let is_symmetric = wanted.is_signed() && computed.zero_point.iter().all(|&zero_point| zero_point == 0);
    if let Some(zero_point) = made.zero_point.iter().find(|zero_point| is_symmetric && **zero_point != 0) {
        return Err(format!(
            "has a zero point ({zero_point} of {}); weights have none here; {ANEW}",
            made.integer.name()
        ));
    }
    made.integer = wanted;
    let count = computed.scale.len();
    if made.block.is_some() && made.block != computed.block {
        return Err(format!("is encoded in blocks of {}, which are not taken here; {ANEW}", made.block.unwrap_or(0)));
    }
    if computed.block.is_some() && made.block.is_none() {
        return Err(format!("has no blocks, and blocks of {} are wanted; {ANEW}", computed.block.unwrap_or(0)));
    }
    if made.axis.is_none() && made.scale.len() == 1 {
        made.scale = vec![made.scale[0]; count];
        made.zero_point = vec![made.zero_point[0]; count];
    } else if entry.axis.is_some_and(|axis| computed.axis != usize::try_from(axis).ok()) {
        return Err(format!("has a scale for each index of another axis than that of output channels; {ANEW}"));
    }
    if made.scale.len() != count || (computed.axis.is_none() && count != 1) {
        return Err(format!("has {} scales, and {count} are wanted; {ANEW}", made.scale.len()));
    }
    Ok(Encoding { axis: computed.axis, block: computed.block, ..made })
}

/// Refuses scales of weights, one or one per channel, under which a bias does not fit into its 32 bits.
///
/// # Errors
/// Says so in words.
pub fn refuse_small(weights: &[f32], bias: &Constant, data: &Encoding) -> Result<(), String> {
    for (channel, bias) in bias.to_f32().into_iter().enumerate() {
        let scale = weights[channel.min(weights.len() - 1)];
        if f64::from(bias.abs()) > f64::from(i32::MAX) * f64::from(scale) * f64::from(data.scale[0]) {
            return Err(format!("has the scale {scale:e}, too small for the bias of its channel; new scales are made"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, ops};
    use crate::partition::Port;
    use crate::passes::{Context, freeze};

    fn encoding(integer: IntegerType, scale: &[f32], zero_point: i64, axis: Option<usize>) -> Encoding {
        let zero_point = vec![zero_point; scale.len()];
        Encoding { integer, scale: scale.to_vec(), zero_point, axis, block: None }
    }

    fn entry(encoding: Encoding) -> Entry {
        let axis = encoding.axis.map(|axis| axis as i64);
        Entry { encoding, axis, file: "file".into(), name: "w".into() }
    }

    #[test]
    fn activations_have_integers_without_a_sign() {
        let made = activation(&encoding(IntegerType::Int8, &[0.5], -3, None)).unwrap();
        assert_eq!(made, encoding(IntegerType::Uint8, &[0.5], 125, None));
        assert_eq!(made.range(), encoding(IntegerType::Int8, &[0.5], -3, None).range());
        for (integer, scales, word) in [
            (IntegerType::Int4, &[0.5][..], "is int4"),
            (IntegerType::Int32, &[0.5], "is int32"),
            (IntegerType::Uint8, &[0.5, 0.5], "several scales"),
            (IntegerType::Uint8, &[1e-30], "scales outside"),
        ] {
            let axis = (scales.len() > 1).then_some(0);
            assert!(activation(&encoding(integer, scales, 0, axis)).unwrap_err().contains(word), "{word}");
        }
        let both = joined(&made, &encoding(IntegerType::Uint16, &[0.001], 0, None));
        assert_eq!(both.integer, IntegerType::Uint16);
        assert!(both.range()[0] <= made.range()[0] + 0.01 && both.range()[1] >= 65.5, "{both:?}");
    }

    /// What is taken stands for the same numbers, integer by integer.
    #[test]
    fn constants_keep_their_integers_as_far_as_the_chip_takes_them() {
        use IntegerType::*;
        let by_channel = |integer| encoding(integer, &[1.0, 2.0], 0, Some(1));
        for (kept, computed, shift) in [
            (encoding(Int8, &[0.5], 0, None), by_channel(Int8), 0),
            (encoding(Uint8, &[0.5], 128, None), by_channel(Int8), 128),
            (encoding(Int8, &[0.5, 0.25], 0, Some(1)), by_channel(Int8), 0),
            (encoding(Int4, &[0.5, 0.25], 0, Some(1)), by_channel(Int8), 0),
            (encoding(Int8, &[0.5], 3, None), encoding(Uint8, &[1.0], 7, None), -128),
        ] {
            let made = param(&entry(kept.clone()), &computed).unwrap();
            assert_eq!(
                (made.integer, made.axis, made.scale.len()),
                (computed.integer, computed.axis, computed.scale.len())
            );
            let codes: Vec<i32> = [-3, 0, 2, 7].iter().map(|code| code + if shift > 0 { shift } else { 0 }).collect();
            let moved: Vec<i32> = codes.iter().map(|code| code - shift).collect();
            assert_eq!(kept.dequantize(&codes, &[2, 2]), made.dequantize(&moved, &[2, 2]), "{kept:?}");
        }
        // 257 steps of 16 bits are one of 8.
        let made = param(&entry(encoding(Uint8, &[0.5], 3, None)), &encoding(Uint16, &[1.0], 9, None)).unwrap();
        assert_eq!((made.zero_point[0], made.integer), (771, Uint16));
        assert!((made.scale[0] * 257.0 - 0.5).abs() < 1e-6);
        let blocks = Encoding { block: Some(2), ..encoding(Int8, &[0.5, 0.5], 0, Some(0)) };
        for (kept, computed, word) in [
            (encoding(Uint8, &[0.5], 3, None), by_channel(Int8), "has a zero point (-125 of int8)"),
            (encoding(Int16, &[0.5], 0, None), by_channel(Int8), "is int16, and int8 is taken here"),
            (encoding(Int8, &[0.5, 0.5], 0, Some(0)), by_channel(Int8), "another axis"),
            (encoding(Int8, &[0.5, 0.5, 0.5], 0, Some(1)), by_channel(Int8), "has 3 scales, and 2 are wanted"),
            (encoding(Int8, &[0.5, 0.5], 0, Some(1)), encoding(Int8, &[1.0], 0, None), "another axis"),
            (blocks, by_channel(Int8), "in blocks of 2"),
            (encoding(Int8, &[1e30], 0, None), by_channel(Int8), "scales outside"),
        ] {
            let said = param(&entry(kept), &computed).unwrap_err();
            assert!(said.contains(word) && said.ends_with("new scales are made"), "{word}: {said}");
        }
        let (weights, data) = (by_channel(Int8), encoding(Uint8, &[1e-9], 0, None));
        let bias = |value| Constant::from_values(vec![0.0, value], vec![2]);
        assert!(refuse_small(&weights.scale, &bias(4.0), &data).is_ok());
        assert!(refuse_small(&weights.scale, &bias(9.0), &data).unwrap_err().contains("too small for the bias"));
    }

    #[test]
    fn operators_that_take_no_mixture_get_16_bits() {
        let mut b = Builder::new("g");
        let [x, y] = ["x", "y"].map(|name| b.input(name, vec![1, 2], ElementType::F32).unwrap());
        let sum = b.node("sum", ops::Add, &[x, y]).unwrap();
        let end = b.node("end", ops::Sigmoid, &[sum]).unwrap();
        let (target, _) = Target::find("sa8295p").unwrap();
        let graph = freeze(&b.finish(vec![end]), Context { target: &target }).unwrap();
        let port = |name: &str| Port::plain(name.into());
        let group = Group::new("g").unwrap();
        let partitions = [Partition {
            name: "g".into(),
            group: group.clone(),
            graph,
            inputs: vec![port("x"), port("y")],
            outputs: vec![port("end")],
        }];
        let ties = Ties::new(&partitions);
        let class = |name: &str| ties.class(&group, name).unwrap();
        let mut by_class: BTreeMap<usize, Encoding> = ["x", "y", "sum", "end"]
            .into_iter()
            .map(|name| {
                let integer = if name == "y" { IntegerType::Uint16 } else { IntegerType::Uint8 };
                (class(name), encoding(integer, &[0.5], 3, None))
            })
            .collect();
        let said = agree(&partitions, (&ties, &group), &target, &mut by_class);
        // What reads the sum follows it.
        let names: Vec<&str> = said.iter().map(|settled| settled.name.as_str()).collect();
        assert_eq!(names, ["x", "sum", "end"], "{said:?}");
        assert!(by_class.values().all(|encoding| encoding.integer == IntegerType::Uint16));
        assert_eq!(by_class[&class("x")].range(), encoding(IntegerType::Uint8, &[0.5], 3, None).range());
        assert_eq!(by_class[&class("y")].zero_point, [3]);
        assert!(agree(&partitions, (&ties, &group), &target, &mut by_class).is_empty());
    }
}
