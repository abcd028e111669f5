//! Recurrent layers, whose steps are written out: as many cells as there are steps, which is known when a model is read.
//! What all steps make of the input is one product.

use super::cells::Step;
use super::spelled::Spelled;
use super::truths::number;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, Op, ValueId, ops};

/// Most steps that are written out.
const MOST_STEPS: usize = 256;

/// Which layer it is, with the number of its gates.
#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Lstm,
    Gru,
    Rnn,
}

impl Layer {
    fn gates(self) -> usize {
        match self {
            Layer::Lstm => 4,
            Layer::Gru => 3,
            Layer::Rnn => 1,
        }
    }

    /// The functions that ONNX takes where none are named.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Layer::Lstm => &["Sigmoid", "Tanh", "Tanh"],
            Layer::Gru => &["Sigmoid", "Tanh"],
            Layer::Rnn => &["Tanh"],
        }
    }
}

/// Sizes of a layer.
struct Sizes {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
}

pub fn lstm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Lstm)
}

pub fn gru<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Gru)
}

pub fn rnn<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Rnn)
}

/// The name of the first output that is wanted.
fn name_of<'m>(told: &Told<'m>) -> &'m str {
    told.node.outputs.iter().find(|name| !name.is_empty()).map_or("", String::as_str)
}

fn layer<'m>(making: &mut Making<'m>, told: &Told<'m>, layer: Layer) -> Spelled {
    let known = ["direction", "hidden_size", "linear_before_reset", "input_forget", "layout", "activations"];
    told.onnx.expect(&known, 7)?;
    told.onnx.demand_int("layout", 0)?;
    told.onnx.demand_int("input_forget", 0)?;
    let named = told.onnx.texts("activations")?.unwrap_or_default();
    let is_relu = layer == Layer::Rnn && !named.is_empty() && named.iter().all(|name| name == "Relu");
    if !is_relu && !named.chunks(layer.functions().len()).all(|names| names == layer.functions()) {
        return Err(format!("computes with the functions {named:?}; {:?} are supported", layer.functions()));
    }
    let &[steps, batch, input] = told.shape(0)?.as_slice() else { return Err("wants steps of rows".into()) };
    let &[directions, _, hidden] = told.shape(2)?.as_slice() else { return Err("has weights of no direction".into()) };
    let sizes = Sizes { steps, batch, input, hidden };
    let all_steps = |constant: &Constant| constant.to_i64().iter().all(|&length| length == steps as i64);
    if told.onnx.has(4) && !told.constant(4).is_some_and(all_steps) {
        return Err("ends some rows before others (`sequence_lens`)".into());
    }
    if told.onnx.has(7) {
        return Err("has weights from cells to gates (`P`)".into());
    }
    if steps > MOST_STEPS {
        return Err(format!("has {steps} steps; at most {MOST_STEPS} are written out"));
    }
    let is_reverse: &[bool] = match told.onnx.text("direction", "forward")?.as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(format!("has the direction `{other}`")),
    };
    if directions != is_reverse.len() {
        return Err(format!("has weights for {directions} directions"));
    }
    let x = number(making, told, 0)?;
    let rows =
        making.step(format!("{}.rows", name_of(told)), ops::Reshape { shape: vec![steps * batch, input] }, &[x])?;
    let (mut of_steps, mut of_hidden, mut of_cells) = (vec![], vec![], vec![]);
    for (direction, &is_reverse) in is_reverse.iter().enumerate() {
        let way = Way { is_relu, ..Way::of(making, told, layer, &sizes, direction)? };
        let (made, hidden, cell) = way.run(making, &sizes, rows, is_reverse)?;
        of_steps.push(made);
        of_hidden.push(hidden);
        of_cells.extend(cell);
    }
    // An output that nobody wants has no name.
    let mut outputs = vec![Known::Failed; told.node.outputs.len()];
    for (at, (parts, axis)) in [(of_steps, 1), (of_hidden, 0), (of_cells, 0)].into_iter().enumerate() {
        let Some(name) = told.node.outputs.get(at).filter(|name| !name.is_empty()) else { continue };
        let joined = match parts.as_slice() {
            [one] => {
                let shape = making.shape(*one).clone();
                making.reshaped(name, *one, shape)?
            }
            _ => making.last(name, ops::Concat { axis }, &parts)?,
        };
        outputs[at] = Known::Value(joined);
    }
    Ok(Some(outputs))
}

