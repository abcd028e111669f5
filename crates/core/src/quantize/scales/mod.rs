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

use serde::{Deserialize, Deserializer};

/// Declares the file of every method, and lists the methods.
macro_rules! methods {
    ($($file:ident :: $method:ident),* $(,)?) => {
        $(mod $file;)*
        /// Every method that recipes may name.
        pub static METHODS: &[&dyn Scaling] = &[$(&$file::$method),*];
    };
}

methods! {
    min_max::MinMax,
    mse::Mse,
    output_mse::OutputMse,
}

/// A method that a recipe chose.
#[derive(Clone, Copy)]
pub struct Scales(&'static dyn Scaling);

impl Default for Scales {
    fn default() -> Self {
        Scales(&min_max::MinMax)
    }
}

impl std::fmt::Debug for Scales {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl std::ops::Deref for Scales {
    type Target = dyn Scaling;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl Scales {
    /// The method of this name.
    ///
    /// # Errors
    /// No method has this name; the error lists the names that exist.
    pub fn of_name(name: &str) -> Result<Self, String> {
        let found = METHODS.iter().find(|method| method.name() == name);
        let names = || METHODS.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
        found.map(|method| Scales(*method)).ok_or_else(|| format!("`{name}` chooses no scales; there are {}", names()))
    }
}

impl<'de> Deserialize<'de> for Scales {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scales::of_name(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
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
