//! Outputs that a compiled model can have: real numbers that depend on its inputs.

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::Graph;

/// Refuses outputs that no model for an NPU has.
///
/// # Errors
/// An output that is constant, or that is of integers.
pub fn demand_computed_reals(graph: &Graph) -> Result<()> {
    for &id in graph.outputs() {
        let value = graph.value(id);
        let refused = |message: &str| Err(Error::input(format!("output `{}`", value.name), message));
        if value.constant().is_some() {
            return refused("depends on no input: it is constant")
                .map_err(|error| error.help("take it out of the model's outputs; the host knows it"));
        }
        if !value.element.is_real() {
            return refused("is of integers, which are only moved; outputs are real numbers")
                .map_err(|error| error.help("take it out of the model's outputs, or cast it to float in the model"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn constants_and_integers_are_no_outputs() {
        let demanded = |name: &str| {
            let mut b = Builder::new("g");
            let x = b.input("x", vec![1, 3], ElementType::F32).unwrap();
            let ids = b.input("ids", vec![1, 3], ElementType::I32).unwrap();
            let one = b.constant("one", Constant::from_values(vec![1.0], vec![1])).unwrap();
            let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[ids]).unwrap();
            let y = b.node("y", ops::Relu, &[x]).unwrap();
            let output = [("y", y), ("one", one), ("turned", turned)].into_iter().find(|(known, _)| *known == name);
            demand_computed_reals(&b.finish(vec![output.unwrap().1])).map_err(|error| error.to_string())
        };
        assert_eq!(demanded("y"), Ok(()));
        for (name, words) in [("one", "`one`: depends on no input"), ("turned", "`turned`: is of integers")] {
            let error = demanded(name).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
