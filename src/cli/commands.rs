//! The commands of the program, and its command line as a whole.

use std::ffi::OsString;

use autoneural::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::named::Named;
use super::session::General;
use super::{
    build_one, compile, completions, demo, diff, doctor, emit, eval, gate, golden, graph, help, init, inspect, man,
    parity, report, run, serve, stage, synth, target, tune,
};

/// Compiles a vision-language checkpoint into quantized ONNX models and context binaries for the NPU of a car, and
/// measures how far they are from the float model.
#[derive(Parser)]
#[command(name = "autoneural", version, disable_help_flag = true)]
pub struct Cli {
    #[command(flatten)]
    pub general: General,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Compile a small model that comes with the program, and ask it.
    Demo(demo::Demo),
    /// Write a recipe for a model, with comments, to begin with.
    Init(init::Init),
    /// Run all stages: a checkpoint becomes a bundle.
    Compile(compile::Compile),
    /// Find which layers need more bits, and which do with fewer.
    Tune(tune::Tune),
    /// Stage 1: build the graphs and write the float models.
    Export(stage::Export),
    /// Stage 2: run the samples in float and record the ranges.
    Calibrate(stage::Calibrate),
    /// Stage 2, in shards: join what shares of the samples gave.
    Merge(stage::Merge),
    /// Stage 3: choose the encodings (scales and zero points).
    Quantize(stage::Quantize),
    /// Stage 4: round the weights and write the quantized ONNX models.
    Emit(emit::Emit),
    /// Stage 5: compile the context binaries for the NPU.
    Build(stage::Build),
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

/// The whole command line, with its help.
pub fn command() -> clap::Command {
    help::arranged(Cli::command())
}

/// Parses the command line. Also returns which paths it names.
///
/// # Errors
/// The words are no valid command line, or ask for help or the version.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<(Cli, Named), clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, Named::of(&command, &matches)))
}
