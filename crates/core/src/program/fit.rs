//! Checks that ports can be what their roles mean.

use super::meaning::{Meaning, State};
use super::partition::{Partition, Port};
use crate::ir::ValueId;
use autoneural_base::error::{Error, Result};

/// Refuses a graph whose ports cannot be what their roles mean. Later stages rely on this.
///
/// # Errors
/// A role needs an axis that its port does not have, state has no output of the same key and shape, or a mask has no
/// range. The error names the port.
pub fn refuse_unfit(partition: &Partition) -> Result<()> {
    let graph = &partition.graph;
    let (inputs, outputs) = (pairs(&partition.inputs, graph.inputs()), pairs(&partition.outputs, graph.outputs()));
    for (port, id) in inputs.clone().chain(outputs.clone()) {
        let refused = |message: String| Err(Error::input(format!("{}: `{}`", partition.name, port.name), message));
        let shape = &graph.value(id).shape;
        let Meaning { state, padding, mask, .. } = port.meaning;
        let axes = state.map(State::axis).into_iter().chain(padding.map(|rows| rows.axis));
        if let Some(axis) = axes.into_iter().find(|axis| *axis >= shape.len()) {
            return refused(format!("is {shape:?}; its role `{}` wants an axis {axis}", port.role));
        }
        if mask && port.range.is_none() {
            return refused(format!("is without a range, and its role `{}` is that of a mask", port.role));
        }
    }
    for (port, id) in inputs {
        let Some(state) = port.meaning.state else { continue };
        let mut next = outputs.clone().filter(|(next, _)| next.encoding_key == port.encoding_key);
        let comes_back = next.next().is_some_and(|(next, next_id)| {
            let (mut from, mut to) = (graph.value(id).shape.clone(), graph.value(next_id).shape.clone());
            if let State::Append { axis } = state {
                [&mut from, &mut to].into_iter().filter_map(|shape| shape.get_mut(axis)).for_each(|size| *size = 0);
            }
            next.meaning.state == Some(state) && from == to
        });
        if port.encoding_key.is_empty() || !comes_back {
            let message = format!("is state, and no output with its encoding key `{}` fits it", port.encoding_key);
            return Err(Error::input(format!("{}: `{}`", partition.name, port.name), message));
        }
    }
    Ok(())
}

fn pairs<'a>(ports: &'a [Port], ids: &'a [ValueId]) -> impl Iterator<Item = (&'a Port, ValueId)> + Clone {
    ports.iter().zip(ids.iter().copied())
}
