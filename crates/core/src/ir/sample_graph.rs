//! The graph of a sample: one operator, its constants, and what goes into it.

use super::build::Builder;
use super::constant::Constant;
use super::graph::Graph;
use super::ops::{Op, Sample, SampleInput};
use super::types::{ElementType, Shape};
use autoneural_base::error::Result;

/// Deviation of biases.
const BIAS: f32 = 0.1;

/// Where roots, logarithms and reciprocals are, and are not too steep for integers.
fn above_zero(value: &mut f32) {
    *value = value.abs() + 0.25;
}

/// The graph of one operator, named `operator`, and one tensor for each of its inputs. `normal` draws so many numbers
/// of a deviation; it is asked in the order of the inputs.
///
/// # Errors
/// Inputs that the operator does not take.
pub fn sample_graph(
    sample: &Sample<Op>,
    mut normal: impl FnMut(usize, f32) -> Vec<f32>,
) -> Result<(Graph, Vec<Constant>)> {
    let mut b = Builder::new("operator");
    let (mut operands, mut given) = (Vec::new(), Vec::<Constant>::new());
    let mut constants = 0;
    for input in &sample.inputs {
        let mut draw = |shape: &Shape, deviation: f32| normal(shape.iter().product(), deviation);
        operands.push(match input {
            SampleInput::Read(shape) | SampleInput::Positive(shape) => {
                let name = format!("input.{}", given.len());
                let mut values = draw(shape, sample.deviation);
                if let SampleInput::Positive(_) = input {
                    values.iter_mut().for_each(above_zero);
                }
                given.push(Constant::from_values(values, shape.clone()));
                b.input(name, shape.clone(), ElementType::F32)?
            }
            SampleInput::Constant(shape, _) | SampleInput::PositiveConstant(shape) => {
                let deviation = if let SampleInput::Constant(_, deviation) = input { *deviation } else { 1.0 };
                let mut values = draw(shape, deviation);
                if let SampleInput::PositiveConstant(_) = input {
                    values.iter_mut().for_each(above_zero);
                } else if let [_] = shape.as_slice() {
                    // Factors and shifts lie around one, as those of trained normalizations do.
                    values.iter_mut().for_each(|value| *value += 1.0);
                }
                constants += 1;
                let name = if constants == 1 { "weights".to_string() } else { format!("weights.{}", constants - 1) };
                b.constant(name, Constant::from_values(values, shape.clone()))?
            }
            SampleInput::Bias(channels) => {
                let shape = vec![*channels];
                b.constant("bias", Constant::from_values(draw(&shape, BIAS), shape))?
            }
            SampleInput::Indices(values) => {
                let shape = vec![values.len()];
                let numbers = values.iter().map(|&value| value.into()).collect();
                given.push(Constant::from_integers(ElementType::I32, numbers, shape.clone()));
                b.input("indices", shape, ElementType::I32)?
            }
        });
    }
    let outputs = b.node_outputs("output", sample.operator.clone(), &operands)?;
    Ok((b.finish(outputs), given))
}
