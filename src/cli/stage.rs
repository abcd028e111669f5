//! The commands that run one stage, and what they share with `compile`.

use std::path::{Path, PathBuf};

use autoneural::back::bundle::Bundle;
use autoneural::back::qnn::{Runtime, Toolkit};
use autoneural::report::{Report, table};
use autoneural::stages::{self, Outcome};
use autoneural::target::Target;
use autoneural::{Error, Result};
use clap::Args;

use super::Session;

/// What a bundle is made from, and where.
#[derive(Args)]
pub struct Source {
    /// Model definition.
    #[arg(value_name = "GRAPH.toml")]
    definition: PathBuf,
    /// Checkpoint: a folder of safetensors files with a tokenizer.json.
    #[arg(long, value_name = "DIR")]
    weights: PathBuf,
    /// Target: a known name or the path of a target file.
    #[arg(long, value_name = "NAME")]
    target: String,
    /// The bundle to make; must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the bundle at --out if there is one.
    #[arg(long)]
    force: bool,
}

/// When a verification is good enough.
#[derive(Args)]
pub struct Demands {
    /// Make a missing vendor toolkit an error.
    #[arg(long)]
    pub require_npu: bool,
    /// Accept outputs on which simulation and NPU differ by at most this many dB.
    #[arg(long, value_name = "DB", default_value_t = 3.0, value_parser = super::decibels)]
    pub max_difference: f64,
}

/// Arguments of `export`.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    source: Source,
}

/// Arguments of `calibrate`.
#[derive(Args)]
pub struct Calibrate {
    /// The bundle.
    bundle: PathBuf,
    /// Recipe with samples.
    #[arg(long, value_name = "FILE.toml")]
    calibration: PathBuf,
}

/// Arguments of stages that need a bundle only.
#[derive(Args)]
pub struct OnBundle {
    /// The bundle.
    bundle: PathBuf,
}

/// Arguments of `verify`.
#[derive(Args)]
pub struct Verify {
    /// The bundle.
    bundle: PathBuf,
    /// Recipe with samples.
    #[arg(long, value_name = "FILE.toml")]
    calibration: PathBuf,
    #[command(flatten)]
    demands: Demands,
}

impl Source {
    /// A new bundle with the first stage done.
    pub fn export(&self, session: &Session) -> Result<Bundle> {
        let (target, target_text) = Target::find(&self.target)?;
        let mut bundle = Bundle::create(&self.out, self.force)?;
        let progress = session.progress();
        stages::export(&mut bundle, &self.definition, &self.weights, &target, &target_text, progress)?;
        Ok(bundle)
    }
}

impl Export {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        finish_stage(session, self.source.export(session)?, "export")
    }
}

impl Calibrate {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let mut bundle = Bundle::open(&self.bundle)?;
        stages::calibrate(&mut bundle, &self.calibration, session.progress())?;
        finish_stage(session, bundle, "calibrate")
    }
}

impl OnBundle {
    /// Runs `quantize`.
    pub fn quantize(&self, session: &Session) -> Result<()> {
        let mut bundle = Bundle::open(&self.bundle)?;
        stages::quantize(&mut bundle, session.progress())?;
        finish_stage(session, bundle, "quantize")
    }

    /// Runs `emit`.
    pub fn emit(&self, session: &Session) -> Result<()> {
        let mut bundle = Bundle::open(&self.bundle)?;
        stages::emit(&mut bundle, session.progress())?;
        finish_stage(session, bundle, "emit")
    }

    /// Runs `build`.
    pub fn build(&self, session: &Session) -> Result<()> {
        let mut bundle = Bundle::open(&self.bundle)?;
        let runtime = session.runtime(true)?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        stages::build(&mut bundle, runtime.as_ref(), session.progress())?;
        finish_stage(session, bundle, "build")
    }
}

impl Verify {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let mut bundle = Bundle::open(&self.bundle)?;
        let runtime = session.runtime(self.demands.require_npu)?;
        let (report, outcome) = stages::verify(&mut bundle, &self.calibration, runtime.as_ref(), session.progress())?;
        let place = bundle.commit(session.progress())?;
        tell_left_out(session, &[outcome]);
        finish_verification(session, &report, &place, self.demands.max_difference)
    }
}

/// Notes the versions of the toolkit in the manifest, if it takes part.
pub fn record_toolkit(bundle: &mut Bundle, session: &Session, runtime: Option<&Runtime>) {
    if runtime.is_some() {
        let toolkit = session.toolkit();
        bundle.manifest.toolkit = Some(autoneural::back::bundle::ToolkitRecord {
            onnxruntime: toolkit.runtime_version,
            onnxruntime_qnn: toolkit.provider_version,
        });
    }
}

/// Says what was left out for want of the toolkit, and how to get it.
pub fn tell_left_out(session: &Session, outcomes: &[Outcome]) {
    let parts: Vec<&str> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::LeftOut(what) => Some(what.as_str()),
            Outcome::Done => None,
        })
        .collect();
    if !parts.is_empty() {
        let missing = session.toolkit().missing().unwrap_or_else(|| "the stage `build`".into());
        session.note(&format!(
            "left out: {} (missing: {missing})\n  help: {}",
            parts.join(", "),
            Toolkit::how_to_get()
        ));
    }
}

fn finish_stage(session: &Session, bundle: Bundle, stage: &str) -> Result<()> {
    let seconds = bundle.manifest.stages.last().map_or(0.0, |record| record.seconds);
    let place = bundle.commit(session.progress())?;
    let value = serde_json::json!({ "bundle": place, "stage": stage, "seconds": seconds });
    session.print(&value, &format!("{stage}: {} ({seconds:.1} s)", place.display()))
}

/// Prints the report; fails where simulation and NPU are too far apart.
pub fn finish_verification(session: &Session, report: &Report, place: &Path, most_db: f64) -> Result<()> {
    let seconds: f64 = report.stages.iter().map(|stage| stage.seconds).sum();
    let text = format!("{}\nbundle: {} ({seconds:.1} s)", table(report), place.display());
    session.print(report, &text)?;
    let differences = report.differences(most_db);
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("simulation and NPU differ by more than {most_db} dB: {}", differences.join("; "));
    Err(Error::verification(place.display(), message).help(
        "the bundle is complete; the NPU's figure is the one that counts. --max-difference accepts a larger difference",
    ))
}
