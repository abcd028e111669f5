//! The command line: arguments, what is printed, exit statuses. All work is done by the library.

mod build_one;
mod compile;
mod display;
mod doctor;
mod eval;
mod gate;
mod golden;
mod graph;
mod inspect;
mod logits;
mod parity;
mod process;
mod report;
mod run;
mod serve;
mod stage;
mod synth;
mod talk;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

use autoneural::back::bundle::{Manifest, ToolkitRecord};
use autoneural::back::qnn::{Runtime, Toolkit};
use autoneural::error::Kind;
use autoneural::progress::Progress;
use autoneural::shown::in_line;
use autoneural::{Error, Result, contain, cut_off, files, limits};
use clap::{Args, Parser, Subcommand};
pub use process::prepare;

const AFTER_HELP: &str = "\
Exit status: 0 done; 2 wrong usage; 3 a file you gave is wrong; 4 the operating system refused; 5 the vendor toolkit is \
missing or refuses the model; 6 the result is not good enough; 70 a defect of this program.

Example:
  autoneural compile graphs/autoneural-tiny.toml --weights models/autoneural-tiny \\
      --calibration calibration/demo.toml --target sa8295p --out out/demo";

#[global_allocator]
static ALLOCATOR: process::Remembering = process::Remembering;

/// Compiles a vision-language checkpoint into quantized ONNX models and context binaries for a car NPU, and proves how far
/// they are from the float model.
#[derive(Parser)]
#[command(name = "autoneural", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
struct General {
    /// Print results as JSON on standard output (and an error as JSON on standard error).
    #[arg(long, global = true)]
    json: bool,
    /// Print errors only, and the answers of `run`.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print every step, also without a terminal.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Folder of the vendor toolkit: the Python packages onnxruntime and onnxruntime-qnn [default: $AUTONEURAL_TOOLKIT, or
    /// .vendor/toolkit beside the program, here, or in a folder above, where nobody else may write to it].
    #[arg(long, global = true, value_name = "DIR")]
    toolkit: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run all stages: a checkpoint becomes a bundle with models, context binaries and a report.
    Compile(compile::Compile),
    /// Stage 1: build the graphs, lower them for the target, write float models.
    Export(stage::Export),
    /// Stage 2: run samples through the float reference and keep statistics.
    Calibrate(stage::Calibrate),
    /// Stage 3: turn statistics and weights into encodings.
    Quantize(stage::Quantize),
    /// Stage 4: write quantized models.
    Emit(stage::OnBundle),
    /// Stage 5: compile context binaries (needs the vendor toolkit).
    Build(stage::OnBundle),
    /// One context binary, in a process of its own.
    #[command(name = build_one::COMMAND, hide = true)]
    BuildOne(build_one::BuildOne),
    /// A chat template or a tokenizer, in a process of its own.
    #[command(name = serve::COMMAND, hide = true)]
    Serve(serve::Serve),
    /// Stage 6: compare float, simulation and NPU, and write the report.
    Verify(stage::Verify),
    /// Ask a compiled bundle questions about images, once or in a conversation.
    Run(run::Run),
    /// Ask a compiled bundle questions with known answers: accuracy, perplexity, agreement with float, SQNR.
    Eval(eval::Eval),
    /// Compare the float models with what timm and transformers compute from the same checkpoint.
    Parity(parity::ParityArgs),
    /// Write a checkpoint of made-up weights with the statistics of trained ones, to measure a model whose weights are not
    /// at hand.
    Synth(synth::Synth),
    /// Say what is installed, which versions, and what is missing for what.
    Doctor,
    /// List the known targets, or check with the engine that a target file is right.
    #[command(subcommand)]
    Target(target::Target),
    /// Print what a checkpoint, an ONNX model, a bundle or a context model holds.
    Inspect(inspect::Inspect),
    /// Write the report of a bundle as a page: verdict, layers, sizes, samples, provenance.
    Report(report::Report),
    /// Hold a bundle against a committed baseline: passed or a regression, for CI.
    Gate(gate::Gate),
    /// Compare what a host of your own computed with the golden vectors of a bundle.
    Golden(golden::Golden),
    /// Draw a bundle: its partitions, what crosses their borders, and the state, or the inside of one partition.
    Graph(graph::Graph),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse_usage(&error));
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
    let run = std::panic::AssertUnwindSafe(|| run_command(cli));
    std::panic::catch_unwind(run).unwrap_or_else(|_| ExitCode::from(STATUS.load(Ordering::Relaxed)))
}

/// Exit status of a panic: of a defect, unless it came of a limit of the process.
static STATUS: AtomicU8 = AtomicU8::new(70);

/// Ends the program with what the parser of the command line says: help, or what is wrong. An argument may be the name of
/// somebody else's file, so it stands for itself.
fn refuse_usage(error: &clap::Error) -> ! {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let harmless: Vec<_> = words.iter().map(|word| in_line(word)).collect();
    if harmless.iter().zip(&words).all(|(harmless, word)| harmless == word) {
        error.exit()
    }
    // The parser repeats what it does not understand: it is asked again, in harmless words.
    let again = Cli::try_parse_from(harmless.iter().map(|word| word.as_ref())).err();
    display::note(again.as_ref().unwrap_or(error).render().to_string().trim_end());
    std::process::exit(error.exit_code())
}

fn run_command(cli: Cli) -> ExitCode {
    // Its standard output is a pipe to whoever started it.
    if let Command::Serve(args) = &cli.command {
        return status(args.run(), cli.general.json);
    }
    let session = Session {
        // With --json standard error is for an error alone, unless every step is asked for.
        progress: display::progress(
            cli.general.quiet || (cli.general.json && !cli.general.verbose),
            cli.general.verbose,
        ),
        output: display::Output::take(cli.general.verbose),
        general: cli.general,
    };
    let result = match &cli.command {
        Command::Compile(args) => args.run(&session),
        Command::Export(args) => args.run(&session),
        Command::Calibrate(args) => args.run(&session),
        Command::Quantize(args) => args.run(&session),
        Command::Emit(args) => args.emit(&session),
        Command::Build(args) => args.build(&session),
        Command::BuildOne(args) => args.run(&session),
        Command::Serve(args) => args.run(),
        Command::Verify(args) => args.run(&session),
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
        Command::Golden(args) => args.run(&session),
        Command::Graph(args) => args.run(&session),
        Command::Report(args) => args.run(&session),
        Command::Gate(args) => return args.run(&session),
    };
    if result.is_err() {
        session.progress.abandon();
    }
    status(result, session.general.json)
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
        let here = ToolkitRecord::of(&self.toolkit());
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