/// One direction of a layer.
struct Way {
    name: String,
    layer: Layer,
    /// `[input, gates]` and `[hidden, gates]`.
    of_input: Constant,
    of_hidden: Constant,
    /// What is added to both products.
    biases: [Option<Constant>; 2],
    /// The state before the first step; none where it is all zero.
    hidden: Option<ValueId>,
    cell: Option<ValueId>,
    /// Whether cells end with a Relu.
    is_relu: bool,
    /// Whether a GRU multiplies by its reset gate behind the product.
    resets_behind: bool,
}

/// A part of a constant along its first axis, without that axis.
fn part(constant: &Constant, at: usize) -> Constant {
    let shape = constant.shape()[1..].to_vec();
    constant.sliced(0, at, at + 1).reshaped(shape)
}

/// A matrix, turned.
fn turned(constant: &Constant) -> Constant {
    constant.permuted(&[1, 0])
}

impl Way {
    fn of<'m>(
        making: &mut Making<'m>,
        told: &Told<'m>,
        layer: Layer,
        sizes: &Sizes,
        direction: usize,
    ) -> Result<Self, String> {
        let gates = layer.gates() * sizes.hidden;
        let weights = |at: usize, from: usize| {
            let constant = told.constant(at).ok_or("has weights that are computed; constants are supported")?;
            let fits = constant.shape().get(1..) == Some(&[gates, from]) && direction < constant.shape()[0];
            match fits {
                true => Ok(turned(&part(constant, direction))),
                false => Err(format!("has weights of the shape {:?}", constant.shape())),
            }
        };
        let (of_input, of_hidden) = (weights(1, sizes.input)?, weights(2, sizes.hidden)?);
        let mut biases = [None, None];
        if told.onnx.has(3) {
            let both = told.constant(3).ok_or("has biases that are computed; constants are supported")?;
            if both.shape().get(1) != Some(&(2 * gates)) {
                return Err(format!("has biases of the shape {:?}", both.shape()));
            }
            let both = part(both, direction);
            biases = [0, gates].map(|start| Some(both.sliced(0, start, start + gates)));
        }
        let resets_behind = told.onnx.int("linear_before_reset", 0)? != 0;
        // What no product stands between is added to the product of the input.
        let is_one_sum = layer != Layer::Gru || !resets_behind;
        if let ([Some(a), Some(b)], true) = (&biases, is_one_sum) {
            let sum = Op::from(ops::Add).evaluate(&[a.clone(), b.clone()])?.swap_remove(0);
            biases = [Some(sum), None];
        }
        let name = match direction {
            0 => name_of(told).to_string(),
            _ => format!("{}.back", name_of(told)),
        };
        let mut state = |at: usize| -> Result<Option<ValueId>, String> {
            let is_zero = |constant: &Constant| constant.to_f32().iter().all(|&value| value == 0.0);
            if !told.onnx.has(at) || told.constant(at).is_some_and(is_zero) {
                return Ok(None);
            }
            let all = number(making, told, at)?;
            let op = ops::Slice { axis: 0, start: direction, end: direction + 1 };
            let one = making.step(format!("{name}.state{at}"), op, &[all])?;
            let shape = vec![sizes.batch, sizes.hidden];
            making.step(format!("{name}.first{at}"), ops::Reshape { shape }, &[one]).map(Some)
        };
        let hidden = state(5)?;
        let cell = if layer == Layer::Lstm { state(6)? } else { None };
        Ok(Way { name, layer, of_input, of_hidden, biases, hidden, cell, is_relu: false, resets_behind })
    }

    /// All steps of the output, the last state, and the last cells of an LSTM.
    fn run(
        self,
        making: &mut Making,
        sizes: &Sizes,
        rows: ValueId,
        is_reverse: bool,
    ) -> Result<(ValueId, ValueId, Option<ValueId>), String> {
        let &Sizes { steps, batch, hidden, .. } = sizes;
        let name = &self.name;
        let weights = making.constant(format!("{name}.of_input"), self.of_input.clone())?;
        let mut of_input = making.step(format!("{name}.input"), ops::MatMul, &[rows, weights])?;
        if let Some(bias) = &self.biases[0] {
            let bias = making.constant(format!("{name}.bias"), bias.clone())?;
            of_input = making.step(format!("{name}.biased"), ops::Add, &[of_input, bias])?;
        }
        let recurrent = making.constant(format!("{name}.of_hidden"), self.of_hidden.clone())?;
        let later = match &self.biases[1] {
            Some(bias) => Some(making.constant(format!("{name}.later_bias"), bias.clone())?),
            None => None,
        };
        let (mut state, mut cell) = (self.hidden, self.cell);
        let mut made = vec![None; steps];
        let order: Vec<usize> = if is_reverse { (0..steps).rev().collect() } else { (0..steps).collect() };
        for at in order {
            let called = format!("{name}.step{at}");
            let op = ops::Slice { axis: 0, start: at * batch, end: (at + 1) * batch };
            let input = making.step(called.clone(), op, &[of_input])?;
            let mut step = Step { making, name: called, hidden };
            let product = match state {
                Some(state) => {
                    let product = step.node("product", ops::MatMul, &[state, recurrent])?;
                    Some(match later {
                        Some(bias) => step.node("later", ops::Add, &[product, bias])?,
                        None => product,
                    })
                }
                // A product with zeros.
                None => later,
            };
            let next = match self.layer {
                Layer::Rnn => step.rnn(input, product, self.is_relu)?,
                Layer::Gru => step.gru(input, product, state, (!self.resets_behind).then_some(recurrent))?,
                Layer::Lstm => {
                    let (next, cells) = step.lstm(input, product, cell)?;
                    cell = Some(cells);
                    next
                }
            };
            state = Some(next);
            made[at] = Some(making.step(
                format!("{name}.out{at}"),
                ops::Reshape { shape: vec![1, 1, batch, hidden] },
                &[next],
            )?);
        }
        let made: Vec<ValueId> = made.into_iter().flatten().collect();
        let (Some(state), shape) = (state, vec![1, batch, hidden]) else { return Err("has no steps".into()) };
        let all = match made.as_slice() {
            [one] => *one,
            _ => making.step(format!("{name}.all"), ops::Concat { axis: 0 }, &made)?,
        };
        let last = making.step(format!("{name}.last"), ops::Reshape { shape: shape.clone() }, &[state])?;
        let cells =
            cell.map(|cell| making.step(format!("{name}.cells"), ops::Reshape { shape }, &[cell])).transpose()?;
        Ok((all, last, cells))
    }
}

