//! `autoneural compile`: all stages.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::back::bundle::Bundle;
use autoneural::stages;
use clap::Args;

use super::Session;
use super::stage::{TargetFile, finish_verification, record_toolkit, tell_left_out};

/// Arguments of `compile`.
#[derive(Args)]
pub struct Compile {
    /// Model definition.
    #[arg(value_name = "GRAPH.toml")]
    definition: PathBuf,
    /// Checkpoint: a folder of safetensors files with a tokenizer.json.
    #[arg(long, value_name = "DIR")]
    weights: PathBuf,
    /// Recipe with samples.
    #[arg(long, value_name = "FILE.toml")]
    calibration: PathBuf,
    /// Target: a known name or the path of a target file.
    #[arg(long, value_name = "NAME")]
    target: String,
    /// The bundle to make; must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the bundle at --out if there is one.
    #[arg(long)]
    force: bool,
    /// Make a missing vendor toolkit an error.
    #[arg(long)]
    require_npu: bool,
    /// Accept outputs on which simulation and NPU differ by more than this many dB.
    #[arg(long, value_name = "DB", default_value_t = 3.0)]
    max_difference: f64,
}

impl Compile {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let target = TargetFile::find(&self.target)?;
        let runtime = session.runtime(self.require_npu)?;
        let progress = session.progress();
        let mut bundle = Bundle::create(&self.out, self.force)?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        stages::export(&mut bundle, &self.definition, &self.weights, &target.target, &target.text, progress)?;
        stages::calibrate(&mut bundle, &self.calibration, progress)?;
        stages::quantize(&mut bundle, progress)?;
        stages::emit(&mut bundle, progress)?;
        let built = stages::build(&mut bundle, runtime.as_ref(), progress)?;
        let (report, verified) = stages::verify(&mut bundle, &self.calibration, runtime.as_ref(), progress)?;
        let place = bundle.commit()?;
        tell_left_out(session, &[built, verified]);
        finish_verification(session, &report, &place, self.max_difference)
    }
}
