//! Scales of weights: how much of the range of a layer's weights their integers cover. Each method is one file here and
//! one line in the list below; recipes choose one for each group of graphs (`weight_scales = "mse"`).
//!
//! They are chosen before anything is rounded, and settled to what the chip takes after. A method says how much each
//! scale shrinks from the one that just holds the largest weight under it, and how much each input channel counts where
//! weights are in blocks, whose scales are always searched ([`super::in_blocks`]).

mod method;
mod of_group;
mod search;

pub use method::{Scaling, Weighed};
pub use of_group::OfGroup;

use crate::registry::registry;

registry! {
    /// A method that a recipe chose.
    Scales of dyn Scaling, "chooses no scales":
    min_max::MinMax,
    mse::Mse,
    output_mse::OutputMse,
}

impl Default for Scales {
    fn default() -> Self {
        Scales(&min_max::MinMax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_name_of_its_own_and_a_source() {
        for method in METHODS {
            assert_eq!(Scales::of_name(method.name()).unwrap().name(), method.name());
            assert_eq!(METHODS.iter().filter(|other| other.name() == method.name()).count(), 1);
            assert!(!method.source().is_empty(), "{}", method.name());
        }
        assert_eq!(Scales::default().name(), "min-max");
        assert_eq!(Scales::of_name("max").unwrap_err(), "`max` chooses no scales; there are min-max, mse, output-mse");
    }
}
