//! Evidence that calibration left in a bundle.

use autoneural_base::error::Result;
use autoneural_bundle::Bundle;
use autoneural_core::evidence::{Ask, EvidenceSource, Observer, not_collected};
use autoneural_engines::back::evidence;

/// The evidence in a bundle.
pub(crate) struct KeptEvidence<'a>(pub &'a Bundle);

impl KeptEvidence<'_> {
    /// Where the evidence of a request is.
    pub(crate) fn path(ask: &Ask) -> String {
        format!("calibration/{}", evidence::file(ask))
    }
}

impl EvidenceSource for KeptEvidence<'_> {
    fn get(&self, ask: &Ask) -> Result<Observer> {
        let path = Self::path(ask);
        if !self.0.has_file(&path) {
            return Err(not_collected(ask));
        }
        evidence::read(&self.0.map(&path)?, &self.0.path(&path), ask)
    }
}
