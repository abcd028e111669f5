//! `autoneural compile`: all stages.

use std::path::PathBuf;

use autoneural::{Result, stages};
use clap::Args;

use super::Session;
use super::stage::{Demands, Source, finish_verification, record_toolkit, tell_left_out};

/// Arguments of `compile`.
#[derive(Args)]
pub struct Compile {
    #[command(flatten)]
    source: Source,
    /// Recipe with samples.
    #[arg(long, value_name = "FILE.toml")]
    calibration: PathBuf,
    #[command(flatten)]
    demands: Demands,
}

impl Compile {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        // What would stop the run late is looked at first.
        let runtime = session.runtime(self.demands.require_npu)?;
        autoneural::calibrate::Recipe::read(&self.calibration)?;
        let progress = session.progress();
        let mut bundle = self.source.export(session)?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        stages::calibrate(&mut bundle, &self.calibration, progress)?;
        stages::quantize(&mut bundle, progress)?;
        stages::emit(&mut bundle, progress)?;
        let built = stages::build(&mut bundle, runtime.as_ref(), progress)?;
        let (report, verified) = stages::verify(&mut bundle, &self.calibration, runtime.as_ref(), progress)?;
        let place = bundle.commit(progress)?;
        tell_left_out(session, &[built, verified]);
        finish_verification(session, &report, &place, self.demands.max_difference)
    }
}
