//! Weights in blocks: each output channel has a scale for each block of its input channels, on a grid.
//!
//! The grid is that of LPBQ (AIMET documentation, "Low power blockwise quantization"): the scale of a block is `k` times
//! the scale of its output channel, with a whole `k` from 1 to 16, so that the sums of a channel need one multiplier
//! only. What the NPU's provider reads is the scales of blocks. It takes a sixteenth of the largest as the scale of the
//! channel, so one block of every channel has `k = 16`. Where that does not hold it rounds the scales without a word: with
//! 12 as the largest `k`, one matrix product gives 30 dB in place of 78.

use crate::encoding::{Encoding, IntegerType, SMALLEST_SCALE};
use crate::ir::ops::Axes;
use crate::ir::permute;

/// The largest multiple of its channel's scale that the scale of a block can be, and that one block has.
pub const MOST: u32 = 16;
/// How far from a whole number a multiple may be, because scales are rounded to f32 or to a few decimals.
const NEAR: f32 = 1e-3;
/// Shares of the scale that just holds the largest number of a block, which are tried as the scale of this block.
const SHRINKS: [f32; 10] = [8.0 / 7.0, 1.0, 0.95, 0.9, 0.875, 0.85, 0.8, 0.75, 0.7, 0.6];
/// Shares of the scale that suits the block with the largest, which are tried as a channel's sixteen-fold scale.
const AROUND: [f32; 7] = [1.0, 0.97, 0.94, 0.91, 0.88, 1.03, 1.06];
/// Output channels that are copied at once, so that memory is read in its order.
const AT_ONCE: usize = 16;

/// Whether weights of this shape can be cut into blocks of so many input channels: the size divides them, and there is
/// one weight for each pair of an output and an input channel.
pub fn can_be_cut(shape: &[usize], axes: Axes, block: usize) -> bool {
    let Some(output) = axes.output else { return false };
    let others = shape.iter().enumerate().filter(|(axis, _)| *axis != output && *axis != axes.input);
    block > 0
        && shape[axes.input] > 0
        && shape[axes.input].is_multiple_of(block)
        && others.fold(1, |n, (_, s)| n * s) == 1
}

/// The encoding of `values`, weights of this shape, with a scale for each block of `block` input channels of an output
/// channel. Of the scales on the grid those are taken that are found to lose least, as the sum of squared differences
/// to the nearest integers, each times the `importance` of its input channel if such are given. `least` is the smallest
/// scale that each output channel may have, if there is one.
///
/// # Panics
/// The shape cannot be cut like this ([`can_be_cut`]).
///
/// ```
/// use autoneural_core::encoding::IntegerType;
/// use autoneural_core::ir::ops::Axes;
/// use autoneural_core::quantize::{channel_scales, in_blocks};
///
/// // Four input channels in blocks of two, one output channel.
/// let axes = Axes { output: Some(1), input: 0 };
/// let made = in_blocks(IntegerType::Int4, (&[7.0, -7.0, 1.0, 2.0], &[4, 1]), axes, 2, (&[], &[]));
/// let channel = channel_scales(&made, &[4, 1], axes)[0];
/// assert_eq!(made.scale[0], 16.0 * channel);
/// assert_eq!((made.scale[1] / channel).fract(), 0.0);
/// ```
pub fn in_blocks(
    integer: IntegerType,
    (values, shape): (&[f32], &[usize]),
    axes: Axes,
    block: usize,
    (least, importance): (&[f32], &[f32]),
) -> Encoding {
    assert!(can_be_cut(shape, axes, block), "{shape:?} in blocks of {block}");
    let output = axes.output.unwrap_or_default();
    let (channels, inputs) = (shape[output], shape[axes.input]);
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let (of_output, of_input) = (stride(output), stride(axes.input));
    let count = inputs / block;
    let mut found: Vec<(f32, Vec<u32>)> = Vec::with_capacity(channels);
    let mut rows = vec![0f32; AT_ONCE * inputs];
    for first in (0..channels).step_by(AT_ONCE) {
        let some = AT_ONCE.min(channels - first);
        for input in 0..inputs {
            for at in 0..some {
                rows[at * inputs + input] = values[input * of_input + (first + at) * of_output];
            }
        }
        for (at, row) in rows.chunks(inputs).take(some).enumerate() {
            let least = least.get(first + at).copied().unwrap_or(0.0);
            found.push(channel(integer, &blocks_of(row, block, importance), least));
        }
    }
    // A channel of zeros is exact under any scale; the NPU's multipliers can represent that of another channel.
    let living = found.iter().map(|(scale, _)| *scale).filter(|scale| *scale > 0.0).fold(f32::INFINITY, f32::min);
    let living = if living.is_finite() { living } else { SMALLEST_SCALE };
    let mut scale = vec![0f32; channels * count];
    let shape_of_scales = shape_of_scales(shape, axes.input, block);
    let channel_of = channel_of(&shape_of_scales, output);
    let mut next = vec![0; channels];
    for (entry, scale) in scale.iter_mut().enumerate() {
        let channel = channel_of(entry);
        let (unit, multiples) = &found[channel];
        let unit = if *unit > 0.0 { *unit } else { living };
        // Entries of one channel come in the order of its blocks.
        *scale = multiples[next[channel]] as f32 * unit;
        next[channel] += 1;
    }
    Encoding { integer, zero_point: vec![0; scale.len()], scale, axis: Some(axes.input), block: Some(block) }
}

