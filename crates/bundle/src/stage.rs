//! The stages of a compilation, and what each one owns in a bundle.

use super::paths::{CODES, EQUALIZED, GOLDEN, REPORT};

/// The stages in order, with the folder or file each one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Graphs, float models, what the host needs.
    Export,
    /// Statistics, and graphs that were rewritten with evidence.
    Calibrate,
    /// Encodings.
    Quantize,
    /// Codes of weights, and quantized models.
    Emit,
    /// Context binaries.
    Build,
    /// The report.
    Verify,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 6] =
        [Stage::Export, Stage::Calibrate, Stage::Quantize, Stage::Emit, Stage::Build, Stage::Verify];

    /// Name, as the command of the stage.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Export => "export",
            Stage::Calibrate => "calibrate",
            Stage::Quantize => "quantize",
            Stage::Emit => "emit",
            Stage::Build => "build",
            Stage::Verify => "verify",
        }
    }

    /// The folder or file that the stage owns.
    pub(crate) fn owns(self) -> &'static str {
        match self {
            Stage::Export => "model",
            Stage::Calibrate => "calibration",
            Stage::Quantize => "encodings",
            Stage::Emit => "qdq",
            Stage::Build => "context",
            Stage::Verify => REPORT,
        }
    }

    /// Whether a file of the bundle, by its path, is the stage's.
    pub(crate) fn owns_file(self, path: &str) -> bool {
        let more = match self {
            Stage::Calibrate => EQUALIZED,
            Stage::Emit => CODES,
            Stage::Verify => GOLDEN,
            _ => "",
        };
        if !more.is_empty() && path.starts_with(more) {
            return true;
        }
        path.strip_prefix(self.owns()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a unit of work, by its name, is of the stage.
    pub(crate) fn is_of(self, unit: &str) -> bool {
        unit.split('/').next() == Some(self.name())
    }
}
