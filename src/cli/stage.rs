//! The commands that run one stage, and what they share with `compile`.

use std::path::{Path, PathBuf};

use autoneural::back::qnn::Runtime;
use autoneural::bundle::{Begin, Bundle, Committed, GivenFiles, Making, Stage, Tally, ToolkitRecord};
use autoneural::front;
use autoneural::quantize::rounding;
use autoneural::recipe::Recipe;
use autoneural::report::{Report, table, verdict_text};
use autoneural::shards::Share;
use autoneural::shown::in_line;
use autoneural::stages;
use autoneural::target::Target;
use autoneural::{Error, Result};
use clap::{Args, ValueHint};

use super::build_one::ChildCompiler;
use super::demands::DemandArgs;
use super::samples::{SampleArgs, VerifyArgs, recipe_for};
use super::session::Session;
use super::source::SourceArgs;

const EXPORT_HELP: &str = "\
Examples:
  autoneural export graphs/autoneural-tiny.toml --weights models/autoneural-tiny \\
      --target sa8295p --out out/demo
  autoneural export classifier.onnx --shape 1,3,224,224 --target sa8295p --out out/classifier";

const CALIBRATE_HELP: &str = "\
A model that is asked with words takes its samples from a recipe. One that takes arrays also takes a folder or list of \
pictures, an .npz (one array for each input, samples stacked on a new first axis), an .npy, a folder of these, or raw \
files with an input list whose lines say `INPUT:=FILE INPUT:=FILE`. Without --verification the last quarter of them \
judges and does not calibrate.

With --shard only a share of the samples is run, and what is seen goes to a folder of its own. The bundle is only read, so \
that shares may run at the same time, on several machines with the same kind of processor. `autoneural merge` joins \
them: the bundle is then the same, byte for byte, as if all samples had been run at once.

Examples:
  autoneural calibrate out/demo --calibration calibration/demo.toml
  autoneural calibrate out/demo --calibration calibration/demo.toml --shard 1/2 --part out/shard-1
  autoneural calibrate out/classifier --calibration photos/ --recipe classifier.toml
  autoneural calibrate out/encoder --calibration samples.npz --verification more.npz";

const MERGE_HELP: &str = "\
The shares are those of one division of the samples, of this bundle, with the same recipe, samples and program. \
What follows, `quantize` and so on, is the same as after `calibrate` with all samples.

Example:
  autoneural merge out/demo out/shard-1 out/shard-2 --calibration calibration/demo.toml";

const QUANTIZE_HELP: &str = "\
Other bits without calibrating again: change them in the recipe, then run `quantize --calibration`, `emit`, `build` \
and `verify` on the bundle. Samples, observers and decode_steps of the recipe must be those that `calibrate` ran with. \
`compile` with the changed recipe and the same --out does the same in one command: unchanged stages are reused.

Examples:
  autoneural quantize out/demo
  autoneural quantize out/demo --calibration calibration/demo.toml
  autoneural quantize out/demo --encodings models/autoneural-tiny/encodings.json";

/// Shown below the options of `emit`.
pub fn emit_help() -> String {
    let methods: Vec<String> = rounding::METHODS.iter().map(|m| format!("  {}: {}", m.name(), m.source())).collect();
    format!(
        "Weights are rounded by the method that the recipe names for their part, `rounding = \"{}\"` if it names \
         none:\n{}\n\n\
         Example:\n  autoneural emit out/demo",
        rounding::Method::default().name(),
        methods.join("\n")
    )
}

/// Shown below the options of `build`.
pub const BUILD_HELP: &str = "\
Example:
  autoneural build out/demo";

const VERIFY_HELP: &str = "\
The figures go to the terminal and into the bundle's report.json. Where simulation and NPU differ by more than \
--max-difference, unless the NPU reaches --enough, or an output is below --min-sqnr, the command ends with status 6; \
the bundle is complete all the same.

