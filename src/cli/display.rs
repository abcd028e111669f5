//! How progress and errors look.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use autoneural::progress::{Progress, Silent};
use autoneural::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// A progress display that can be taken away when an error comes.
pub trait Display {
    /// The same as what the library sees.
    fn as_progress(&self) -> &dyn Progress;
    /// Removes a bar that is not finished.
    fn abandon(&self);
}

/// A bar on a terminal, lines elsewhere, nothing when quiet.
pub fn progress(quiet: bool, verbose: bool) -> Box<dyn Display> {
    match (quiet, verbose || !std::io::stderr().is_terminal()) {
        (true, _) => Box::new(Silent),
        (false, true) => Box::new(Lines { verbose, last: Mutex::new(Instant::now()), running: Mutex::new(None) }),
        (false, false) => Box::new(Bar(Mutex::new(None))),
    }
}

/// Place of errors about the output of results.
pub const STANDARD_OUTPUT: &str = "standard output";

/// Where results go.
pub struct Output(Option<File>);

impl Output {
    /// Takes standard output for results alone. The vendor's libraries print to it too; what they say goes to standard
    /// error when `verbose`, and nowhere otherwise.
    pub fn take(verbose: bool) -> Self {
        let results = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let elsewhere = if verbose {
            std::io::stderr().as_fd().try_clone_to_owned()
        } else {
            OpenOptions::new().write(true).open("/dev/null").map(Into::into)
        };
        match (results, elsewhere) {
            (Ok(results), Ok(elsewhere)) if rustix::stdio::dup2_stdout(&elsewhere).is_ok() => Output(Some(results)),
            _ => Output(None),
        }
    }

    /// Prints a line; a closed pipe is the reader's choice and no error.
    ///
    /// # Errors
    /// The output cannot be written, say for want of space.
    pub fn line(&self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }

    /// Prints text that may end within a line, at once.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn text(&self, text: &str) -> Result<()> {
        let written = match &self.0 {
            Some(file) => (&mut &*file).write_all(text.as_bytes()),
            None => std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()),
        };
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::io(Path::new(STANDARD_OUTPUT), &error).help("free some space, or send the output elsewhere"))
            }
            _ => Ok(()),
        }
    }
}

/// Prints a line to standard error; if nobody can read it, there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error to standard error.
pub fn error(error: &Error, json: bool) {
    if json {
        let kind = format!("{:?}", error.kind).to_lowercase();
        let value = serde_json::json!({ "error": {
            "kind": kind, "place": error.place, "message": error.message, "help": error.help,
            "exit_status": error.kind.exit_status(),
        }});
        note(&value.to_string());
    } else {
        note(&format!("error: {error}"));
    }
}

impl Display for Silent {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {}
}

struct Bar(Mutex<Option<(String, ProgressBar, Instant)>>);

impl Bar {
    fn with(&self, work: impl FnOnce(&ProgressBar)) {
        if let Ok(guard) = self.0.lock()
            && let Some((_, bar, _)) = guard.as_ref()
        {
            work(bar);
        }
    }

    fn take(&self) -> Option<(String, ProgressBar, Instant)> {
        self.0.lock().ok()?.take()
    }
}

impl Display for Bar {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {
        if let Some((_, bar, _)) = self.take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn start(&self, stage: &str, steps: u64) {
        let style = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}");
        let bar = ProgressBar::new(steps).with_prefix(stage.to_string());
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        if let Ok(mut guard) = self.0.lock() {
            *guard = Some((stage.to_string(), bar, Instant::now()));
        }
    }

    fn begin(&self, what: &str) {
        self.with(|bar| bar.set_message(what.to_string()));
    }

    fn tick(&self, _: &str) {
        self.with(|bar| bar.inc(1));
    }

    fn finish(&self) {
        if let Some((stage, bar, begun)) = self.take() {
            bar.finish_and_clear();
            note(&format!("{stage:>12} {:.1} s", begun.elapsed().as_secs_f64()));
        }
    }
}

/// Steps that take longer are printed one by one.
const SLOW: Duration = Duration::from_secs(5);

struct Lines {
    verbose: bool,
    last: Mutex<Instant>,
    running: Mutex<Option<(String, Instant)>>,
}

impl Display for Lines {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {}
}

impl Progress for Lines {
    fn start(&self, stage: &str, steps: u64) {
        note(&format!("{stage}: {steps} steps"));
        if let Ok(mut guard) = self.running.lock() {
            *guard = Some((stage.to_string(), Instant::now()));
        }
    }

    fn begin(&self, _: &str) {}

    fn tick(&self, what: &str) {
        // Long work shows that it lives, also where nobody asked for every step.
        let Ok(mut last) = self.last.lock() else { return };
        if self.verbose || last.elapsed() > SLOW {
            note(&format!("  {what}"));
        }
        *last = Instant::now();
    }

    fn finish(&self) {
        if let Ok(mut guard) = self.running.lock()
            && let Some((stage, begun)) = guard.take()
        {
            note(&format!("{stage}: done in {:.1} s", begun.elapsed().as_secs_f64()));
        }
    }
}
