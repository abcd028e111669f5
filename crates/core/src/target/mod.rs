//! Targets: the TOML files in `targets/` that state what a chip takes. Nothing else in the program depends on a chip.

mod contradictions;
mod form;
mod operator;
mod types;

pub use operator::{Case, Operator, Refusal};
pub use types::{Activations, Granularity, Weights};

use std::path::Path;

use serde::Deserialize;

use autoneural_base::error::{Error, Result};

/// A chip: its numbers, its memory, and the operators that it takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    #[allow(dead_code, reason = "read before the rest")]
    schema: u32,
    /// Name of the target, as on the command line.
    pub name: String,
    /// One line about the chip.
    pub description: String,
    /// The chip in the vendor's numbers.
    pub soc: Soc,
    /// Most axes that what an operator reads and makes may have, for those that have no number of their own; see
    /// [`Target::most_axes`].
    #[serde(rename = "most_axes")]
    pub usual_most_axes: Option<usize>,
    /// What a device can hold.
    #[serde(default)]
    pub memory: Memory,
    #[serde(rename = "operator")]
    operators: Vec<Operator>,
}

/// The vendor's numbers of a chip.
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

/// The sizes of a device's memory. A size that nobody has published or measured is `None`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// MiB that all context binaries of one process on the NPU can have mapped, with their buffers.
    pub process_mib: Option<u32>,
    /// MiB that one context binary may have. Partitions with more weights are cut.
    pub context_mib: Option<u32>,
}

/// Version of the files.
const SCHEMA: u32 = 2;

/// The target files that are built into the program.
const BUILT_IN: [(&str, &str); 6] = [
    ("sa8295p", include_str!("../../../../targets/sa8295p.toml")),
    ("sa8255p", include_str!("../../../../targets/sa8255p.toml")),
    ("sa8775p", include_str!("../../../../targets/sa8775p.toml")),
    ("sm8550", include_str!("../../../../targets/sm8550.toml")),
    ("sm8650", include_str!("../../../../targets/sm8650.toml")),
    ("sm8750", include_str!("../../../../targets/sm8750.toml")),
];

impl Target {
    /// Finds a target by its built-in name or by the path of a target file, and returns it with the text of its file.
    ///
    /// # Errors
    /// The name is not known (the error lists those that are), or the file is unreadable or malformed.
    ///
    /// ```
    /// use autoneural_core::target::Target;
    ///
    /// # fn main() -> Result<(), autoneural_base::error::Error> {
    /// let (target, text) = Target::find("sa8295p")?;
    /// assert_eq!(target.name, "sa8295p");
    /// assert!(target.operator("MatMul").is_some() && text.contains("MatMul"));
    /// assert!(Target::find("no-such-chip").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn find(name: &str) -> Result<(Self, String)> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            let made = Self::parse(text, Path::new(&format!("targets/{name}.toml")))?;
            return Ok((made, text.to_string()));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = autoneural_base::text::read(path)?;
            return Ok((Self::parse(&text, path)?, text));
        }
        let describe = |(known, target): &(&str, Target)| format!("{known} ({})", target.description);
        let known: Vec<String> = Self::known()?.iter().map(describe).collect();
        Err(Error::input(format!("target `{name}`"), "is not known")
            .help(format!("known targets: {}; or give the path of a target file (.toml)", known.join(", "))))
    }

    /// Parses a target file; `path` is only for messages.
    ///
    /// # Errors
    /// The text is malformed or of another schema, or its statements contradict each other.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        // The version is read first: in another version everything else may be different.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let toml_error = |error: toml::de::Error| autoneural_base::text::toml_error(path, text, &error);
        let Version { schema } = toml::from_str(text).map_err(toml_error)?;
        if schema != SCHEMA {
            let message = format!("schema {schema} is not known to this version, which reads schema {SCHEMA}");
            return Err(Error::input(path.display(), message));
        }
        let made: Target = toml::from_str(text).map_err(toml_error)?;
        made.refuse_contradictions()
            .map_err(|(entry, message)| Error::input(format!("{}: {entry}", path.display()), message))?;
        Ok(made)
    }

    /// Names and descriptions of the targets that are built into the program.
    ///
    /// # Errors
    /// As for [`Target::parse`]: a built-in file is malformed.
    pub fn known() -> Result<Vec<(&'static str, Self)>> {
        BUILT_IN.iter().map(|(name, text)| Ok((*name, Self::parse(text, Path::new(name))?))).collect()
    }

    /// Names of the targets that are built into the program.
    pub fn names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// All operators that the chip takes, in the order of the file.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// Refuses the name of an operator that the file has no entry for.
    ///
    /// # Errors
    /// The file has no entry for it; the error lists the operators that it has.
    pub fn refuse_unstated(&self, name: &str) -> Result<()> {
        if self.operator(name).is_some() {
            return Ok(());
        }
        let stated: Vec<&str> = self.operators.iter().map(|operator| operator.name.as_str()).collect();
        Err(Error::input(format!("target {}", self.name), format!("states nothing about `{name}`"))
            .help(format!("it states something about {}", stated.join(", "))))
    }

    /// Refuses statements that contradict each other. The error is the entry, and what is wrong with it.
    fn refuse_contradictions(&self) -> Result<(), (String, String)> {
        let memory = [("process_mib", self.memory.process_mib), ("context_mib", self.memory.context_mib)];
        if let Some((key, _)) = memory.iter().find(|(_, size)| *size == Some(0)) {
            return Err(("[memory]".into(), format!("{key} = 0 holds nothing")));
        }
        if let (Some(process), Some(context)) = (self.memory.process_mib, self.memory.context_mib)
            && context > process
        {
            let message = format!("context_mib = {context} is more than process_mib = {process}, which holds it");
            return Err(("[memory]".into(), message));
        }
        contradictions::possible_axes(self.usual_most_axes).map_err(|message| (self.name.clone(), message))?;
        for (at, operator) in self.operators.iter().enumerate() {
            if self.operators[..at].iter().any(|other| other.name == operator.name) {
                return Err((operator.name.clone(), "stands twice; one entry states all of an operator".into()));
            }
            operator.contradiction().map_err(|message| (operator.name.clone(), message))?;
        }
        Ok(())
    }

    /// Most axes that what an operator reads and makes may have; `None` where that is not stated. The entry of the operator
    /// says it, or the file for all that have no number of their own.
    pub fn most_axes(&self, operator: &str) -> Option<usize> {
        self.operator(operator).and_then(|operator| operator.most_axes).or(self.usual_most_axes)
    }

    /// What the chip takes of an operator, if it takes it at all.
    pub fn operator(&self, name: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.name == name)
    }
}