Examples:
  autoneural verify out/demo --calibration calibration/demo.toml
  autoneural verify out/demo --calibration calibration/demo.toml --verify vision,sampled --layers npu";

/// Arguments of `export`.
#[derive(Args)]
#[command(after_help = EXPORT_HELP)]
pub struct Export {
    #[command(flatten)]
    source: SourceArgs,
}

/// Arguments of `calibrate`.
#[derive(Args)]
#[command(after_help = CALIBRATE_HELP)]
pub struct Calibrate {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    #[command(flatten)]
    samples: SampleArgs,
    /// Run only a share of the calibration samples, such as 1/4, the first of four.
    #[arg(long, value_name = "I/N", requires = "part")]
    shard: Option<Share>,
    /// Where a share goes: a folder that `merge` takes. A share that is there is replaced.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "shard")]
    part: Option<PathBuf>,
}

/// Arguments of `merge`.
#[derive(Args)]
#[command(after_help = MERGE_HELP)]
pub struct Merge {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// What `calibrate --shard` left: the folders of all shares, in any order.
    #[arg(value_name = "PART", value_hint = ValueHint::DirPath, required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    samples: SampleArgs,
}

/// Encodings that were learned elsewhere.
#[derive(Args)]
pub struct Encodings {
    /// Take these encodings in place of calibrated ones, say from quantization-aware training; may be given several
    /// times.
    ///
    /// JSON in AIMET's format 0.6.1, 1.0.0 or 2.0.0, for some tensors or for all, with the names of the bundle's
    /// encodings/*.json or those of the checkpoint.
    #[arg(long = "encodings", value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
}

impl Encodings {
    /// Reads the files of given encodings; what of them does not fit is settled or refused.
    ///
    /// # Errors
    /// A file is missing, unreadable or malformed.
    pub fn read(&self, settles: bool) -> Result<GivenFiles> {
        GivenFiles::read(&self.files, settles)
    }
}

/// Arguments of `quantize`.
#[derive(Args)]
#[command(after_help = QUANTIZE_HELP)]
pub struct Quantize {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Recipe with other bits [default: the recipe that `calibrate` ran with].
    #[arg(long, value_name = "RECIPE.toml", value_hint = ValueHint::FilePath)]
    calibration: Option<PathBuf>,
    #[command(flatten)]
    encodings: Encodings,
    /// Settle what of --encodings does not fit the chip or the recipe, and name it, in place of an error.
    #[arg(long)]
    keep_encodings: bool,
}

/// Arguments of stages that need a bundle only.
#[derive(Args)]
pub struct OnBundle {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
}

/// Arguments of `verify`.
#[derive(Args)]
#[command(after_help = VERIFY_HELP)]
pub struct Verify {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    #[command(flatten)]
    samples: VerifyArgs,
    #[command(flatten)]
    demands: DemandArgs,
}

impl Export {
    /// Runs the command.
    ///
    /// # Errors
    /// The model or the target is missing, unreadable or refused, or the bundle cannot be written.
    pub fn run(&self, session: &Session) -> Result<()> {
        let SourceArgs { target, out, force, check_contents, .. } = &self.source;
        let (target, target_text) = Target::find(target)?;
        let read = self.source.read(&target, session)?;
        let begin = if *force { Begin::Replace } else { Begin::New };
        let mut bundle = Making::begin(out, begin, *check_contents)?;
        bundle.set_command(command_line());
        read.source().export(&mut bundle, (&target, &target_text), session.progress())?;
        finish_stage(session, bundle, Stage::Export)
    }
}

