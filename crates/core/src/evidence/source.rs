//! Where methods get the evidence from that they requested.

use super::{Ask, Observer};
use autoneural_base::error::{Error, Result};

/// Holds evidence, in memory or in files.
pub trait EvidenceSource {
    /// What was seen for a request.
    ///
    /// # Errors
    /// It was not collected, or its file cannot be read.
    fn get(&self, ask: &Ask) -> Result<Observer>;
}

/// The error for a request that was not collected.
pub fn not_collected(ask: &Ask) -> Error {
    let place = format!("{}: `{}`", ask.group.name(), ask.site);
    Error::input(place, format!("no {} were collected of it during calibration", ask.want))
        .help("run `autoneural calibrate` with the recipe that asks for them")
}
