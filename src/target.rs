//! Targets: the TOML files in `targets/` that state what a chip takes. The program knows nothing else about chips.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::encoding::IntegerType;
use crate::error::{Error, Result};
use crate::ir::Graph;

/// What one chip takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    schema: u32,
    /// Name of the target, as on the command line.
    pub name: String,
    /// One line about the chip.
    pub description: String,
    /// The chip in the vendor's numbers.
    pub soc: Soc,
    #[serde(rename = "operator")]
    operators: Vec<Operator>,
}

/// The chip in the vendor's numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Soc {
    /// QNN's number of the SoC.
    pub soc_model: u32,
    /// Version of the Hexagon tensor processor.
    pub htp_arch: u32,
    /// Tightly coupled memory in MiB.
    pub vtcm_mb: u32,
}

/// What the chip takes of one operator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The operator's name ([`crate::ir::Op::name`]).
    pub name: String,
    /// Encodings of inputs and outputs that are not constant.
    pub activations: Vec<IntegerType>,
    /// Encodings of a constant second input, the preferred one first.
    #[serde(default)]
    pub weights: Vec<IntegerType>,
    /// Encoding of a constant third input.
    pub bias: Option<IntegerType>,
    /// Whether weights may have one scale per output channel.
    #[serde(default)]
    pub per_channel: bool,
    /// Significant bits, behind the leading one, that the multiplier from sums to outputs may have to be exact.
    pub multiplier_bits: Option<u32>,
    /// Sums are kept in steps of so many integers, and constant parts of a sum are cut off to such a step, each for
    /// itself; a power of two.
    pub sum_step: Option<u32>,
    /// Whether the operator works on the last axis only.
    #[serde(default)]
    pub last_axis_only: bool,
    /// Range of the output, whatever the input.
    pub output_range: Option<[f32; 2]>,
}

/// The target files that are built into the program.
const BUILT_IN: [(&str, &str); 1] = [("sa8295p", include_str!("../targets/sa8295p.toml"))];

impl Target {
    /// Finds a target and the text it is stated in: a built-in name, or the path of a target file.
    ///
    /// # Errors
    /// An unknown name (the known ones are listed), an unreadable or malformed file.
    pub fn find(name: &str) -> Result<(Self, String)> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            let made = Self::parse(text, &PathBuf::from(format!("targets/{name}.toml")))?;
            return Ok((made, text.to_string()));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = crate::text::read(path)?;
            return Ok((Self::parse(&text, path)?, text));
        }
        let describe = |(known, text): &(&str, &str)| {
            Self::parse(text, Path::new(known)).map(|target| format!("{known} ({})", target.description))
        };
        let known = BUILT_IN.iter().map(describe).collect::<Result<Vec<_>>>()?;
        Err(Error::input(format!("target `{name}`"), "is not known")
            .help(format!("known targets: {}; or give the path of a target file (.toml)", known.join(", "))))
    }

    /// Parses a target file; `path` is only for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let made: Target = toml::from_str(text).map_err(|error| crate::text::toml_error(path, text, &error))?;
        if made.schema != 1 {
            let message = format!("schema {} is not known to this version, which reads schema 1", made.schema);
            return Err(Error::input(path.display(), message));
        }
        for Operator { name, output_range, multiplier_bits, sum_step, .. } in &made.operators {
            if let Some(step) = sum_step
                && !(step.is_power_of_two() && *step <= 1 << 15)
            {
                let message = format!("sum_step = {step}; a power of two up to 32768 is wanted");
                return Err(Error::input(format!("{}: {name}", path.display()), message));
            }
            if let Some(bits) = multiplier_bits
                && !(4..=23).contains(bits)
            {
                let message = format!("multiplier_bits = {bits}; 4 to 23 make sense");
                return Err(Error::input(format!("{}: {name}", path.display()), message));
            }
            if let Some([low, high]) = output_range
                && !(low.is_finite() && high.is_finite() && low <= high)
            {
                let message = format!("output_range from {low} to {high} is impossible");
                return Err(Error::input(format!("{}: {name}", path.display()), message));
            }
        }
        Ok(made)
    }

    /// What the chip takes of an operator, if it takes it at all.
    pub fn operator(&self, name: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.name == name)
    }

    /// Whether normalizations must be on the last axis.
    pub fn normalizes_last_axis_only(&self) -> bool {
        self.operator("RMSNormalization").is_some_and(|operator| operator.last_axis_only)
    }

    /// Refuses a graph with an operator that the target does not take.
    pub fn refuse_unknown_operators(&self, graph: &Graph) -> Result<()> {
        match graph.nodes().iter().find(|node| node.op.is_composite() || self.operator(node.op.name()).is_none()) {
            Some(node) => Err(Error::input(
                format!("{}: {}", graph.name, node.name),
                format!("target {} does not take {}", self.name, node.op.name()),
            )),
            None => Ok(()),
        }
    }
}