/// A block of an output channel: its weights, and how much the error of each counts if that differs.
type Block<'a> = (&'a [f32], Option<&'a [f32]>);

fn blocks_of<'a>(row: &'a [f32], block: usize, importance: &'a [f32]) -> Vec<Block<'a>> {
    let of = |at: usize| importance.get(at * block..(at + 1) * block);
    row.chunks_exact(block).enumerate().map(|(at, values)| (values, of(at))).collect()
}

/// The scale of an output channel and the multiples of its blocks; a scale of 0 for a channel of zeros.
fn channel(integer: IntegerType, row: &[Block], least: f32) -> (f32, Vec<u32>) {
    let most = integer.limits().1 as f32;
    let wanted: Vec<f32> = row
        .iter()
        .map(|block| {
            let magnitude = block.0.iter().fold(0f32, |most, value| most.max(value.abs()));
            let scales = SHRINKS.map(|share| share * magnitude / most);
            let losses = scales.map(|scale| if scale > SMALLEST_SCALE { loss(integer, block, scale) } else { 0.0 });
            let best = (1..scales.len()).fold(0, |best, at| if losses[at] < losses[best] { at } else { best });
            scales[best]
        })
        .collect();
    let largest = (0..wanted.len()).fold(0, |largest, at| if wanted[at] > wanted[largest] { at } else { largest });
    let smallest = least.max(SMALLEST_SCALE);
    if wanted[largest] <= SMALLEST_SCALE {
        return (least, vec![MOST; wanted.len()]);
    }
    let mut found: Option<(f64, f32, Vec<u32>)> = None;
    for share in AROUND {
        let unit = (share * wanted[largest] / MOST as f32).max(smallest);
        let mut total = 0.0;
        let multiples: Vec<u32> = row
            .iter()
            .enumerate()
            .map(|(at, block)| {
                let below = if at == largest { MOST } else { ((wanted[at] / unit) as u32).clamp(1, MOST) };
                let above = (below + 1).min(MOST);
                let losses = [below, above].map(|multiple| loss(integer, block, multiple as f32 * unit));
                let (multiple, loss) = if losses[1] < losses[0] { (above, losses[1]) } else { (below, losses[0]) };
                total += loss;
                multiple
            })
            .collect();
        if found.as_ref().is_none_or(|(least, ..)| total < *least) {
            found = Some((total, unit, multiples));
        }
    }
    found.map_or_else(|| (0.0, vec![MOST; wanted.len()]), |(_, unit, multiples)| (unit, multiples))
}