impl Calibrate {
    /// Runs the command.
    ///
    /// # Errors
    /// The bundle, the recipe or a sample is missing or unreadable, an engine fails, or the bundle cannot be written.
    pub fn run(&self, session: &Session) -> Result<()> {
        let given = self.samples.given();
        let whole = given.whole_recipe()?;
        if let (Some(shard), Some(part)) = (self.shard, &self.part) {
            let bundle = Bundle::look(&self.bundle)?;
            let recipe = recipe_for(&bundle, &given, whole)?;
            let made = stages::collect(&bundle, &recipe, shard, part, session.progress())?;
            let samples = if made.samples == 1 { "sample" } else { "samples" };
            let place = made.part.display().to_string();
            let text = format!("shard {shard}: {} ({} {samples})", in_line(&place), made.samples);
            return session.print(&made, &text);
        }
        let mut bundle = open(session, &self.bundle, Stage::Calibrate)?;
        let recipe = recipe_for(&bundle, &given, whole)?;
        stages::calibrate(&mut bundle, &recipe, session.progress())?;
        finish_stage(session, bundle, Stage::Calibrate)
    }
}

impl Merge {
    /// Runs the command.
    ///
    /// # Errors
    /// The bundle, the recipe, a sample or a part is missing, unreadable or damaged; the parts are not those of all
    /// shares of these samples; or the bundle cannot be written.
    pub fn run(&self, session: &Session) -> Result<()> {
        let given = self.samples.given();
        let whole = given.whole_recipe()?;
        let mut bundle = open(session, &self.bundle, Stage::Calibrate)?;
        let recipe = recipe_for(&bundle, &given, whole)?;
        stages::merge(&mut bundle, &recipe, &self.parts, session.progress())?;
        finish_stage(session, bundle, Stage::Calibrate)
    }
}

impl Quantize {
    /// Runs the command.
    ///
    /// # Errors
    /// The bundle, the recipe or given encodings are missing or unreadable or do not fit, or the bundle cannot be
    /// written.
    pub fn run(&self, session: &Session) -> Result<()> {
        let given = self.encodings.read(self.keep_encodings)?;
        let recipe = self.calibration.as_deref().map(Recipe::read).transpose()?;
        let mut bundle = open(session, &self.bundle, Stage::Quantize)?;
        stages::quantize(&mut bundle, recipe.as_ref(), &given, session.progress())?;
        finish_stage(session, bundle, Stage::Quantize)
    }
}

impl OnBundle {
    /// Runs `emit`.
    ///
    /// # Errors
    /// The bundle is unreadable or lacks encodings, or it cannot be written.
    pub fn emit(&self, session: &Session) -> Result<()> {
        let mut bundle = open(session, &self.bundle, Stage::Emit)?;
        stages::emit(&mut bundle, session.progress())?;
        finish_stage(session, bundle, Stage::Emit)
    }

    /// Runs `build`.
    ///
    /// # Errors
    /// The bundle is unreadable, the toolkit is missing or refuses a model, or the bundle cannot be written.
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
    ///
    /// # Errors
    /// The bundle or a sample is missing or unreadable, an engine is missing or fails, or the verdict is not good
    /// enough.
    pub fn run(&self, session: &Session) -> Result<()> {
        // Without a bundle to ask, names are those that models of built-in families have.
        let program =
            Bundle::look(&self.bundle).and_then(|bundle| bundle.program()).or_else(|_| front::widest_program())?;
        self.demands.refuse_unknown(&program, session);
        let given = self.samples.given();
        let whole = given.whole_recipe()?;
        let mut bundle = open(session, &self.bundle, Stage::Verify)?;
        let recipe = recipe_for(&bundle, &given, whole)?;
        session.compare_toolkit(&bundle.manifest);
        let runtime = session.runtime(self.demands.require_npu)?;
        if self.demands.require_npu && !bundle.manifest.has(Stage::Build.name()) {
            return Err(Error::toolkit(self.bundle.display(), "not verified: NPU").help(NOT_BUILT));
        }
        let (what, progress) = (self.demands.comparing(), session.progress());
        let report = stages::verify(&mut bundle, &recipe, runtime.as_ref(), &what, progress)?;
        finish_verification(session, bundle, &report, self.demands.require_npu)
    }
}

/// What to do where the NPU has nothing to run.
const NOT_BUILT: &str = "there are no context binaries: run `autoneural build`";

