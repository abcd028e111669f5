//! Numbers that no integers stand for.

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ops::InputKind;
use autoneural_core::ir::{Graph, Op, index_of};

/// Refuses weights, gains and biases of a graph that hold NaN or infinity, and tables that rows are picked from with either,
/// but for infinity below zero, which hides rows in masks. Other constants may hold what no result comes from; where one
/// does, calibration tells it.
///
/// # Errors
/// There is one; the error names the first number of it that cannot be.
pub fn refuse_non_finite(graph: &Graph) -> Result<()> {
    for node in graph.nodes() {
        for (at, &id) in node.inputs.iter().enumerate() {
            let value = graph.value(id);
            let Some(constant) = value.constant().filter(|_| value.element.is_real()) else { continue };
            let kind = node.op.signature().kind(at);
            let is_factor = matches!(kind, Some(InputKind::Weight | InputKind::Gain | InputKind::Bias));
            let is_table = matches!(node.op, Op::Gather(_));
            if !is_factor && !is_table {
                continue;
            }
            let is_wrong = |number: &f32| !number.is_finite() && (is_factor || *number != f32::NEG_INFINITY);
            let numbers = constant.to_f32();
            if let Some(found) = numbers.iter().position(is_wrong) {
                let (index, number, reader) = (index_of(found, &value.shape), numbers[found], node.op.name());
                let message = format!("element {index:?} of this constant is {number}, and {reader} reads it");
                let help = "numbers of a model must be finite: mend its file, or export it again";
                return Err(Error::input(format!("`{}`", value.name), message).help(help));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::onnx::tests::{model, node, read, reals};

    #[test]
    fn numbers_that_cannot_be_are_refused_by_constant_and_index_and_masks_are_not() {
        let refusal = |text: &str, numbers: [f32; 4]| {
            let made = read(&model(&[2, 2], vec![reals("c", &[2, 2], &numbers)], vec![node(text, vec![])]));
            made.err().map(|error| error.to_string())
        };
        for (text, number, reader) in
            [("MatMul x c -> y", f32::NAN, "MatMul"), ("MatMul x c -> y", f32::NEG_INFINITY, "MatMul")]
        {
            let said = refusal(text, [1.0, 2.0, number, 4.0]).unwrap();
            assert!(said.contains("`c`: element [1, 0] of this constant is") && said.contains(reader), "{said}");
        }
        assert_eq!(refusal("Add x c -> y", [0.0, f32::NEG_INFINITY, 0.0, f32::NAN]), None);
        assert_eq!(refusal("MatMul x c -> y", [1.0, 2.0, 3.0, 4.0]), None);
    }
}
