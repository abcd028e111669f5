//! What was found about a target: one finding per statement.

use serde::Serialize;

use autoneural_base::error::{Error, Result};

/// Whether the engine confirms a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The statement is true.
    Confirmed,
    /// The statement is not true.
    Wrong,
    /// No experiment here decides it.
    Untested,
}

impl Status {
    /// Name, as in the table.
    pub fn name(self) -> &'static str {
        match self {
            Status::Confirmed => "confirmed",
            Status::Wrong => "wrong",
            Status::Untested => "untested",
        }
    }
}

/// One statement of a target file, and whether the engine confirms it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The operator, or the section of the file.
    pub operator: String,
    /// The statement in words.
    pub statement: String,
    /// Whether the engine confirms it.
    pub status: Status,
    /// NPU against CPU in dB, the lowest of the samples that it is about; `None` if nothing ran.
    pub sqnr_db: Option<f64>,
    /// Why it is wrong or untested, or how it was confirmed where no figure says so.
    pub note: Option<String>,
    /// Each sample on its own.
    pub samples: Vec<SampleFinding>,
}

/// What one sample gave.
#[derive(Debug, Clone, Serialize)]
pub struct SampleFinding {
    /// What sets it apart from other samples of the operator.
    pub name: String,
    /// NPU against CPU, in dB; `None` if it did not run.
    pub sqnr_db: Option<f64>,
    /// Why the engine refuses it, if it does.
    pub refused: Option<String>,
    /// QNN's names of the operators that the provider has computed in float for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_float: Vec<String>,
}

/// What was found about a target.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the target.
    pub target: String,
    /// One line about the chip.
    pub description: String,
    /// NPU and CPU must agree to this many dB.
    pub floor_db: f64,
    /// One per statement, in the order of the file.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Number of findings of a status.
    pub fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// # Errors
    /// A statement is wrong; the first ones are named.
    pub fn demand_right(&self) -> Result<()> {
        const MOST_NAMED: usize = 3;
        let wrong: Vec<&Finding> = self.findings.iter().filter(|finding| finding.status == Status::Wrong).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = wrong
            .iter()
            .take(MOST_NAMED)
            .map(|finding| {
                let note = finding.note.as_deref().unwrap_or_default();
                format!("{}: {} ({note})", finding.operator, finding.statement)
            })
            .collect();
        let more = if wrong.len() > MOST_NAMED { ", …" } else { "" };
        let message = format!("{} statements are wrong: {}{more}", wrong.len(), named.join("; "));
        Err(Error::verification(&self.target, message)
            .help("correct the target file, or check it with another toolkit"))
    }
}
