//! The command line: arguments, what is printed, exit statuses. All work is done by the library.

mod build_one;
mod compile;
mod completions;
mod demands;
mod demo;
mod diff;
mod display;
mod doctor;
mod eval;
mod gate;
mod golden;
mod graph;
mod help;
mod init;
mod inspect;
mod lane;
mod logits;
mod man;
mod named;
mod open_page;
mod parity;
mod process;
mod report;
mod run;
mod samples;
mod serve;
mod source;
mod stage;
mod suggested;
mod synth;
mod talk;
mod target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

use autoneural::back::qnn::{Runtime, Toolkit};
use autoneural::bundle::{Manifest, ToolkitRecord};
use autoneural::error::{IoContext, Kind};
use autoneural::progress::Progress;
use autoneural::shown::in_line;
use autoneural::{Error, Result, contain, cut_off, files, limits};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand, ValueHint};
use help::GENERAL;
use named::Named;
pub use process::prepare;

/// Name of the program.
const PROGRAM: &str = env!("CARGO_PKG_NAME");

#[global_allocator]
static ALLOCATOR: process::Remembering = process::Remembering;

/// Compiles a vision-language checkpoint into quantized ONNX models and context binaries for the NPU of a car, and
/// measures how far they are from the float model.
#[derive(Parser)]
#[command(name = "autoneural", version, disable_help_flag = true)]
struct Cli {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
struct General {
    /// Print the result as JSON on standard output, and an error as JSON on standard error.
    #[arg(long, global = true, help_heading = GENERAL)]
    json: bool,
    /// Print errors only (and the answers of `run`).
    #[arg(short, long, global = true, help_heading = GENERAL, conflicts_with = "verbose")]
    quiet: bool,
    /// Print every step, also where standard error is no terminal.
    #[arg(short, long, global = true, help_heading = GENERAL)]
    verbose: bool,
    /// Folder with the Python packages onnxruntime and onnxruntime-qnn [default: $AUTONEURAL_TOOLKIT, or what
    /// `autoneural doctor` finds].
    #[arg(long, global = true, help_heading = GENERAL, value_name = "DIR", value_hint = ValueHint::DirPath)]
    toolkit: Option<PathBuf>,
    /// Print help: `-h` in short, `--help` in full.
    #[arg(short, long, global = true, help_heading = GENERAL, action = ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Command {
    /// Compile a small model that comes with the program, and ask it.
    Demo(demo::Demo),
    /// Write a recipe for a model, with comments, to begin with.
    Init(init::Init),
    /// Run all stages: a checkpoint becomes a bundle.
    Compile(compile::Compile),
    /// Stage 1: build the graphs and write the float models.
    Export(stage::Export),
    /// Stage 2: run the samples in float and record the ranges.
    Calibrate(stage::Calibrate),
    /// Stage 3: choose the encodings (scales and zero points).
    Quantize(stage::Quantize),
    /// Stage 4: round the weights and write the quantized ONNX models.
    #[command(after_help = stage::emit_help())]
    Emit(stage::OnBundle),
    /// Stage 5: compile the context binaries for the NPU.
    #[command(after_help = stage::BUILD_HELP)]
    Build(stage::OnBundle),
    /// One context binary, in a process of its own.
    #[command(name = build_one::COMMAND, hide = true)]
    BuildOne(build_one::BuildOne),
    /// A chat template or a tokenizer, in a process of its own.
    #[command(name = serve::COMMAND, hide = true)]
    Serve(serve::Serve),
    /// Stage 6: compare simulation and NPU with float, write report.json.
    Verify(stage::Verify),
    /// Ask a bundle questions about pictures.
    Run(run::Run),
    /// Ask a set of questions with known answers, and score the bundle.
    Eval(eval::Eval),
    /// Compare the float models with timm and transformers.
    Parity(parity::ParityArgs),
    /// Write a checkpoint of made-up weights, before yours are ready.
    Synth(synth::Synth),
    /// Say what is installed, in which version, and what is missing.
    #[command(after_help = doctor::AFTER_HELP)]
    Doctor,
    /// List the known chips, or check what a target file says of one.
    #[command(subcommand)]
    Target(target::Target),
    /// Say what a checkpoint, a bundle or a model file is and holds.
    Inspect(inspect::Inspect),
    /// Write the report of a bundle as an HTML page or as Markdown.
    Report(report::Report),
    /// Compare a bundle with a committed baseline: passed or regression.
    Gate(gate::Gate),
    /// Find the first operator of a quantized model that is wrong.
    Diff(diff::Diff),
    /// Compare your own host's tensors with the golden vectors.
    Golden(golden::Golden),
    /// Draw a bundle, or the inside of one partition, as SVG.
    Graph(graph::Graph),
    /// Print the script with which a shell completes command lines.
    Completions(completions::Completions),
    /// Write the manual pages.
    Man(man::Man),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let (cli, named) = parse(std::env::args_os()).unwrap_or_else(|error| refuse_usage(&error));
    let json = cli.general.json;
    process::tell_as_json(json);
    cut_off::report(match json {
        true => |error| format!("{}\n", display::error_text(error, true, error.kind.exit_status())),
        false => |error| format!("{}\n", display::error_text(error, false, error.kind.exit_status())),
    });
    std::panic::set_hook(Box::new(move |panic| {
        if !contain::is_contained() {
            let place =
                panic.location().map_or("autoneural".into(), |place| format!("{}:{}", place.file(), place.line()));
            let message = panic.payload_as_str().unwrap_or("no reason given");
            let mut error = limits::explained(Error::internal(place, format!("the program panicked: {message}")));
            if error.kind != Kind::Internal {
                error.place = "system".into();
            }
            STATUS.store(error.kind.exit_status(), Ordering::Relaxed);
            display::error(&error, json);
        }
    }));
    // What was begun is cleaned up on the way out of the panic.
    let run = std::panic::AssertUnwindSafe(|| run_command(cli, named));
    std::panic::catch_unwind(run).unwrap_or_else(|_| ExitCode::from(STATUS.load(Ordering::Relaxed)))
}

/// The command line, and which paths it names.
fn parse(words: impl IntoIterator<Item = OsString>) -> Result<(Cli, Named), clap::Error> {
    let mut command = help::command();
    let matches = command.try_get_matches_from_mut(words)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, Named::of(&command, &matches)))
}

