//! Small models of what is done to pictures: windows, padding, resizing.

use autoneural_onnx::AttributeProto;
use autoneural_onnx::attribute_proto::AttributeType;

use super::tests::{ints, longs, model, node, read, reals, run};

fn text(name: &str, value: &str) -> AttributeProto {
    let (name, s) = (name.into(), value.as_bytes().to_vec());
    AttributeProto { name, r#type: AttributeType::String as i32, s, ..Default::default() }
}

#[test]
fn windows_along_one_axis_are_windows_of_height_one() {
    let constants = vec![reals("w", &[1, 1, 3], &[1.0, 10.0, 100.0])];
    let nodes = vec![
        node("Conv x w -> c", vec![ints("kernel_shape", &[3]), ints("pads", &[1, 1])]),
        node("AveragePool c -> y", vec![ints("kernel_shape", &[2]), ints("strides", &[2])]),
    ];
    let made = read(&model(&[1, 1, 4], constants, nodes)).unwrap().graph;
    assert_eq!(made.value(made.outputs()[0]).shape, [1, 1, 2]);
    let conv = [210.0, 321.0, 432.0, 43.0];
    assert_eq!(run(&made, &[1.0, 2.0, 3.0, 4.0]), [(conv[0] + conv[1]) / 2.0, (conv[2] + conv[3]) / 2.0]);
}

#[test]
fn padding_below_zero_cuts_off() {
    let constants = vec![longs("pads", &[0, -1, 0, 1]), longs("none", &[0, 0, 0, 0])];
    let nodes = vec![node("Pad x none -> same", vec![]), node("Pad same pads -> y", vec![])];
    let made = read(&model(&[1, 3], constants, nodes)).unwrap().graph;
    assert_eq!(run(&made, &[1.0, 2.0, 3.0]), [2.0, 3.0, 0.0]);
    let all = vec![longs("pads", &[0, -2, 0, -1])];
    let error = read(&model(&[1, 3], all, vec![node("Pad x pads -> y", vec![])])).map(drop).unwrap_err();
    assert!(error.to_string().contains("keeps nothing of axis 1"), "{error}");
}

/// What is less than any number is never the largest; where others read it, it is no number that integers hold.
#[test]
fn padding_with_what_is_least_is_that_of_pools() {
    let constants = || vec![longs("pads", &[0, 0, 0, 1, 0, 0, 0, 2]), reals("least", &[], &[f32::NEG_INFINITY])];
    let pool = |kernel| vec![ints("kernel_shape", &[1, kernel]), ints("strides", &[1, 2])];
    let nodes = vec![node("Pad x pads least -> wide", vec![]), node("MaxPool wide -> y", pool(3))];
    let made = read(&model(&[1, 1, 1, 4], constants(), nodes)).unwrap().graph;
    assert_eq!(run(&made, &[-1.0, -2.0, -3.0, -4.0]), [-1.0, -2.0, -4.0]);
    // A window that holds nothing but padding, and another reader.
    let small = vec![node("Pad x pads least -> wide", vec![]), node("MaxPool wide -> y", pool(2))];
    let also = vec![
        node("Pad x pads least -> wide", vec![]),
        node("MaxPool wide -> most", pool(3)),
        node("ReduceMax wide -> all", vec![]),
        node("Add most all -> y", vec![]),
    ];
    for nodes in [small, also] {
        let error = read(&model(&[1, 1, 1, 4], constants(), nodes)).map(drop).unwrap_err().to_string();
        assert!(error.contains("Pad with -inf is not supported"), "{error}");
    }
}

/// What a node that resizes `[1,1,1,N]` by factors or to sizes makes of it.
fn resized(values: &[f32], op: &str, attributes: Vec<AttributeProto>, scale: f32) -> Vec<f32> {
    let constants = vec![reals("scales", &[4], &[1.0, 1.0, 1.0, scale])];
    let mut made = model(&[1, 1, 1, values.len() as i64], constants, vec![node(op, attributes)]);
    made.opset_import[0].version = if op.starts_with("Upsample") { 9 } else { 13 };
    run(&read(&made).unwrap().graph, values)
}

#[test]
fn resizing_by_factors_is_read_in_every_form() {
    let x = [1.0, 2.0, 4.0];
    let of = |mode: &str, coordinates: &str, nearest: &str, scale| {
        let names = [("mode", mode), ("coordinate_transformation_mode", coordinates), ("nearest_mode", nearest)];
        let stated = names.into_iter().filter(|(_, value)| !value.is_empty());
        resized(&x, "Resize x . scales -> y", stated.map(|(name, value)| text(name, value)).collect(), scale)
    };
    assert_eq!(resized(&x, "Upsample x scales -> y", vec![], 2.0), [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
    assert_eq!(resized(&x, "Upsample x scales -> y", vec![text("mode", "linear")], 2.0), [1., 1.5, 2., 3., 4., 4.]);
    assert_eq!(of("", "", "", 2.0), [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
    assert_eq!(of("nearest", "half_pixel", "ceil", 2.0), [1.0, 2.0, 2.0, 4.0, 4.0, 4.0]);
    assert_eq!(of("linear", "align_corners", "", 5.0 / 3.0), [1.0, 1.5, 2.0, 3.0, 4.0]);
    // A factor that the sizes, 3 and 4, do not say: places are 0, 2/3, 4/3, 2.
    let found = of("linear", "asymmetric", "", 1.5);
    for (found, wanted) in found.iter().zip([1.0, 1.0 + 2.0 / 3.0, 2.0 + 2.0 / 3.0, 4.0]) {
        assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
    }
    // What becomes one element is the first.
    assert_eq!(of("linear", "pytorch_half_pixel", "", 1.0 / 3.0), [1.0]);
    assert_eq!(of("linear", "half_pixel", "", 1.0 / 3.0), [2.0]);
}
