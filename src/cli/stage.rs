//! The commands that run one stage, and what they share with `compile`.

use std::path::{Path, PathBuf};

use autoneural::back::bundle::{Begin, Bundle, Outcome, Stage, Tally, ToolkitRecord};
use autoneural::back::encodings::GivenFiles;
use autoneural::back::qnn::Runtime;
use autoneural::front::DefinitionFile;
use autoneural::golden;
use autoneural::recipe::Recipe;
use autoneural::report::{Report, table};
use autoneural::shown::in_line;
use autoneural::stages::{self, Comparing};
use autoneural::target::Target;
use autoneural::verify::{Extent, On};
use autoneural::{Error, Result};
use clap::{Args, ValueEnum};

use super::Session;
use super::build_one::ChildCompiler;

/// What a bundle is made from, and where.
#[derive(Args)]
pub struct Source {
    /// Model definition.
    #[arg(value_name = "GRAPH.toml")]
    pub definition: PathBuf,
    /// Checkpoint: a folder of safetensors files with a tokenizer.json, one file of it, or a repository in a hub's cache.
    #[arg(long, value_name = "DIR")]
    pub weights: PathBuf,
    /// Pixels a side of an image, in place of the definition's image_size.
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    /// Target: a known name or the path of a target file.
    #[arg(long, value_name = "NAME")]
    pub target: String,
    /// The bundle to make.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Begin from nothing, and replace the bundle at --out if there is one.
    #[arg(long)]
    pub force: bool,
    /// Read all files to know whether they changed; else those of the same size, time and inode as before count as unchanged.
    #[arg(long)]
    pub check_contents: bool,
}

impl Source {
    /// The definition, with the image size that is wanted.
    pub fn read_definition(&self) -> Result<DefinitionFile> {
        DefinitionFile::read(&self.definition, self.image_size)
    }
}

/// When a verification is good enough.
#[derive(Args)]
pub struct Demands {
    /// Make a missing vendor toolkit an error.
    #[arg(long)]
    pub require_npu: bool,
    /// What is compared with float, on the simulation and the NPU's emulator: `all`, `none`, names of partitions, `sampled` (the
    /// first picture, of every prompt the last chunk of prefill and the first token behind it), or both with a comma between
    /// them. The emulator takes minutes for a step of a large model.
    #[arg(long = "verify", value_name = "WHAT", default_value = "all")]
    extent: Extent,
    /// Engines on which every operator is compared with float, too, in one step of each partition: the first picture, the last
    /// chunk of its prompt, the first token behind it. Graphs are run in parts, each on what the part before it made, so that
    /// every value can leave; it takes as long as the step does. Partitions that --verify names, or all.
    #[arg(long, value_name = "ENGINE", default_value = "none", value_enum)]
    layers: LayersOn,
    /// Golden vectors for whoever writes a host: one prompt of verification, step by step, as integers. `npu` makes
    /// them in simulation and on the NPU [default: npu where --verify compares all, simulated where it compares a part,
    /// none where it compares nothing].
    #[arg(long, value_name = "ENGINE", value_enum)]
    golden: Option<GoldenOn>,
    /// Accept outputs on which simulation and NPU differ by at most this many dB.
    #[arg(long, value_name = "DB", default_value_t = 3.0, value_parser = super::decibels)]
    max_difference: f64,
    /// Accept any difference where the NPU itself reaches this many dB against float; 30 dB is an error of 3 %.
    #[arg(long, value_name = "DB", default_value_t = 30.0, value_parser = super::decibels)]
    enough: f64,
    /// Demand that every output reaches this many dB against float, on the NPU where it runs.
    #[arg(long, value_name = "DB", value_parser = super::decibels)]
    min_sqnr: Option<f64>,
}

/// Where layers are measured.
#[derive(Clone, Copy, ValueEnum)]
enum LayersOn {
    /// Nowhere.
    None,
    /// In simulation.
    Simulated,
    /// In simulation and on the NPU.
    Npu,
}

/// Where golden vectors are made.
#[derive(Clone, Copy, ValueEnum)]
enum GoldenOn {
    /// Nowhere.
    None,
    /// In simulation.
    Simulated,
    /// In simulation and on the NPU.
    Npu,
}

impl Demands {
    /// What is compared, and when it is good enough.
    pub fn comparing(&self) -> Comparing<'_> {
        let layers: &[On] = match self.layers {
            LayersOn::None => &[],
            LayersOn::Simulated => &[On::Simulation],
            LayersOn::Npu => &[On::Simulation, On::Npu],
        };
        let demands = autoneural::report::Demands {
            max_difference_db: self.max_difference,
            enough_db: self.enough,
            min_sqnr_db: self.min_sqnr,
        };
        let golden = match self.golden {
            None => golden::Extent::of(&self.extent),
            Some(GoldenOn::None) => golden::Extent::None,
            Some(GoldenOn::Simulated) => golden::Extent::Simulated,
            Some(GoldenOn::Npu) => golden::Extent::Npu,
        };
        Comparing { extent: &self.extent, layers, golden, demands }
    }
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

/// Encodings that were learned elsewhere.
#[derive(Args)]
pub struct Encodings {
    /// Encodings that were learned elsewhere, of some tensors or of all, to take in place of calibrated ones: JSON in AIMET's
    /// format 0.6.1, 1.0.0 or 2.0.0, with the names of the bundle's encodings/*.json or of the checkpoint. May be given several
    /// times.
    #[arg(long = "encodings", value_name = "FILE.json")]
    files: Vec<PathBuf>,
}

impl Encodings {
    /// Reads the files.
    pub fn read(&self) -> Result<GivenFiles> {
        GivenFiles::read(&self.files)
    }
}