/// Sum of the squared differences between the numbers of a block and the nearest integers of a scale, each times how much
/// it counts.
fn loss(integer: IntegerType, (values, importance): &Block, scale: f32) -> f64 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it and subtracting it again rounds, ties to even
    let (least, most) = integer.limits();
    let (least, most, inverse) = (least as f32, most as f32, 1.0 / scale);
    let change = |value: &f32| {
        let steps = value * inverse;
        let code = ((steps.clamp(-1e6, 1e6) + ROUND) - ROUND).clamp(least, most);
        (steps - code) * (steps - code)
    };
    let sum: f32 = match importance {
        None => values.iter().map(change).sum(),
        Some(importance) => values.iter().zip(*importance).map(|(value, counts)| change(value) * counts).sum(),
    };
    f64::from(sum) * f64::from(scale) * f64::from(scale)
}

fn shape_of_scales(shape: &[usize], input: usize, block: usize) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &size)| if axis == input { size / block } else { size }).collect()
}

/// Gives the output channel of an entry of scales of this shape.
fn channel_of(shape_of_scales: &[usize], output: usize) -> impl Fn(usize) -> usize + use<> {
    let (size, inner) = (shape_of_scales[output], shape_of_scales[output + 1..].iter().product::<usize>());
    move |entry| entry / inner % size
}

/// The scale of each output channel that sums of it are in multiples of: in blocks a sixteenth of the largest of its
/// blocks, and the scales themselves without.
pub fn channel_scales(encoding: &Encoding, shape: &[usize], axes: Axes) -> Vec<f32> {
    let (Some(block), Some(output)) = (encoding.block, axes.output) else { return encoding.scale.clone() };
    let channel_of = channel_of(&shape_of_scales(shape, axes.input, block), output);
    let mut made = vec![0f32; shape[output]];
    for (entry, scale) in encoding.scale.iter().enumerate() {
        let most = &mut made[channel_of(entry)];
        *most = most.max(*scale / MOST as f32);
    }
    made
}

/// Changes the scale of each output channel as `change` does with a list of them, and scales of blocks with it, which
/// stay the same multiples of it.
pub fn with_channel_scales(encoding: &mut Encoding, shape: &[usize], axes: Axes, change: impl FnOnce(&mut Encoding)) {
    let (Some(block), Some(output)) = (encoding.block, axes.output) else { return change(encoding) };
    let before = channel_scales(encoding, shape, axes);
    let zero_point = vec![0; before.len()];
    let mut one =
        Encoding { integer: encoding.integer, scale: before.clone(), zero_point, axis: Some(output), block: None };
    change(&mut one);
    let channel_of = channel_of(&shape_of_scales(shape, axes.input, block), output);
    for (entry, scale) in encoding.scale.iter_mut().enumerate() {
        let channel = channel_of(entry);
        *scale = (*scale / before[channel]).round() * one.scale[channel];
    }
}

/// Scales of blocks that stand with output channels outermost, in the order of the tensor.
///
/// # Errors
/// Says in words that the tensor has no such blocks.
pub fn of_rows(encoding: &Encoding, shape: &[usize], axes: Axes) -> Result<Encoding, String> {
    let (Some(block), Some(output)) = (encoding.block, axes.output) else { return Ok(encoding.clone()) };
    if !can_be_cut(shape, axes, block) {
        return Err(format!("is in blocks of {block}, into which {shape:?} cannot be cut"));
    }
    let laid = shape_of_scales(shape, axes.input, block);
    let order: Vec<usize> = std::iter::once(output).chain((0..laid.len()).filter(|axis| *axis != output)).collect();
    let rows: Vec<usize> = order.iter().map(|&axis| laid[axis]).collect();
    if encoding.scale.len() != rows.iter().product::<usize>() {
        return Err(format!("has {} scales, its blocks are {rows:?}", encoding.scale.len()));
    }
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    Ok(Encoding {
        scale: permute(&encoding.scale, &rows, &back),
        zero_point: permute(&encoding.zero_point, &rows, &back),
        axis: Some(axes.input),
        ..encoding.clone()
    })
}

