//! What figures were measured on. As long as that is the same they hold, and need not be measured again.

use serde::{Deserialize, Serialize};

/// What the figures of a partition were measured on, as SHA-256 of contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The float models that make its inputs and its reference, with the target.
    pub float: String,
    /// Its encodings.
    pub encodings: String,
    /// Its quantized model.
    pub quantized: String,
    /// Its context binaries; empty without any.
    pub binary: String,
    /// The vendor toolkit; empty where none was there.
    pub toolkit: String,
    /// The samples that outputs were compared on.
    pub samples: String,
    /// The sample that layers were measured on.
    pub layer_sample: String,
}

impl Basis {
    /// What is another now for figures of outputs, in words; `None` if they still hold.
    pub fn outputs_changed(&self, now: &Basis) -> Option<&'static str> {
        self.models_changed(now).or_else(|| {
            [
                (self.quantized != now.quantized, "its quantized model changed"),
                (self.binary != now.binary, "its context binary changed or is gone"),
                (self.toolkit_changed(now), "they are of another vendor toolkit"),
                (self.samples != now.samples, "the verification samples changed"),
            ]
            .into_iter()
            .find_map(|(changed, why)| changed.then_some(why))
        })
    }

    /// The same for figures of layers, which are measured on models of their own.
    pub fn layers_changed(&self, now: &Basis) -> Option<&'static str> {
        self.models_changed(now).or_else(|| {
            [
                (self.toolkit_changed(now), "they are of another vendor toolkit"),
                (self.layer_sample != now.layer_sample, "the sample that they were measured on changed"),
            ]
            .into_iter()
            .find_map(|(changed, why)| changed.then_some(why))
        })
    }

    fn models_changed(&self, now: &Basis) -> Option<&'static str> {
        match (self.float != now.float, self.encodings != now.encodings) {
            (true, _) => Some("its float model changed"),
            (_, true) => Some("its encodings changed"),
            _ => None,
        }
    }

    /// A toolkit that is not here says nothing against what it found.
    fn toolkit_changed(&self, now: &Basis) -> bool {
        self.toolkit != now.toolkit && !now.toolkit.is_empty()
    }
}