#[cfg(test)]
mod tests {
    use crate::onnx::tests::{int, longs, model, node, read, reals, run};

    #[test]
    fn the_last_state_is_read_where_the_steps_are_not_wanted() {
        let constants = vec![reals("w", &[1, 1, 1], &[1.0]), reals("r", &[1, 1, 1], &[2.0]), longs("flat", &[-1])];
        let nodes =
            vec![node("RNN x w r -> . last", vec![int("hidden_size", 1)]), node("Reshape last flat -> y", vec![])];
        let mut asked = model(&[2, 1, 1], constants, nodes);
        asked.graph.as_mut().unwrap().node[0].output[0].clear();
        let made = run(&read(&asked).unwrap().graph, &[0.5, 0.25]);
        assert!((made[0] - (2.0 * 0.5f32.tanh() + 0.25).tanh()).abs() < 1e-6, "{made:?}");
    }

    #[test]
    fn what_no_step_can_be_written_of_is_told() {
        let constants = || vec![reals("w", &[1, 1, 1], &[1.0]), reals("r", &[1, 1, 1], &[2.0])];
        let layer = |text: &str, attributes, steps| {
            read(&model(&[steps, 1, 1], constants(), vec![node(text, attributes)])).err().unwrap().to_string()
        };
        for (error, words) in [
            (layer("RNN x w r -> y", vec![int("layout", 1)], 2), "`layout` 1 is not supported"),
            (layer("RNN x w x -> y", vec![], 1), "has weights that are computed"),
            (layer("RNN x w r -> y", vec![], 257), "has 257 steps; at most 256 are written out"),
            (layer("LSTM x w r -> y", vec![], 2), "has weights of the shape [1, 1, 1]"),
        ] {
            assert!(error.contains(words) && error.contains("written out step by step"), "{words}: {error}");
        }
    }
}
