//! How much is compared. The emulator takes minutes for one step of a large model, so a part can be chosen; the report
//! says which it was.

use serde::{Deserialize, Serialize};

use autoneural_core::partition::Partition;
use autoneural_core::program::{Program, Step};

/// What a verification compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Names of the partitions; all of them if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<String>>,
    /// Not every step: of graphs without sequences the first, of others for every sample the last of steps that follow
    /// each other.
    pub sampled: bool,
}

impl Extent {
    /// Refuses names that no partition has.
    ///
    /// # Errors
    /// There is such a name; the error names the first one, and lists the names that exist.
    pub fn refuse_unknown(&self, program: &Program) -> Result<(), String> {
        let names = self.partitions.iter().flatten();
        match names.into_iter().find(|name| !program.graphs().contains(name)) {
            Some(name) => Err(format!("`{name}` is none of all, none, sampled, {}", program.graphs().join(", "))),
            None => Ok(()),
        }
    }

    /// An extent in which nothing is compared.
    pub fn none() -> Self {
        Extent { partitions: Some(vec![]), sampled: false }
    }

    /// Whether steps of a partition are compared.
    pub fn includes(&self, partition: &Partition) -> bool {
        self.partitions.as_ref().is_none_or(|names| names.contains(&partition.name))
    }

    /// Whether layers of a partition are measured where layers are: of those that are named, of all where none is.
    pub fn measures(&self, partition: &Partition) -> bool {
        self.partitions.as_ref().is_none_or(|names| names.is_empty() || names.contains(&partition.name))
    }

    /// Whether every step of every partition is compared.
    pub fn is_whole(&self) -> bool {
        self.partitions.is_none() && !self.sampled
    }

    /// Whether a step is compared, of a partition that is included. `compared` are the samples of its steps that were.
    pub fn takes(&self, step: &Step, compared: &[usize]) -> bool {
        let of_sample = if step.tokens.is_none() { !compared.is_empty() } else { compared.contains(&step.sample) };
        !self.sampled || (step.is_last && !of_sample)
    }
}

impl Extent {
    /// Parses `all`, `none`, or a list of `sampled` and names of partitions, separated by commas. Whether these
    /// partitions exist is checked by [`Extent::refuse_unknown`].
    ///
    /// # Errors
    /// `all` or `none` beside others.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut named, mut sampled) = (Vec::new(), false);
        match text {
            "all" => return Ok(Extent::default()),
            "none" => return Ok(Extent::none()),
            _ => {}
        }
        for part in text.split(',').map(str::trim) {
            match part {
                "sampled" => sampled = true,
                "all" | "none" => return Err(format!("`{part}` stands alone")),
                name => named.push(name.to_string()),
            }
        }
        Ok(Extent { partitions: (!named.is_empty()).then_some(named), sampled })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_and_sampling_go_together() {
        let named = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
        assert_eq!(Extent::parse("all"), Ok(Extent::default()));
        assert_eq!(Extent::parse("none"), Ok(Extent { partitions: named(&[]), sampled: false }));
        assert_eq!(Extent::parse("sampled"), Ok(Extent { partitions: None, sampled: true }));
        let made = Extent::parse("vision, sampled");
        assert_eq!(made, Ok(Extent { partitions: named(&["vision"]), sampled: true }));
        assert!(Extent::parse("vision,all").is_err());
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../graphs/autoneural-tiny.toml"));
        let definition = autoneural_front::Definition::read(file).unwrap();
        let program = autoneural_front::program(&definition).unwrap();
        made.unwrap().refuse_unknown(&program).unwrap();
        let refused = Extent::parse("vison").unwrap().refuse_unknown(&program);
        assert!(refused.unwrap_err().contains("language.decode"));
    }
}