/// Arguments of `quantize`.
#[derive(Args)]
pub struct Quantize {
    /// The bundle.
    bundle: PathBuf,
    #[command(flatten)]
    encodings: Encodings,
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

impl Export {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let Source { weights, target, out, force, check_contents, .. } = &self.source;
        let definition = self.source.read_definition()?;
        let (target, target_text) = Target::find(target)?;
        let begin = if *force { Begin::Replace } else { Begin::New };
        let mut bundle = Bundle::begin(out, begin, *check_contents)?;
        bundle.set_command(command_line());
        stages::export(&mut bundle, &definition, weights, &target, &target_text, session.progress())?;
        finish_stage(session, bundle, Stage::Export)
    }
}

impl Calibrate {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let recipe = Recipe::read(&self.calibration)?;
        let bundle = open(session, &self.bundle, Stage::Calibrate)?;
        stages::calibrate(&bundle, &recipe, session.progress())?;
        finish_stage(session, bundle, Stage::Calibrate)
    }
}

impl Quantize {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let given = self.encodings.read()?;
        let mut bundle = open(session, &self.bundle, Stage::Quantize)?;
        stages::quantize(&mut bundle, &given, session.progress())?;
        finish_stage(session, bundle, Stage::Quantize)
    }
}

impl OnBundle {
    /// Runs `emit`.
    pub fn emit(&self, session: &Session) -> Result<()> {
        let bundle = open(session, &self.bundle, Stage::Emit)?;
        stages::emit(&bundle, session.progress())?;
        finish_stage(session, bundle, Stage::Emit)
    }

    /// Runs `build`.
    pub fn build(&self, session: &Session) -> Result<()> {
        let mut bundle = open(session, &self.bundle, Stage::Build)?;
        let runtime = session.runtime(true)?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        if let Some(compiler) = ChildCompiler::new(session, runtime.as_ref())? {
            stages::build(&mut bundle, &compiler, session.progress())?;
        }
        finish_stage(session, bundle, Stage::Build)
    }
}

impl Verify {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let recipe = Recipe::read(&self.calibration)?;
        let mut bundle = open(session, &self.bundle, Stage::Verify)?;
        session.compare_toolkit(&bundle.manifest);
        let runtime = session.runtime(self.demands.require_npu)?;
        let (what, progress) = (self.demands.comparing(), session.progress());
        let report = stages::verify(&mut bundle, &recipe, runtime.as_ref(), &what, progress)?;
        finish_verification(session, bundle, &report, self.demands.require_npu)
    }
}

/// A whole bundle on which a stage can run.
fn open(session: &Session, path: &Path, stage: Stage) -> Result<Bundle> {
    let mut bundle = Bundle::open(path, session.progress())?;
    bundle.require(stage)?;
    bundle.set_command(command_line());
    Ok(bundle)
}

/// The command line of this run, as a shell takes it, with the program's name for its path.
pub fn command_line() -> String {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words = std::iter::once(env!("CARGO_PKG_NAME")).chain(words.iter().map(String::as_str));
    // No argument of a process has a NUL byte, which is what cannot be quoted.
    shlex::try_join(words).unwrap_or_default()
}

/// Notes the versions of the toolkit in the manifest, if it takes part.
pub fn record_toolkit(bundle: &mut Bundle, session: &Session, runtime: Option<&Runtime>) {
    if runtime.is_some() {
        bundle.manifest.toolkit = Some(ToolkitRecord::of(&session.toolkit()));
    }
}

fn finish_stage(session: &Session, mut bundle: Bundle, stage: Stage) -> Result<()> {
    bundle.finish_stage(stage)?;
    bundle.drop_later(stage)?;
    let record = bundle.manifest.stages.iter().find(|record| record.name == stage.name());
    let seconds = record.map_or(0.0, |record| record.seconds);
    let warnings = bundle.manifest.warnings.clone();
    let Outcome { place, up_to_date, .. } = bundle.commit()?;
    warnings.iter().for_each(|warning| session.note(&warning.to_string()));
    let value = serde_json::json!({ "bundle": place.display().to_string(), "stage": stage.name(), "seconds": seconds, "warnings": warnings });
    let what = if up_to_date { "up to date".to_string() } else { format!("{seconds:.1} s") };
    session.print(&value, &format!("{}: {} ({what})", stage.name(), in_line(&place.display().to_string())))
}

/// Commits the bundle and prints the report; fails where the figures fall short, or are not there though demanded.
pub fn finish_verification(session: &Session, bundle: Bundle, report: &Report, require_npu: bool) -> Result<()> {
    let Outcome { place, tally, up_to_date } = bundle.commit()?;
    let what = match tally {
        _ if up_to_date => " is up to date".to_string(),
        Tally { reused: 0, .. } => String::new(),
        Tally { made, reused } => format!(" ({reused} of {} pieces of work were done before)", made + reused),
    };
    session.print(report, &format!("{}\nbundle: {}{what}", table(report), in_line(&place.display().to_string())))?;
    report.warnings.iter().for_each(|warning| session.note(&warning.to_string()));
    if !report.left_out.is_empty() {
        let what = report.left_out.join(" and ");
        let help = match session.toolkit().missing() {
            Some(missing) => format!("{missing} is missing: {}", session.toolkit().remedy()),
            None => "there are no context binaries: run `autoneural build`".to_string(),
        };
        if require_npu {
            return Err(Error::toolkit(place.display(), format!("not verified: {what}")).help(help));
        }
        session.note(&format!("left out: {}\n  help: {}", in_line(&what), in_line(&help)));
    }
    if report.failures.is_empty() {
        return Ok(());
    }
    let help = "the bundle is complete; its figures are not good enough. --max-difference, --enough and --min-sqnr say what is";
    Err(Error::verification(place.display(), report.failures.join("; ")).help(help))
}
