//! `autoneural tune`: which layers need more bits.

use std::path::{Path, PathBuf};

use autoneural::back::qnn::{Compiler, Runtime, Toolkit};
use autoneural::bundle::{Begin, Making};
use autoneural::engine::EngineKind;
use autoneural::error::IoContext;
use autoneural::evaluate::{Slices, TextPlan};
use autoneural::page::tuned_html;
use autoneural::recipe::{Recipe, Windows};
use autoneural::samples::is_recipe;
use autoneural::shards::Share;
use autoneural::shown::in_line;
use autoneural::target::Target;
use autoneural::tune::{
    Depth, FILE, Goal, MeasuredParts, TunePlan, Tuned, measure_share, overrides, tune, tuned_table,
};
use autoneural::{Error, Result, files, folder, json, text};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum, ValueHint};

use super::build_one::ChildCompiler;
use super::run::at_least_one;
use super::samples::SampleArgs;
use super::session::Session;
use super::source::SourceArgs;
use super::stage::{command_line, record_toolkit};

const AFTER_HELP: &str = "\
Every layer is measured alone: its weights get each kind of integers that the target takes, all else stays float, and \
what that does to the outputs is the layer's sensitivity. The search takes the cheapest assignment that reaches the goal \
by these figures. It is then quantized as the recipe says and simulated on every second verification sample; \
where prediction and figure differ, the search corrects itself, a few times. What is chosen is compiled in the end, and \
the NPU's figure is that of the others, which chose nothing.

DIR gets recipe.toml, the given recipe with one [[override]] for each layer that changed and the reason for each choice; \
tune.json; tune.html with the curve of fidelity over bytes; and the bundle in DIR/bundle. A first answer is there within \
a minute or so, and better ones take its place. What is measured is kept: a run that was stopped goes on where it was, \
and another goal asks for new checks only. Exit status 6: the goal is not reached; DIR has the best that is, and says \
what stands in the way.

With --shard only a share of the layers is measured, into a folder of its own; shares may be measured at the same time. \
--join with the folders of all shares then goes on as if all had been measured here.

Examples:
  autoneural tune classifier.onnx --recipe classifier.toml --calibration photos --goal 30dB \\
      --target sa8295p --out out/tuned
  autoneural tune classifier.onnx --recipe classifier.toml --calibration photos --budget-mb 2.9 \\
      --target sa8295p --out out/tuned
  autoneural tune llama.toml --weights weights --calibration llama-recipe.toml --target sa8295p --out out/tuned \\
      --goal-perplexity 2.5% --text prose.txt --windows 60..70 --on simulated
  autoneural tune classifier.onnx --recipe classifier.toml --calibration photos --goal 30dB \\
      --target sa8295p --out out/tuned --shard 1/2 --part out/measured-1
  autoneural tune classifier.onnx --recipe classifier.toml --calibration photos --goal 30dB \\
      --target sa8295p --out out/tuned --join out/measured-1 out/measured-2";

/// Arguments of `tune`.
#[derive(Args)]
#[command(
    after_help = AFTER_HELP,
    mut_arg("out", |arg| arg.help("Folder of the results, with the bundle in it")),
    mut_arg("keep_encodings", |arg| arg.hide(true))
)]
#[group(id = "wanted", required = true, multiple = false, args = ["goal", "goal_perplexity", "budget_mb"])]
pub struct Tune {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    samples: SampleArgs,
    /// Least SQNR of the main outputs against float, say 45dB, at as few bytes as possible.
    #[arg(long, value_name = "DB", value_parser = with_unit("dB", 0.0, 150.0))]
    goal: Option<f64>,
    /// Most that the perplexity of --text may be above that of float, say 1.6%, at as few bytes as possible.
    #[arg(long, value_name = "PERCENT", value_parser = with_unit("%", 0.0, 1000.0), requires = "text")]
    goal_perplexity: Option<f64>,
    /// Most megabytes (of 10^6 bytes) that the weights of all layers may take, with their scales. What is computed twice
    /// counts, too: 100 multiply-adds as a byte.
    #[arg(long, value_name = "MB", value_parser = with_unit("MB", 0.0, 1e6))]
    budget_mb: Option<f64>,
    /// Let the search give computed values 8 bits in place of 16: 8,16. What an operator in 8 bits saves counts beside the
    /// bytes of weights.
    #[arg(long, value_name = "BITS", value_parser = widths, conflicts_with = "budget_mb")]
    activations: Option<Widths>,
    /// A text on which assignments are checked by perplexity, in UTF-8, as `eval --text` takes it; not the one that
    /// calibrates, or other windows of it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "goal")]
    text: Option<PathBuf>,
    /// Tokens of a window of the text.
    #[arg(long, value_name = "N", default_value_t = 512, requires = "text")]
    window: usize,
    /// The windows that check, counted from 0: 40..50 are those from 40 to 49 [default: all].
    #[arg(long, value_name = "A..B", requires = "text")]
    windows: Option<Windows>,
    /// How far a choice is followed [default: as far as the toolkit reaches].
    #[arg(long, value_name = "ENGINE", value_enum)]
    on: Option<On>,
    /// Most assignments that are checked.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    rounds: usize,
    /// Measure only a share of the layers, such as 1/4, the first of four.
    #[arg(long, value_name = "I/N", requires = "part")]
    shard: Option<Share>,
    /// Where a share goes: a folder that --join takes. A share that is there is replaced.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "shard")]
    part: Option<PathBuf>,
    /// Folders of all shares, whose measurements are taken over.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, num_args = 1.., conflicts_with = "shard")]
    join: Vec<PathBuf>,
}

