//! What calibration takes of memory, and what this machine has.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::machine;
use autoneural_core::ir::Graph;

/// What a model takes of memory in calibration, as a multiple of its float weights.
pub const CALIBRATION: f64 = 1.25;
/// Bytes of a float weight.
const WEIGHT: f64 = 4.0;

/// Refuses a model that is too large to be calibrated here, before any work. `parts` are what is in memory one after
/// the other: what each is called, and its graph.
///
/// # Errors
/// The machine has less memory than the first such part needs, with both numbers.
pub(crate) fn refuse_too_large(parts: &[(&str, &Graph)], place: &Path) -> Result<()> {
    let available = machine::memory() as f64;
    for (name, graph) in parts {
        let count = parameters(graph);
        let needed = count as f64 * WEIGHT * CALIBRATION;
        if needed > available {
            let (count, needed, available) = (count as f64 / 1e9, needed / 1e9, available / 1e9);
            let message = format!(
                "the {name} has {count:.1} billion parameters and needs about {needed:.0} GB of memory; this process \
                 can have {available:.0} GB"
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
