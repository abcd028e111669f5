//! What every command has at hand: the options of all of them, the toolkit, and where results go.

use std::path::{Path, PathBuf};

use autoneural::back::qnn::{Runtime, Toolkit};
use autoneural::bundle::{Manifest, ToolkitRecord};
use autoneural::progress::Progress;
use autoneural::shown::in_line;
use autoneural::{Error, Result, files};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, Command, ValueHint};

use super::help::GENERAL;
use super::named::Named;
use super::{display, usage};

/// Options of every command.
#[derive(Args)]
pub struct General {
    /// Print the result as JSON on standard output, and an error as JSON on standard error.
    #[arg(long, global = true, help_heading = GENERAL)]
    pub json: bool,
    /// Print errors only (and the answers of `run`).
    #[arg(short, long, global = true, help_heading = GENERAL, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every step, also where standard error is no terminal.
    #[arg(short, long, global = true, help_heading = GENERAL)]
    pub verbose: bool,
    /// Folder with the Python packages onnxruntime and onnxruntime-qnn [default: $AUTONEURAL_TOOLKIT, or what
    /// `autoneural doctor` finds].
    #[arg(long, global = true, help_heading = GENERAL, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub toolkit: Option<PathBuf>,
    /// Print help: `-h` in short, `--help` in full.
    #[arg(short, long, global = true, help_heading = GENERAL, action = ArgAction::Help)]
    help: Option<bool>,
}

/// What every command has at hand.
pub struct Session {
    pub general: General,
    pub progress: Box<dyn display::Display>,
    pub output: display::Output,
    pub named: Named,
    /// Makes the whole command line, of which the command is one.
    pub command: fn() -> Command,
}

impl Session {
    /// Ends the program as wrong arguments do.
    pub fn refuse_usage(&self, kind: ErrorKind, message: &str) -> ! {
        let mut command = (self.command)();
        let error = command.error(kind, message);
        usage::refuse(command, &error)
    }

    pub fn progress(&self) -> &dyn Progress {
        self.progress.as_progress()
    }

    pub fn toolkit(&self) -> Toolkit {
        Toolkit::find(self.general.toolkit.as_deref())
    }

    /// Loads as much of the toolkit as there is; all of it or an error if `required`.
    pub fn runtime(&self, required: bool) -> Result<Option<Runtime>> {
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
    pub fn compare_toolkit(&self, manifest: &Manifest) {
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
    pub fn print(&self, value: &impl serde::Serialize, text: &str) -> Result<()> {
        if self.general.json {
            let json = serde_json::to_string_pretty(value).map_err(|error| Error::internal("output", error))?;
            self.output.json(&json)?;
        } else if !self.general.quiet {
            self.output.line(text.trim_end())?;
        }
        Ok(())
    }

    /// Writes a result to where the user wants it. Whether that is standard output, which then gets nothing else.
    pub fn write(&self, file: &Path, text: &str) -> Result<bool> {
        // Standard output is not where it was: see [`display::Output`].
        if files::descriptor(file) == Some(1) {
            self.output.exactly(text)?;
            return Ok(true);
        }
        files::output(file, text.as_bytes())?;
        Ok(false)
    }

    /// Prints a file as it is, unless -q.
    pub fn print_file(&self, text: &str) -> Result<()> {
        match self.general.quiet {
            true => Ok(()),
            false => self.output.exactly(&format!("{}\n", text.trim_end())),
        }
    }

    /// A line for people, on standard error.
    pub fn note(&self, line: &str) {
        if !self.general.quiet && !self.general.json {
            display::note(line);
        }
    }
}