/// Both widths that a computed value can have.
#[derive(Clone, Copy)]
struct Widths;

fn widths(text: &str) -> std::result::Result<Widths, String> {
    let mut bits: Vec<&str> = text.split(',').map(str::trim).collect();
    bits.sort_unstable();
    match bits[..] {
        ["16", "8"] => Ok(Widths),
        _ => {
            Err("8,16 is possible: the search then chooses between the two; one width for all is for the recipe".into())
        }
    }
}

/// Engines that a choice is judged on.
#[derive(Clone, Copy, ValueEnum)]
enum On {
    /// None: what is chosen is predicted from single layers.
    Predicted,
    /// The simulation.
    Simulated,
    /// The simulation, and in the end the NPU or its emulator.
    Npu,
}

/// Takes a number with this unit behind it, or without.
fn with_unit(unit: &'static str, least: f64, most: f64) -> impl TypedValueParser<Value = f64> {
    StringValueParser::new().try_map(move |text| {
        let number = text.trim().strip_suffix(unit).unwrap_or(text.trim()).trim_end();
        match number.parse::<f64>() {
            Ok(number) if number > least && number <= most => Ok(number),
            Ok(_) => Err(format!("more than {least} and at most {most} {unit} are possible")),
            Err(_) => Err(format!("a number of {unit} is wanted")),
        }
    })
}

/// Takes a folder away at the end if nothing came into it.
struct Emptied<'a>(&'a Path);

impl Drop for Emptied<'_> {
    fn drop(&mut self) {
        // One that is not empty stays.
        let _ = std::fs::remove_dir(self.0);
    }
}

