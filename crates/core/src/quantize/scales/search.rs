//! The search over scales that methods have in common.

use ndarray::{Array2, ArrayView2};

use super::method::Weighed;
use crate::quantize::rounding::Channels;

/// How far a scale may shrink, and in how many steps.
const SMALLEST: f32 = 0.4;
const STEPS: usize = 24;

/// For each scale the share for which the loss is least; the largest of those that are as good. `loss` gives for a channel
/// group and the changes of its weights (a row for each output channel) what each row loses.
pub(crate) fn best_shares(weighed: &Weighed, mut loss: impl FnMut(usize, ArrayView2<f32>) -> Vec<f64>) -> Vec<f32> {
    let (encoding, count) = (weighed.encoding, weighed.encoding.scale.len());
    let Some(channels) = Channels::of(weighed.layer, encoding) else { return vec![1.0; count] };
    let (rows, scales) = (channels.rows(weighed.weights), channels.scales(encoding, &weighed.layer.shape));
    let (least, most) = encoding.integer.limits();
    let (least, most, of_group) = (least as f32, most as f32, channels.of_group);
    let shares: Vec<f32> = (0..=STEPS).map(|step| 1.0 - (1.0 - SMALLEST) * step as f32 / STEPS as f32).collect();
    // Of each share and each scale.
    let mut losses = vec![vec![0f64; count]; shares.len()];
    for (group, rows) in rows.chunks(of_group * channels.width).enumerate() {
        for (share, losses) in shares.iter().zip(&mut losses) {
            let scale = |channel: usize| scales[group * of_group + channel] * share;
            let changes = Array2::from_shape_fn((of_group, channels.width), |(channel, column)| {
                let (weight, scale) = (rows[channel * channels.width + column], scale(channel));
                (weight / scale).round_ties_even().clamp(least, most) * scale - weight
            });
            for (channel, loss) in loss(group, changes.view()).into_iter().enumerate() {
                losses[(group * of_group + channel).min(count - 1)] += loss;
            }
        }
    }
    let best = |at: usize| {
        let better = |best: usize, other: usize| if losses[other][at] < losses[best][at] { other } else { best };
        shares[(0..shares.len()).fold(0, better)]
    };
    (0..count).map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{METHODS, Scales};
    use super::*;
    use crate::encoding::{Encoding, IntegerType};
    use crate::evidence::{Ask, EvidenceSource, Linear, Observer, SecondMoments};
    use crate::ir::ops::{Axes, Rows};
    use crate::program::Group;
    use crate::quantize::layer::Layer;
    use crate::quantize::rounding::LayerEvidence;
    use autoneural_base::error::Result;
    use proptest::prelude::*;

    /// Rows of four input channels, as one layer saw them.
    struct Seen(Vec<f32>);

    impl EvidenceSource for Seen {
        fn get(&self, _: &Ask) -> Result<Observer> {
            let mut made = SecondMoments::new(4, 1);
            made.observe(&Rows::LastAxis, &[self.0.len() / 4, 4], &self.0);
            Ok(Observer::SecondMoments(made))
        }
    }

    fn layer() -> Layer {
        Layer {
            group: Group::fixed("g"),
            name: "w".into(),
            shape: vec![4, 3],
            axes: Axes { output: Some(1), input: 0 },
            groups: 1,
            readers: vec![Linear {
                graph: "g".into(),
                node: "y".into(),
                data: "x".into(),
                weight: "w".into(),
                rows: Rows::LastAxis,
            }],
        }
    }

    /// What the outputs of each channel change by, as a sum of squares over rows.
    fn lost(weights: &[f32], encoding: &Encoding, rows: &[f32]) -> Vec<f64> {
        let back = encoding.dequantize(&encoding.quantize(weights, &[4, 3]), &[4, 3]);
        let change = |row: &[f32], channel: usize| -> f64 {
            (0..4).map(|at| f64::from(row[at]) * f64::from(back[at * 3 + channel] - weights[at * 3 + channel])).sum()
        };
        (0..3).map(|channel| rows.chunks(4).map(|row| change(row, channel).powi(2)).sum()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn each_method_loses_least_by_what_it_looks_at(
            weights in prop::collection::vec(prop_oneof![6 => -1f32..1.0, 1 => -4f32..4.0], 12),
            rows in prop::collection::vec(-2f32..2.0, 20),
        ) {
            let (layer, seen) = (layer(), Seen(rows.clone()));
            let most: Vec<f32> =
                (0..3).map(|c| (0..4).fold(0f32, |most, at| most.max(weights[at * 3 + c].abs()))).collect();
            let with = |shares: &[f32]| {
                let magnitudes: Vec<f32> = most.iter().zip(shares).map(|(most, share)| most * share).collect();
                Encoding::symmetric(IntegerType::Int4, &magnitudes, Some(1))
            };
            let plain = with(&[1.0; 3]);
            let weighed = Weighed { layer: &layer, weights: &weights, encoding: &plain };
            let evidence = LayerEvidence::new(&layer, &seen, false);
            // A matrix of ones as rows weighs every weight alone.
            let alone: Vec<f32> = (0..16).map(|at| if at % 5 == 0 { 1.0 } else { 0.0 }).collect();
            for method in METHODS {
                let shares = method.shares(&weighed, &evidence).unwrap();
                let judged = match method.name() {
                    "min-max" => { prop_assert_eq!(shares, vec![1.0; 3]); continue },
                    "mse" => &alone,
                    _ => &rows,
                };
                let found = lost(&weights, &with(&shares), judged);
                for other in [1.0, 0.9, 0.75, 0.5] {
                    for (found, other) in found.iter().zip(lost(&weights, &with(&[other; 3]), judged)) {
                        prop_assert!(*found <= other * 1.001 + 1e-6, "{}: {found} {other}", method.name());
                    }
                }
            }
        }
    }

    #[test]
    fn one_outlier_is_cut_off_where_the_others_gain() {
        let (layer, seen) = (layer(), Seen(vec![0.1, 1.0, 1.0, 1.0]));
        let weights = [2.0, 0.9, 0.9, 0.3, 0.5, 0.5, 0.31, 0.45, 0.45, 0.29, 0.35, 0.35];
        let plain = Encoding::symmetric(IntegerType::Int4, &[2.0, 0.9, 0.9], Some(1));
        let weighed = Weighed { layer: &layer, weights: &weights, encoding: &plain };
        let shares =
            Scales::of_name("output-mse").unwrap().shares(&weighed, &LayerEvidence::new(&layer, &seen, false)).unwrap();
        assert!(shares[0] < 0.9, "{shares:?}");
        let importance = Scales::of_name("output-mse")
            .unwrap()
            .importance(&layer, &LayerEvidence::new(&layer, &seen, false))
            .unwrap();
        assert!((importance[0] - 0.01).abs() < 1e-6 && importance[1] == 1.0, "{importance:?}");
    }
}
