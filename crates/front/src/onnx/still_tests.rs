//! Nodes that look as if they were of training or of integers, and are constants or numbers.

use super::tests::{int, longs, model, node, operators, port, read, reals, run};

/// Weights that are standardized when the model runs, as TorchScript exports them: the mean 2 and the variance 2.5 of
/// each channel are its own.
#[test]
fn a_constant_that_is_normalized_in_training_mode_is_a_constant() {
    let channels = |name, values: &[f32]| reals(name, &[2], values);
    let constants = || {
        vec![
            reals("w", &[1, 2, 4], &[0.0, 1.0, 3.0, 4.0, 0.0, 10.0, 30.0, 40.0]),
            channels("scale", &[1.0, 2.0]),
            channels("bias", &[0.0, 0.5]),
            channels("mean", &[9.0, 9.0]),
            channels("variance", &[7.0, 7.0]),
        ]
    };
    let norm = node("BatchNormalization w scale bias mean variance -> s m v", vec![int("training_mode", 1)]);
    let nodes = vec![norm.clone(), node("Add x s -> y", vec![])];
    let made = read(&model(&[1, 2, 4], constants(), nodes)).unwrap().graph;
    assert_eq!(operators(&made), ["Add"]);
    let root = 2.5f32.sqrt();
    let wanted = [-2.0, -1.0, 1.0, 2.0].map(|one| one / root);
    let wanted = [wanted, wanted.map(|one| one * 2.0 + 0.5)].concat();
    let found = run(&made, &[0.0; 8]);
    found.iter().zip(&wanted).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{found:?} {wanted:?}"));
    // The means that training would keep: nine tenths of those before.
    let nodes = vec![norm, node("Add x m -> y", vec![])];
    let made = read(&model(&[1, 2], constants(), nodes)).unwrap().graph;
    let found = run(&made, &[0.0; 2]);
    assert!((found[0] - 8.3).abs() < 1e-5 && (found[1] - 10.1).abs() < 1e-5, "{found:?}");
}

/// What is computed in training mode is told with what to do.
#[test]
fn a_value_that_is_normalized_in_training_mode_is_refused() {
    let channels = |name| reals(name, &[2], &[1.0, 2.0]);
    let constants = ["scale", "bias", "mean", "variance"].map(channels).to_vec();
    let nodes = vec![node("BatchNormalization x scale bias mean variance -> y m v", vec![int("training_mode", 1)])];
    let error = read(&model(&[1, 2, 4], constants, nodes)).err().unwrap().to_string();
    assert!(error.contains("is in training mode") && error.contains("model.eval()"), "{error}");
}

/// A mask of 64-bit integers that is cast to other integers, and joined with itself, picks nothing.
#[test]
fn masks_of_integers_that_are_moved_are_numbers() {
    let nodes = vec![
        node("Cast x -> whole", vec![int("to", 6)]),
        node("Concat whole whole -> twice", vec![int("axis", 1)]),
        node("CumSum twice axis -> sums", vec![]),
        node("Mul sums twice -> places", vec![]),
        node("Cast places -> y", vec![int("to", 1)]),
    ];
    let mut mask = model(&[1, 3], vec![longs("axis", &[1])], nodes);
    mask.graph.as_mut().unwrap().input[0] = port("x", 7, &[1, 3]);
    let made = read(&mask).unwrap();
    assert!(made.notes[0].contains("taken as float32"), "{:?}", made.notes);
    assert_eq!(run(&made.graph, &[1.0, 1.0, 0.0]), [1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
    // Joined with integers that pick, it stays one of them.
    let nodes = vec![
        node("Concat x ids -> all", vec![int("axis", 1)]),
        node("Gather table all -> rows", vec![]),
        node("ReduceSum rows -> y", vec![]),
    ];
    let table = reals("table", &[4, 1], &[1.0, 2.0, 3.0, 4.0]);
    let mut joined = model(&[1, 3], vec![table], nodes);
    joined.graph.as_mut().unwrap().input = vec![port("x", 7, &[1, 3]), port("ids", 7, &[1, 3])];
    let made = read(&joined).unwrap();
    assert!(made.notes.iter().all(|note| note.contains("taken as int32")), "{:?}", made.notes);
}