impl Tune {
    /// Runs the command.
    ///
    /// # Errors
    /// An input is missing, unreadable or does not fit the others, a stage fails, or the goal is not reached.
    pub fn run(&self, session: &Session) -> Result<()> {
        let SourceArgs { target, out, force, check_contents, .. } = &self.source;
        if self.source.keep_encodings {
            session.refuse_usage(ErrorKind::ArgumentConflict, "--keep-encodings: tuning chooses them");
        }
        let (target, target_text) = Target::find(target)?;
        let read = self.source.read(&target, session)?;
        let source = read.source();
        let runtime = session.runtime(matches!(self.on, Some(On::Npu)))?;
        let depth = self.depth(runtime.as_ref())?;
        let recipe = self.samples.recipe(|| source.takes())?;
        if let Some(text) = &self.text {
            // Told before samples are run.
            autoneural::text::read(text)?;
        }
        let measured = match &self.join[..] {
            [] => None,
            paths => Some(MeasuredParts::read(paths)?),
        };
        std::fs::create_dir_all(out).at(out)?;
        let _unless_used = Emptied(out);
        // Shares may be measured at the same time.
        let place =
            self.shard.map_or(out.join("bundle"), |share| out.join(format!("{}-of-{}", share.number(), share.of())));
        let mut bundle = Making::begin(&place, if *force { Begin::Replace } else { Begin::Update }, *check_contents)?;
        bundle.set_command(command_line());
        record_toolkit(&mut bundle, session, runtime.as_ref());
        let compiler = ChildCompiler::new(session, runtime.as_ref())?;
        let text = self.text.as_ref().map(|text| TextPlan {
            text: text.clone(),
            window: self.window,
            windows: self.windows,
            kinds: vec![EngineKind::Simulated],
            slices: Slices::default(),
        });
        let plan = TunePlan {
            source: &*source,
            target: (&target, &target_text),
            recipe: &recipe,
            goal: self.goal(),
            text,
            measured: measured.as_ref(),
            has_widths: self.activations.is_some(),
            rounds: self.rounds,
            depth,
            compiler: compiler.as_ref().map(|compiler| compiler as &dyn Compiler),
        };
        if let (Some(shard), Some(part)) = (self.shard, &self.part) {
            let made = measure_share(&mut bundle, &plan, shard, part, session.progress())?;
            drop(bundle);
            // What it was measured in is of no use to others.
            Making::kept(&place).map_or(Ok(()), |kept| folder::remove(&kept))?;
            let layers = if made.layers == 1 { "layer" } else { "layers" };
            let place = made.part.display().to_string();
            return session.print(&made, &format!("shard {shard}: {} ({} {layers})", in_line(&place), made.layers));
        }
        let head = self.head(&recipe)?;
        let mut publish = |tuned: &Tuned| write(out, &head, tuned);
        let (tuned, report) = tune(&mut bundle, &plan, runtime.as_ref(), &mut publish, session.progress())?;
        match &report {
            Some(_) => drop(bundle.commit()?),
            None => drop(bundle),
        }
        let warnings = report.map_or_else(|| tuned.warnings.clone(), |report| report.warnings);
        warnings.iter().for_each(|warning| session.note(&warning.to_string()));
        let written = in_line(&out.join(RECIPE).display().to_string()).to_string();
        session.print(&tuned, &format!("{}\nrecipe: {written}", tuned_table(&tuned)))?;
        match tuned.reached {
            true => Ok(()),
            false => {
                let message = format!("the goal is not reached: {}", tuned.goal);
                let help = format!("what was found best is in {written}; what stands in the way is said above");
                Err(Error::verification(out.display(), message).help(help))
            }
        }
    }

    fn goal(&self) -> Goal {
        match (self.goal, self.goal_perplexity, self.budget_mb) {
            (Some(db), ..) => Goal::Db(db),
            (_, Some(percent), _) => Goal::PerplexityPercent(percent),
            (.., megabytes) => Goal::Bytes((megabytes.unwrap_or_default() * 1e6) as u64),
        }
    }

    /// How far choices are followed; what is missing for it is an error only if it was asked for.
    fn depth(&self, runtime: Option<&Runtime>) -> Result<Depth> {
        match (self.on, runtime) {
            (Some(On::Predicted), _) | (None, None) => Ok(Depth::Predicted),
            (Some(On::Simulated), Some(_)) => Ok(Depth::Simulated),
            (None, Some(runtime)) if !runtime.has_npu() => Ok(Depth::Simulated),
            (Some(On::Npu) | None, Some(_)) => Ok(Depth::Npu),
            (Some(_), None) => {
                let message = "ONNX Runtime is missing, which checks what is chosen";
                Err(Error::toolkit("toolkit", message).help(Toolkit::how_to_get()))
            }
        }
    }

    /// What the written recipe begins with: the recipe that was given, or what stands for one.
    fn head(&self, recipe: &Recipe) -> Result<String> {
        let given = self.samples.given();
        let file = given.recipe.or_else(|| given.calibration.filter(|path| is_recipe(path)));
        match file {
            Some(path) => text::read(&path),
            None => {
                let text = recipe.text();
                let lists = ["\n[[calibration]]", "\n[[verification]]"].into_iter().filter_map(|list| text.find(list));
                Ok(lists.min().map_or(text, |end| &text[..end]).to_string())
            }
        }
    }
}

/// The written recipe.
const RECIPE: &str = "recipe.toml";
/// The written page.
const PAGE: &str = "tune.html";

/// Writes what is known into the folder of the results.
fn write(out: &Path, head: &str, tuned: &Tuned) -> Result<()> {
    let recipe = format!("{}\n\n{}", head.trim_end(), overrides(tuned));
    files::replace(&out.join(RECIPE), recipe.as_bytes())?;
    let place = out.join(FILE);
    files::replace(&place, json::text_of(tuned, &place)?.as_bytes())?;
    files::replace(&out.join(PAGE), tuned_html(tuned).as_bytes())
}
