//! Channels with a bias and hardly any weights, as pruning and training leave them: the NPU has no room for the multiplier
//! that their own scale would give.

use autoneural::ir::{Builder, Constant, ElementType, ops};

use crate::common::numbers;
use crate::common::tower::{self, figure};

const SHAPE: [usize; 4] = [1, 8, 6, 6];

#[test]
fn a_dead_channel_does_not_take_the_network_with_it() {
    for (case, weight, bias) in [("none", 0.0, 1e-5), ("tiny", 1e-8, 4e-3), ("negative", 0.0, -3e-3)] {
        for groups in [1, 8] {
            let mut b = Builder::new("tower");
            let x = b.input("x", SHAPE.to_vec(), ElementType::F32).unwrap();
            let of_channel = 9 * 8 / groups;
            let mut weights: Vec<f32> = numbers(8 * of_channel, 3).iter().map(|w| w * 0.3).collect();
            weights[of_channel..2 * of_channel].iter_mut().for_each(|w| *w *= weight);
            let mut biases = numbers(8, 4);
            biases[1] = bias;
            let weights = b.constant("w", Constant::from_values(weights, vec![8, 8 / groups, 3, 3])).unwrap();
            let biases = b.constant("b", Constant::from_values(biases, vec![8])).unwrap();
            let conv = ops::Conv { strides: [1, 1], pads: [1; 4], groups, dilations: [1, 1] };
            let made = b.node("conv", conv, &[x, weights, biases]).unwrap();
            let clip = ops::Clip { min: Some(0.0), max: Some(6.0) };
            let made = b.node("clip", clip, &[made]).unwrap();
            let folder = tower::written(b.finish(vec![made]), &SHAPE, |at| numbers(SHAPE.iter().product(), 20 + at));
            for activations in ["uint16", "uint8"] {
                let recipe = tower::recipe(folder.path(), ["int8", activations], "");
                let out = folder.path().join(activations);
                let report = tower::compile(folder.path(), &recipe, &["--max-difference", "99"], &out);
                let [simulated, npu] = ["simulated", "npu"].map(|engine| figure(&report, engine));
                assert!(npu > simulated - 1.5, "{case}, {groups} groups, {activations}: {simulated} dB, NPU {npu} dB");
            }
        }
    }
}
