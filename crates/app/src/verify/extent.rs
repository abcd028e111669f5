//! How much is compared. The emulator takes minutes for one step of a large model, so a part can be chosen; the report says
//! which it was.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::host::Step;
use crate::partition::{NAMES, Partition};

/// What a verification compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Names of the partitions; all of them if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Vec<String>>,
    /// Not every step, but the first picture, of every prompt the last chunk of prefill and the first token behind it.
    pub sampled: bool,
}

impl Extent {
    /// Nothing at all.
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
    pub fn takes(&self, partition: &Partition, step: &Step, compared: &[usize]) -> bool {
        let is_picture = !partition.name.starts_with("language.");
        let of_sample = if is_picture { !compared.is_empty() } else { compared.contains(&step.sample) };
        !self.sampled || (step.is_last && !of_sample)
    }
}

impl FromStr for Extent {
    type Err = String;

    /// `all`, `none`, or with commas between them `sampled` and names of partitions.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut named, mut sampled) = (Vec::new(), false);
        match text {
            "all" => return Ok(Extent::default()),
            "none" => return Ok(Extent::none()),
            _ => {}
        }
        for part in text.split(',').map(str::trim) {
            match part {
                "sampled" => sampled = true,
                name if NAMES.contains(&name) => named.push(name.to_string()),
                "all" | "none" => return Err(format!("`{part}` stands alone")),
                _ => return Err(format!("`{part}` is none of all, none, sampled, {}", NAMES.join(", "))),
            }
        }
        Ok(Extent { partitions: (!named.is_empty()).then_some(named), sampled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sampling_go_together() {
        let named = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
        assert_eq!("all".parse(), Ok(Extent::default()));
        assert_eq!("none".parse(), Ok(Extent { partitions: named(&[]), sampled: false }));
        assert_eq!("sampled".parse(), Ok(Extent { partitions: None, sampled: true }));
        let made = "vision, sampled".parse();
        assert_eq!(made, Ok(Extent { partitions: named(&["vision"]), sampled: true }));
        assert!("vision,all".parse::<Extent>().is_err());
        assert!("vison".parse::<Extent>().unwrap_err().contains("language.decode"));
    }
}