/// A whole bundle on which a stage can run.
fn open(session: &Session, path: &Path, stage: Stage) -> Result<Making> {
    let mut bundle = Making::open(path, session.progress())?;
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
pub fn record_toolkit(bundle: &mut Making, session: &Session, runtime: Option<&Runtime>) {
    if runtime.is_some() {
        bundle.manifest.toolkit = Some(ToolkitRecord::of(&session.toolkit()));
    }
}

fn finish_stage(session: &Session, mut bundle: Making, stage: Stage) -> Result<()> {
    bundle.finish_stage(stage)?;
    let is_report_gone = bundle.drop_later(stage)?;
    let record = bundle.manifest.stages.iter().find(|record| record.name == stage.name());
    let seconds = record.map_or(0.0, |record| record.seconds);
    let warnings = bundle.manifest.warnings.clone();
    let Committed { place, up_to_date, .. } = bundle.commit()?;
    warnings.iter().for_each(|warning| session.note(&warning.to_string()));
    if is_report_gone {
        session.note("warning: report.json was dropped with its figures: what it was measured on changed");
    }
    let value = serde_json::json!({
        "bundle": place.display().to_string(), "stage": stage.name(), "seconds": seconds, "warnings": warnings,
    });
    let what = if up_to_date { "up to date".to_string() } else { format!("{seconds:.1} s") };
    let text = format!("{}: {} ({what})", stage.name(), in_line(&place.display().to_string()));
    session.print(&value, &text).map_err(|error| in_place(error, &place))
}

/// An error about the output of results, when the bundle itself is complete.
fn in_place(error: Error, place: &Path) -> Error {
    let help = format!("the bundle {} is complete all the same", place.display());
    let help = error.help.as_ref().map_or(help.clone(), |more| format!("{more}; {help}"));
    error.help(help)
}

/// What was not verified for want of an engine, and what to do about it.
fn left_out(session: &Session, report: &Report) -> Option<(String, String)> {
    if report.left_out.is_empty() {
        return None;
    }
    let help = match session.toolkit().missing() {
        Some(missing) => format!("{missing} is missing: {}", session.toolkit().remedy()),
        None => NOT_BUILT.to_string(),
    };
    Some((report.left_out.join(" and "), help))
}

/// What to do if goals are missed.
pub const GOALS_HELP: &str = "the bundle is complete; its figures are not good enough. `[goal]` in the recipe, \
                              --min-sqnr, --max-difference and --enough say what is";

/// Commits the bundle and prints the report.
///
/// # Errors
/// The bundle cannot be committed, the verdict is not good enough, or figures are missing that were demanded
/// (`require_npu`).
pub fn finish_verification(session: &Session, bundle: Making, report: &Report, require_npu: bool) -> Result<()> {
    let left_out = left_out(session, report);
    if let Some((what, help)) = left_out.as_ref().filter(|_| require_npu) {
        // Before anything is put in place: only figures that are too low leave a bundle.
        return Err(Error::toolkit("verification", format!("not verified: {what}")).help(help));
    }
    let Committed { place, tally, up_to_date } = bundle.commit()?;
    let what = match tally {
        _ if up_to_date => " is up to date".to_string(),
        Tally { reused: 0, .. } => String::new(),
        Tally { made, reused } => format!(" ({reused} of {} pieces of work were done before)", made + reused),
    };
    let named = place.display().to_string();
    let verdict = verdict_text(report, &named);
    let text = format!("{}\n{verdict}\nbundle: {}{what}", table(report), in_line(&named));
    session.print(report, &text).map_err(|error| in_place(error, &place))?;
    report.warnings.iter().for_each(|warning| session.note(&warning.to_string()));
    if let Some((what, help)) = left_out {
        session.note(&format!("left out: {}\n  help: {}", in_line(&what), in_line(&help)));
    }
    if report.failures.is_empty() {
        return Ok(());
    }
    // With -q nothing else says what was missed.
    Err(Error::verification(place.display(), report.failures.join("; ")).help(GOALS_HELP))
}