/// Scales of output channels, or one for all, as those of blocks, which are all 16 times that of their channel then. It
/// stands for the same numbers, and the NPU keeps sums 16 times as fine.
///
/// # Errors
/// Says in words that the tensor has no such blocks or channels.
pub fn spread(encoding: &Encoding, shape: &[usize], axes: Axes, block: usize) -> Result<Encoding, String> {
    let output = axes.output.filter(|_| can_be_cut(shape, axes, block));
    let output = output.ok_or_else(|| format!("is to be in blocks of {block}, into which {shape:?} cannot be cut"))?;
    let laid = shape_of_scales(shape, axes.input, block);
    let (channel_of, count) = (channel_of(&laid, output), encoding.scale.len());
    if count != 1 && (count != shape[output] || encoding.axis.is_none()) {
        return Err(format!("has {count} scales where it should have {}", shape[output]));
    }
    let entries = || (0..laid.iter().product()).map(|entry| if count == 1 { 0 } else { channel_of(entry) });
    Ok(Encoding {
        integer: encoding.integer,
        scale: entries().map(|at| encoding.scale[at]).collect(),
        zero_point: entries().map(|at| encoding.zero_point[at]).collect(),
        axis: Some(axes.input),
        block: Some(block),
    })
}

/// Brings scales of blocks that are on the grid, but for a few decimals, onto it.
///
/// # Errors
/// Says in words which channel is not on it.
pub fn onto_grid(encoding: &mut Encoding, shape: &[usize], axes: Axes) -> Result<(), String> {
    let (Some(block), Some(output)) = (encoding.block, axes.output) else { return Ok(()) };
    let units = channel_scales(encoding, shape, axes);
    let channel_of = channel_of(&shape_of_scales(shape, axes.input, block), output);
    for (entry, scale) in encoding.scale.iter_mut().enumerate() {
        let channel = channel_of(entry);
        let multiple = *scale / units[channel];
        if multiple < 1.0 - NEAR || (multiple - multiple.round()).abs() > NEAR {
            return Err(format!(
                "has blocks with the scales {scale:e} and {:e} in channel {channel}; scales that are whole sixteenths of \
                 the largest of their channel (LPBQ) are computed in integers, others are not taken",
                units[channel] * MOST as f32
            ));
        }
        *scale = multiple.round() * units[channel];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lost(encoding: &Encoding, values: &[f32], shape: &[usize]) -> f64 {
        let back = encoding.dequantize(&encoding.quantize(values, shape), shape);
        values.iter().zip(back).map(|(value, back)| f64::from(value - back).powi(2)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn scales_are_on_the_grid_and_lose_less_than_one_a_channel(
            values in prop::collection::vec(prop_oneof![8 => -1f32..1.0, 1 => -9f32..9.0, 1 => Just(0.0)], 96),
            spread in prop::collection::vec(0.01f32..10.0, 8),
            rows in any::<bool>(),
            block in prop_oneof![Just(2usize), Just(4), Just(8)],
        ) {
            // Six output channels of sixteen input channels, outermost as in a convolution, or innermost.
            let (shape, axes) = match rows {
                true => (vec![6, 16, 1, 1], Axes { output: Some(0), input: 1 }),
                false => (vec![16, 6], Axes { output: Some(1), input: 0 }),
            };
            let place = |at: usize| if rows { at % 16 } else { at / 6 };
            let values: Vec<f32> = values.iter().enumerate().map(|(at, v)| v * spread[place(at) / 2]).collect();
            let made = in_blocks(IntegerType::Int4, (&values, &shape), axes, block, (&[], &[]));
            prop_assert_eq!(made.scale.len(), 96 / block);
            let mut on_grid = made.clone();
            prop_assert_eq!(onto_grid(&mut on_grid, &shape, axes), Ok(()));
            for (scale, exact) in made.scale.iter().zip(&on_grid.scale) {
                prop_assert!((scale / exact - 1.0).abs() < 1e-6);
            }
            let channels: Vec<f32> = (0..6)
                .map(|channel| (0..96).filter(move |at| (if rows { at / 16 } else { at % 6 }) == channel))
                .map(|places| places.fold(0f32, |most, at| most.max(values[at].abs())))
                .collect();
            let plain = Encoding::symmetric(IntegerType::Int4, &channels, axes.output);
            prop_assert!(lost(&made, &values, &shape) <= lost(&plain, &values, &shape) * 1.2 + 1e-12);
        }

        #[test]
        fn other_channel_scales_keep_the_multiples(
            values in prop::collection::vec(-1f32..1.0, 64),
            factor in 0.99f32..1.01,
        ) {
            let (shape, axes) = (vec![32, 2], Axes { output: Some(1), input: 0 });
            let before = in_blocks(IntegerType::Int4, (&values, &shape), axes, 8, (&[], &[]));
            let mut after = before.clone();
            with_channel_scales(&mut after, &shape, axes, |one| one.scale.iter_mut().for_each(|s| *s *= factor));
            for (after, before) in after.scale.iter().zip(&before.scale) {
                prop_assert!((after / before / factor - 1.0).abs() < 1e-5);
            }
            prop_assert_eq!(onto_grid(&mut after, &shape, axes), Ok(()));
        }
    }

    #[test]
    fn a_channel_keeps_the_scale_that_its_bias_needs() {
        let (shape, axes) = (vec![4, 3], Axes { output: Some(1), input: 0 });
        let values = [0., 1., 7., 0., 1., -7., 0., 0.1, 1., 0., 0.1, 2.];
        let made = in_blocks(IntegerType::Int4, (&values, &shape), axes, 2, (&[0.0, 0.5, 0.0], &[]));
        let scales = channel_scales(&made, &shape, axes);
        assert_eq!(scales[1], 0.5);
        // The first channel is zero: it has the scale of the smallest other.
        assert_eq!(scales[0], scales[2].min(0.5));
        assert!((scales[2] - 0.0625).abs() < 0.01, "{scales:?}");
    }

    #[test]
    fn scales_without_a_sixteenth_in_common_are_told() {
        let (shape, axes) = (vec![4, 1], Axes { output: Some(1), input: 0 });
        let of = |scale: [f32; 2]| Encoding {
            integer: IntegerType::Int4,
            zero_point: vec![0; 2],
            scale: scale.to_vec(),
            axis: Some(0),
            block: Some(2),
        };
        assert_eq!(onto_grid(&mut of([0.16, 0.05]), &shape, axes), Ok(()));
        for scale in [[0.12, 0.05], [0.16, 0.0051]] {
            let said = onto_grid(&mut of(scale), &shape, axes).unwrap_err();
            assert!(said.contains("channel 0") && said.contains("whole sixteenths"), "{said}");
        }
    }

    #[test]
    fn scales_of_channels_stand_for_the_same_numbers_in_blocks() {
        let (shape, axes) = (vec![4, 3], Axes { output: Some(1), input: 0 });
        let channels = Encoding::symmetric(IntegerType::Int4, &[7.0, 14.0, 3.5], Some(1));
        let made = spread(&channels, &shape, axes, 2).unwrap();
        assert_eq!(made.scale, [1.0, 2.0, 0.5, 1.0, 2.0, 0.5]);
        let codes: Vec<i32> = (0..12).map(|at| at - 6).collect();
        assert_eq!(made.dequantize(&codes, &shape), channels.dequantize(&codes, &shape));
        assert_eq!(channel_scales(&made, &shape, axes), [1.0 / 16.0, 2.0 / 16.0, 0.5 / 16.0]);
        let two = Encoding::symmetric(IntegerType::Int4, &[7.0, 14.0], Some(1));
        assert!(spread(&two, &shape, axes, 2).unwrap_err().contains("has 2 scales where it should have 3"));
    }

    #[test]
    fn kernels_and_other_sizes_are_not_cut() {
        let axes = Axes { output: Some(0), input: 1 };
        assert!(can_be_cut(&[8, 64, 1, 1], axes, 32));
        for (shape, block) in [([8, 64, 3, 3], 32), ([8, 48, 1, 1], 32), ([8, 1, 1, 1], 32), ([8, 64, 1, 1], 0)] {
            assert!(!can_be_cut(&shape, axes, block), "{shape:?}");
        }
        assert!(!can_be_cut(&[64, 8, 1, 1], Axes { output: None, input: 0 }, 32));
    }
}
