//! Equalization rewrites graphs, mostly the numbers of their constants, so that they still compute the same function, and
//! less of it is lost in integers. To decide how, it reads evidence. Each method is one file here and one line in the list below;
//! recipes turn one on for each group of graphs (`equalize = { method = "smooth-quant" }`), and without such an entry
//! nothing is equalized.
//!
//! It comes before everything else that is done with a frozen graph. The exported graph is run once to collect the
//! evidence, and is then replaced by the equalized one, with the same inputs, outputs and constants, of which some have
//! other numbers. Statistics, encodings, codes and figures belong to the equalized graph.
//!
//! The graphs of a group are rewritten together, so that a constant which several of them share stays the same in all.

mod factors;
mod method;
mod spots;

pub use method::{Added, Context, Equalizer};

use serde::{Deserialize, Serialize};

use crate::evidence::{Ask, EvidenceSource};
use crate::partition::Partition;
use crate::passes::Frozen;
use crate::program::Group;
use crate::recipe::WeightBits;
use crate::registry::registry;
use autoneural_base::error::Result;

registry! {
    /// A method that a recipe chose.
    Method of dyn Equalizer, "is no way to equalize":
    smooth_quant::SmoothQuant,
    cross_layer::CrossLayer,
    awq::Awq,
    rotation::Hadamard,
}

/// What a recipe says of the equalization of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equalize {
    /// The method.
    pub method: Method,
    /// How much of the spread of a value's channels goes into the weights that read it: 0 is nothing, 1 is all of it.
    /// Half of it if not given. Only some methods take it.
    pub alpha: Option<f32>,
}

/// How much goes into the weights if a recipe does not say.
const HALF: f32 = 0.5;

impl Equalize {
    /// Refuses what the method does not take, in words.
    ///
    /// # Errors
    /// An `alpha` that the method does not take, or that is impossible.
    pub fn check(&self) -> Result<(), String> {
        match self.alpha {
            Some(_) if !self.method.takes_alpha() => Err(format!("is not taken by {}", self.method.name())),
            Some(alpha) if !(0.0..=1.0).contains(&alpha) => Err(format!("{alpha} is impossible; 0 to 1 are")),
            _ => Ok(()),
        }
    }

    /// The evidence that the method requests about the graphs of a group.
    ///
    /// # Errors
    /// The method can equalize nothing in these graphs.
    pub fn wants(&self, group: &Group, partitions: &[Partition]) -> Result<Vec<Ask>> {
        self.method.wants(group, &graphs(group, partitions))
    }

    /// What the graphs of a group will have more when they are rewritten; nothing, if they are already.
    pub fn adds(&self, group: &Group, partitions: &[Partition]) -> Added {
        self.method.adds(group, &graphs(group, partitions))
    }

    /// The partitions of a group, whose weights become `weights`, with their graphs rewritten.
    ///
    /// # Errors
    /// As for [`Equalize::wants`], or evidence is missing.
    pub fn apply(
        &self,
        group: &Group,
        weights: WeightBits,
        partitions: &[Partition],
        evidence: &dyn EvidenceSource,
    ) -> Result<Vec<Partition>> {
        let context = Context { group, weights, evidence, alpha: self.alpha.unwrap_or(HALF) };
        let graphs = self.method.apply(&graphs(group, partitions), &context)?;
        let own = partitions.iter().filter(|partition| partition.group == *group);
        Ok(own.zip(graphs).map(|(one, graph)| Partition { graph, ..one.clone() }).collect())
    }
}

fn graphs<'a>(group: &Group, partitions: &'a [Partition]) -> Vec<&'a Frozen> {
    partitions.iter().filter(|partition| partition.group == *group).map(|partition| &partition.graph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_name_of_its_own_and_a_source() {
        for method in METHODS {
            assert_eq!(METHODS.iter().filter(|other| other.name() == method.name()).count(), 1);
            assert!(!method.source().is_empty(), "{}", method.name());
            let text = format!("method = \"{}\"", method.name());
            assert_eq!(toml::from_str::<Equalize>(&text).unwrap(), Equalize { method: Method(*method), alpha: None });
        }
        let said = toml::from_str::<Equalize>("method = \"flat\"").unwrap_err().to_string();
        assert!(
            said.contains("`flat` is no way to equalize; there are smooth-quant, cross-layer, awq, hadamard"),
            "{said}"
        );
        assert!(toml::from_str::<Equalize>("method = \"smooth-quant\"\nbeta = 1").is_err());
    }
}
