//! The command line: arguments, what is printed, exit statuses. All work is done by the library.

mod build_one;
mod commands;
mod compile;
mod completions;
mod decibels;
mod demands;
mod demo;
mod diff;
mod display;
mod doctor;
mod emit;
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
mod session;
mod source;
mod stage;
mod suggested;
mod synth;
mod talk;
mod target;
mod tune;
mod usage;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

use autoneural::error::{IoContext, Kind};
use autoneural::{Error, contain, cut_off, limits};
use commands::{Cli, Command, command, parse};
use display::status;
use named::Named;
pub use process::prepare;
use session::Session;

#[global_allocator]
static ALLOCATOR: process::Remembering = process::Remembering;

/// Runs the program.
pub fn run() -> ExitCode {
    let (cli, named) = parse(std::env::args_os()).unwrap_or_else(|error| usage::refuse(command(), &error));
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

/// Exit status of a panic: of a defect, unless it came of a limit of the process.
static STATUS: AtomicU8 = AtomicU8::new(70);

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
        command,
    };
    let result = match &cli.command {
        Command::Demo(args) => return args.run(&session),
        Command::Compile(args) => args.run(&session),
        Command::Tune(args) => args.run(&session),
        Command::Export(args) => args.run(&session),
        Command::Calibrate(args) => args.run(&session),
        Command::Merge(args) => args.run(&session),
        Command::Quantize(args) => args.run(&session),
        Command::Emit(args) => args.run(&session),
        Command::Build(args) => args.run(&session),
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

/// The error that a path of the user is no folder, if it is none.
fn refuse_no_folder(path: &Path) -> Option<Error> {
    match std::fs::metadata(path).reading(path) {
        Ok(meta) if meta.is_dir() => None,
        Ok(_) => Some(Error::input(path.display(), "is a file, a folder is wanted")),
        Err(error) => Some(error),
    }
}
