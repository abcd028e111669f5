//! `autoneural compile`: all stages.

use std::path::PathBuf;

use autoneural::{Result, stages};
use clap::Args;

use super::Session;
use super::stage::{Demands, Encodings, Source, finish_verification, record_toolkit};

/// Arguments of `compile`.
#[derive(Args)]
pub struct Compile {
    #[command(flatten)]
    source: Source,
    /// Recipe with samples.
    #[arg(long, value_name = "FILE.toml")]
    calibration: PathBuf,
    #[command(flatten)]
    encodings: Encodings,
    #[command(flatten)]
    demands: Demands,
}

impl Compile {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        // What would stop the run late is looked at first.
        let runtime = session.runtime(self.demands.require_npu)?;
        self.source.check_samples(&self.calibration)?;
        let given = self.encodings.read()?;
        let progress = session.progress();
        let mut bundle = self.source.export(session)?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        stages::check_encodings(&bundle, &given)?;
        stages::calibrate(&mut bundle, &self.calibration, progress)?;
        stages::quantize(&mut bundle, &given, progress)?;
        stages::emit(&mut bundle, progress)?;
        if let Some(runtime) = runtime.as_ref().filter(|runtime| runtime.has_npu()) {
            stages::build(&mut bundle, runtime, progress)?;
        }
        let demands = self.demands.of_report();
        let report = stages::verify(&mut bundle, &self.calibration, runtime.as_ref(), demands, progress)?;
        finish_verification(session, bundle, &report, self.demands.require_npu)
    }
}
