//! Convolutions over three axes.

use super::tests::{int, ints, model, node, operators, read, reals, run};

/// Rows of a film of so many channels, frames, rows and columns.
const FILM: [usize; 4] = [2, 4, 3, 3];

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 37 % 23) as f32 / 8.0 - 1.25).collect()
}

/// What a convolution over three axes makes of a film, by its definition.
fn by_hand(x: &[f32], w: &[f32], kernel: [usize; 3], strides: [usize; 3], pads: [usize; 3]) -> Vec<f32> {
    let [channels, sizes @ ..] = FILM;
    let filters = w.len() / (channels * kernel.iter().product::<usize>());
    let places = [0, 1, 2].map(|axis| (sizes[axis] + 2 * pads[axis] - kernel[axis]) / strides[axis] + 1);
    let all = |sizes: [usize; 3]| {
        (0..sizes.iter().product::<usize>())
            .map(move |at| [at / (sizes[1] * sizes[2]), at / sizes[2] % sizes[1], at % sizes[2]])
    };
    let mut made = Vec::new();
    for filter in 0..filters {
        for place in all(places) {
            let mut sum = filter as f32;
            for channel in 0..channels {
                for tap in all(kernel) {
                    let at = [0, 1, 2].map(|axis| {
                        let at = (place[axis] * strides[axis] + tap[axis]).checked_sub(pads[axis]);
                        at.filter(|&at| at < sizes[axis])
                    });
                    let [Some(d), Some(h), Some(l)] = at else { continue };
                    let value = x[((channel * sizes[0] + d) * sizes[1] + h) * sizes[2] + l];
                    let tap = (tap[0] * kernel[1] + tap[1]) * kernel[2] + tap[2];
                    sum += value * w[(filter * channels + channel) * kernel.iter().product::<usize>() + tap];
                }
            }
            made.push(sum);
        }
    }
    made
}

#[test]
fn films_in_parts_and_places_of_frames_are_images() {
    let size = |sizes: &[usize]| sizes.iter().map(|&size| size as i64).collect::<Vec<i64>>();
    for (kernel, strides, pads, turns) in [
        // All frames in one part, two in each, one by one.
        ([4, 2, 2], [4, 1, 1], [0, 1, 1], false),
        ([2, 3, 2], [2, 2, 1], [0, 0, 1], true),
        ([1, 3, 3], [1, 1, 1], [0, 1, 1], true),
        // One place of several frames.
        ([3, 1, 1], [1, 1, 1], [1, 0, 0], false),
        ([2, 1, 1], [1, 1, 1], [0, 0, 0], false),
    ] {
        let [channels, sizes @ ..] = FILM;
        let (x, count) = (numbers(FILM.iter().product()), 3 * channels * kernel.iter().product::<usize>());
        let w = numbers(count + 5).split_off(5);
        let weights = reals("w", &size(&[&[3, channels], &kernel[..]].concat()), &w);
        let attributes = vec![
            ints("kernel_shape", &size(&kernel)),
            ints("strides", &size(&strides)),
            ints("pads", &size(&[pads, pads].concat())),
            int("group", 1),
        ];
        let nodes = vec![node("Conv x w b -> y", attributes)];
        let shape = size(&[&[1, channels], &sizes[..]].concat());
        let made = read(&model(&shape, vec![weights, reals("b", &[3], &[0.0, 1.0, 2.0])], nodes)).unwrap().graph;
        assert_eq!(operators(&made).contains(&"Transpose"), turns, "{kernel:?}: {:?}", operators(&made));
        assert_eq!(made.value(made.outputs()[0]).shape.len(), 5);
        let wanted = by_hand(&x, &w, kernel, strides, pads);
        let found = run(&made, &x);
        assert_eq!(found.len(), wanted.len(), "{kernel:?}");
        found.iter().zip(wanted).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{kernel:?}: {a} {b}"));
    }
}

#[test]
fn convolutions_over_three_axes_that_are_none_over_two_are_told_with_what_to_do() {
    let weights = reals("w", &[1, 2, 3, 3, 3], &numbers(54));
    let attributes = vec![ints("pads", &[1; 6])];
    let nodes = vec![node("Conv x w -> y", attributes)];
    let error = read(&model(&[1, 2, 4, 3, 3], vec![weights], nodes)).err().unwrap().to_string();
    assert!(error.contains("four axes are wanted") && error.contains("a sum of convolutions over two axes"), "{error}");
}