/// Exit status of a panic: of a defect, unless it came of a limit of the process.
static STATUS: AtomicU8 = AtomicU8::new(70);

/// Ends the program with what the parser of the command line says: help, or what is wrong. An argument may be the name
/// of somebody else's file, so it stands for itself.
fn refuse_usage(error: &clap::Error) -> ! {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let lacks_command = error.get(ContextKind::InvalidSubcommand) == Some(&ContextValue::String(PROGRAM.into()));
    if words.len() <= 1 || error.kind() == ErrorKind::MissingSubcommand && lacks_command {
        // Nothing was done: a script that lost its arguments must not go on.
        display::note(help::FIRST_STEPS);
        std::process::exit(error.exit_code());
    }
    let harmless: Vec<_> = words.iter().map(|word| in_line(word)).collect();
    if harmless.iter().zip(&words).all(|(harmless, word)| harmless == word) {
        error.exit()
    }
    // The parser repeats what it does not understand: it is asked again, in harmless words.
    let again = parse(harmless.iter().map(|word| OsString::from(word.as_ref()))).err();
    display::note(again.as_ref().unwrap_or(error).render().to_string().trim_end());
    std::process::exit(error.exit_code())
}

fn run_command(cli: Cli, named: Named) -> ExitCode {
    // Its standard output is a pipe to whoever started it.
    if let Command::Serve(args) = &cli.command {
        return status(args.run(), cli.general.json);
    }
    if let Some(error) = cli.general.toolkit.as_deref().and_then(refuse_no_folder) {
        return status(Err(named.explain(error)), cli.general.json);
    }
    let session = Session {
        // With --json standard error is for an error alone, unless every step is asked for.
        progress: display::progress(
            cli.general.quiet || (cli.general.json && !cli.general.verbose),
            cli.general.verbose,
        ),
        output: display::Output::take(cli.general.verbose),
        general: cli.general,
        named,
    };
    let result = match &cli.command {
        Command::Demo(args) => return args.run(&session),
        Command::Compile(args) => args.run(&session),
        Command::Export(args) => args.run(&session),
        Command::Calibrate(args) => args.run(&session),
        Command::Quantize(args) => args.run(&session),
        Command::Emit(args) => args.emit(&session),
        Command::Build(args) => args.build(&session),
        Command::BuildOne(args) => args.run(&session),
        Command::Serve(args) => args.run(),
        Command::Verify(args) => args.run(&session),
        Command::Init(args) => args.run(&session),
        Command::Run(args) => match args.run(&session) {
            Ok(Some(failed)) => return ExitCode::from(failed.exit_status()),
            done => done.map(drop),
        },
        Command::Eval(args) => args.run(&session),
        Command::Parity(args) => args.run(&session),
        Command::Synth(args) => args.run(&session),
        Command::Doctor => doctor::run(&session),
        Command::Target(args) => args.run(&session),
        Command::Inspect(args) => args.run(&session),
        Command::Diff(args) => args.run(&session),
        Command::Golden(args) => args.run(&session),
        Command::Graph(args) => args.run(&session),
        Command::Report(args) => args.run(&session),
        Command::Gate(args) => return args.run(&session),
        Command::Completions(args) => args.run(&session),
        Command::Man(args) => args.run(&session),
    };
    if result.is_err() {
        session.progress.abandon();
    }
    status(result.map_err(|error| session.named.explain(error)), session.general.json)
}

