//! Where methods get the evidence from that they requested.

use super::{Ask, Means, Observer, PairedMoments};
use crate::ir::ops::Rows;
use autoneural_base::error::{Error, Result};

/// Holds evidence, in memory or in files.
pub trait EvidenceSource {
    /// What was seen for a request.
    ///
    /// # Errors
    /// It was not collected, or its file cannot be read.
    fn get(&self, ask: &Ask) -> Result<Observer>;

    /// Moments of the rows of a value in float and behind the layers that are rounded so far; `None` if no graph that
    /// runs has the value. Only a source that runs the samples through these layers has them.
    ///
    /// # Errors
    /// This source has none, or the layers cannot be run.
    fn paired(&self, site: &str, rows: &Rows) -> Result<Option<PairedMoments>> {
        let _ = rows;
        Err(Error::internal(site, "has no moments behind quantized layers here"))
    }

    /// Means of the same rows, in float and behind the layers that are rounded so far.
    ///
    /// # Errors
    /// As for [`EvidenceSource::paired`].
    fn paired_means(&self, site: &str, rows: &Rows) -> Result<Option<[Means; 2]>> {
        let _ = rows;
        Err(Error::internal(site, "has no means behind quantized layers here"))
    }
}

/// The error for a request that was not collected.
pub fn not_collected(ask: &Ask) -> Error {
    let place = format!("{}: `{}`", ask.group.name(), ask.site);
    Error::input(place, format!("no {} were collected of it during calibration", ask.want))
        .help("run `autoneural calibrate` with the recipe that asks for them")
}
