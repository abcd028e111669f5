//! What stages take of memory, and what this machine has.

use std::path::Path;

use crate::back::onnx::DataWriter;
use crate::bundle::Bundle;
use crate::error::{Error, IoContext, Result};
use crate::front::{Component, Definition, Recorder, assemble};
use crate::ir::Graph;
use crate::machine;

/// Memory that work at the same time may take together, where the machine has it.
const TOGETHER: u64 = 10 << 30;
/// What the vendor's compiler takes for one partition, at most: 3.8 GB were measured for a language model of 1.2 billion
/// parameters, 3.3 GB for a vision encoder at 768 pixels.
const COMPILER: u64 = 4 << 30;
/// What a model takes in calibration, as a multiple of its float weights.
const CALIBRATION: f64 = 1.25;
/// Bytes of a float weight.
const WEIGHT: f64 = 4.0;

/// Refuses a model that is too large to be calibrated here, before any work.
///
/// # Errors
/// The machine has less memory than its largest part needs, with both numbers.
pub fn refuse_too_large(definition: &Definition, place: &Path) -> Result<()> {
    let model = assemble(definition, &Recorder::new(definition, place))?.model;
    let parts = [("vision encoder", parameters(&model.vision)), ("language model", parameters(&model.decode))];
    let available = machine::memory() as f64;
    for (name, count) in parts {
        let needed = count as f64 * WEIGHT * CALIBRATION;
        if needed > available {
            let (count, needed, available) = (count as f64 / 1e9, needed / 1e9, available / 1e9);
            let message = format!(
                "the {name} has {count:.1} billion parameters and needs about {needed:.0} GB of memory; this process can have {available:.0} GB"
            );
            let refused = std::io::Error::new(std::io::ErrorKind::OutOfMemory, message);
            return Err(Error::io(place, &refused).help("run it where there is more memory"));
        }
    }
    Ok(())
}

fn parameters(graph: &Graph) -> u64 {
    let constants = graph.values().filter(|(_, value)| value.constant().is_some());
    constants.map(|(_, value)| value.shape.iter().map(|&size| size as u64).product::<u64>()).sum()
}

/// Whether a context binary can be built while the language model is calibrated.
pub fn fits_beside_calibration(bundle: &Bundle) -> Result<bool> {
    let weights = bundle.path("model").join(DataWriter::name_of(&Component::Language.group()));
    let bytes = std::fs::metadata(&weights).reading(&weights)?.len();
    Ok((bytes as f64 * CALIBRATION) as u64 + COMPILER <= TOGETHER.min(machine::memory()))
}