/// The exit status of a result, whose error is printed.
fn status(result: Result<()>, json: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            display::error(&error, json);
            ExitCode::from(error.kind.exit_status())
        }
    }
}

/// The error that a path of the user is no folder, if it is none.
fn refuse_no_folder(path: &Path) -> Option<Error> {
    match std::fs::metadata(path).reading(path) {
        Ok(meta) if meta.is_dir() => None,
        Ok(_) => Some(Error::input(path.display(), "is a file, a folder is wanted")),
        Err(error) => Some(error),
    }
}

/// A difference in dB; NaN would pass every comparison.
fn decibels(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 => Ok(value),
        _ => Err("a number of at least 0 is wanted".into()),
    }
}

/// What every command has at hand.
pub struct Session {
    general: General,
    progress: Box<dyn display::Display>,
    output: display::Output,
    named: Named,
}

impl Session {
    fn progress(&self) -> &dyn Progress {
        self.progress.as_progress()
    }

    fn toolkit(&self) -> Toolkit {
        Toolkit::find(self.general.toolkit.as_deref())
    }

    /// Loads as much of the toolkit as there is; all of it or an error if `required`.
    fn runtime(&self, required: bool) -> Result<Option<Runtime>> {
        let toolkit = self.toolkit();
        if let (true, Some(missing)) = (required, toolkit.missing()) {
            return Err(Error::toolkit("toolkit", format!("{missing} is missing")).help(toolkit.remedy()));
        }
        toolkit.refusals().iter().for_each(|line| self.note(&format!("warning: {}", in_line(line))));
        if let (true, Some(folder)) = (self.general.verbose, &toolkit.folder) {
            let folder = folder.display().to_string();
            self.note(&format!("toolkit: {} ({})", in_line(&folder), toolkit.found));
        }
        let untested = toolkit.untested();
        if !untested.is_empty() {
            self.note(&format!("warning: this program is not tested with {}", in_line(&untested.join(" and "))));
        }
        toolkit.can_simulate().then(|| Runtime::load(&toolkit)).transpose()
    }

    /// Warns where context binaries were made by another toolkit than the one that is to run them.
    fn compare_toolkit(&self, manifest: &Manifest) {
        let Some(made_with) = &manifest.toolkit else { return };
        let toolkit = self.toolkit();
        if toolkit.missing().is_some() {
            // That is told by who needs it.
            return;
        }
        let here = ToolkitRecord::of(&toolkit);
        if *made_with != here {
            self.note(&format!(
                "warning: the bundle was made with {}, here is {here}; `autoneural build` makes its binaries anew",
                in_line(&made_with.to_string())
            ));
        }
    }

    /// Prints a result: `value` with --json, else `text` unless -q.
    fn print(&self, value: &impl serde::Serialize, text: &str) -> Result<()> {
        if self.general.json {
            let json = serde_json::to_string_pretty(value).map_err(|error| Error::internal("output", error))?;
            self.output.json(&json)?;
        } else if !self.general.quiet {
            self.output.line(text.trim_end())?;
        }
        Ok(())
    }

    /// Writes a result to where the user wants it. Whether that is standard output, which then gets nothing else.
    fn write(&self, file: &Path, text: &str) -> Result<bool> {
        // Standard output is not where it was: see [`display::Output`].
        if files::descriptor(file) == Some(1) {
            self.output.exactly(text)?;
            return Ok(true);
        }
        files::output(file, text.as_bytes())?;
        Ok(false)
    }

    /// Prints a file as it is, unless -q.
    fn print_file(&self, text: &str) -> Result<()> {
        match self.general.quiet {
            true => Ok(()),
            false => self.output.exactly(&format!("{}\n", text.trim_end())),
        }
    }

    /// A line for people, on standard error.
    fn note(&self, line: &str) {
        if !self.general.quiet && !self.general.json {
            display::note(line);
        }
    }
}
