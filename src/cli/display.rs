//! How progress and errors look.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Mutex;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use autoneural::progress::{Progress, Silent};
use autoneural::shown::{Lines as Shown, in_json, in_line, lines};
use autoneural::{Error, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

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
        (false, true) => Box::new(Lines { verbose, threads: Threads::new() }),
        (false, false) => Box::new(Bar { bars: MultiProgress::new(), threads: Threads::new() }),
    }
}

/// Place of errors about the output of results.
pub const STANDARD_OUTPUT: &str = "standard output";

/// Where results go.
pub struct Output {
    file: Option<File>,
    /// Where in a line the text is that came so far.
    lines: Cell<Shown>,
}

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
            (Ok(results), Ok(elsewhere)) if rustix::stdio::dup2_stdout(&elsewhere).is_ok() => Output::to(Some(results)),
            _ => Output::to(None),
        }
    }

    /// Where results go, for a process that prints them in place of this one.
    pub fn for_child(&self) -> Stdio {
        let file = self.file.as_ref().and_then(|file| file.try_clone().ok());
        file.map_or_else(Stdio::inherit, Stdio::from)
    }

    fn to(file: Option<File>) -> Self {
        Output { file, lines: Cell::default() }
    }

    /// Prints a line, as [`Output::text`] does; a closed pipe is the reader's choice and no error.
    ///
    /// # Errors
    /// The output cannot be written, say for want of space.
    pub fn line(&self, text: &str) -> Result<()> {
        self.text(&format!("{text}\n"))
    }

    /// Prints text that may end within a line, at once. What a terminal or a system of CI would obey in it stands for
    /// itself (see [`Shown`]), on a terminal and elsewhere: where a log goes is not known here.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn text(&self, text: &str) -> Result<()> {
        let mut lines = self.lines.get();
        let shown = lines.piece(text);
        self.lines.set(lines);
        self.exactly(&shown)
    }

    /// Prints JSON, on lines of its own.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn json(&self, text: &str) -> Result<()> {
        self.exactly(&format!("{}\n", in_json(text)))
    }

    /// Prints a file, or commands for a system of CI, as they are: whoever makes them escapes in them what others
    /// wrote.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub fn exactly(&self, text: &str) -> Result<()> {
        let written = match &self.file {
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
    let _ = writeln!(std::io::stderr(), "{}", lines(text));
}

/// Prints an error to standard error.
pub fn error(error: &Error, json: bool) {
    error_with_status(error, json, error.kind.exit_status());
}

/// Prints an error of a command whose exit status is not that of the error's kind.
pub fn error_with_status(error: &Error, json: bool, status: u8) {
    let text = error_text(error, json, status);
    match json {
        true => drop(writeln!(std::io::stderr(), "{}", in_json(&text))),
        false => note(&text),
    }
}

/// The exit status of a result, whose error is printed.
pub fn status(result: Result<()>, json: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error_with_status(&error, json, error.kind.exit_status());
            ExitCode::from(error.kind.exit_status())
        }
    }
}

/// An error as it is printed.
pub fn error_text(error: &Error, json: bool, status: u8) -> String {
    if !json {
        return format!("error: {error}");
    }
    let kind = format!("{:?}", error.kind).to_lowercase();
    let value = serde_json::json!({ "error": {
        "kind": kind, "place": error.place, "message": error.message, "help": error.help,
        "exit_status": status,
    }});
    value.to_string()
}

impl Display for Silent {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {}
}

/// A stage that a thread is at.
struct Running<T> {
    stage: String,
    begun: Instant,
    shown: T,
}

/// What each thread is at.
struct Threads<T>(Mutex<HashMap<ThreadId, Running<T>>>);

impl<T> Threads<T> {
    fn new() -> Self {
        Threads(Mutex::default())
    }

    fn start(&self, stage: &str, shown: T) {
        if let Ok(mut threads) = self.0.lock() {
            let running = Running { stage: stage.to_string(), begun: Instant::now(), shown };
            threads.insert(std::thread::current().id(), running);
        }
    }

    fn with(&self, work: impl FnOnce(&mut Running<T>)) {
        if let Ok(mut threads) = self.0.lock()
            && let Some(running) = threads.get_mut(&std::thread::current().id())
        {
            work(running);
        }
    }

    fn take(&self) -> Option<Running<T>> {
        self.0.lock().ok()?.remove(&std::thread::current().id())
    }

    fn take_all(&self) -> Vec<Running<T>> {
        self.0.lock().map(|mut threads| threads.drain().map(|(_, running)| running).collect()).unwrap_or_default()
    }
}

/// Most characters of the name of a step, which may be a whole conversation.
const LONGEST: usize = 72;

/// The name of a step in a line: its beginning, with a space for what would leave the line.
fn one_line(what: &str) -> String {
    let words: Vec<&str> =
        what.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = in_line(&words.join(" ")).into_owned();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

struct Bar {
    bars: MultiProgress,
    threads: Threads<ProgressBar>,
}

impl Display for Bar {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {
        for running in self.threads.take_all() {
            running.shown.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn start(&self, stage: &str, steps: u64) {
        let style = ProgressStyle::with_template("{prefix:>24} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}");
        let bar = self.bars.add(ProgressBar::new(steps).with_prefix(one_line(stage)));
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        self.threads.start(stage, bar);
    }

    fn begin(&self, what: &str) {
        self.threads.with(|running| running.shown.set_message(one_line(what)));
    }

    fn part(&self, what: &str) {
        self.begin(what);
    }

    fn tick(&self, _: &str) {
        self.threads.with(|running| running.shown.inc(1));
    }

    fn finish(&self) {
        if let Some(running) = self.threads.take() {
            running.shown.finish_and_clear();
            let line = format!("{:>24} {:.1} s", one_line(&running.stage), running.begun.elapsed().as_secs_f64());
            self.bars.suspend(|| note(&line));
        }
    }

    fn reuse(&self, what: &str) {
        self.bars.suspend(|| note(&format!("{:>24} unchanged", one_line(what))));
    }
}

/// Steps that take longer are printed one by one.
const SLOW: Duration = Duration::from_secs(5);

struct Lines {
    verbose: bool,
    /// When something was last said of the stage.
    threads: Threads<Instant>,
}

impl Display for Lines {
    fn as_progress(&self) -> &dyn Progress {
        self
    }

    fn abandon(&self) {}
}

impl Progress for Lines {
    fn start(&self, stage: &str, steps: u64) {
        let count = if steps == 1 { String::new() } else { format!(": {steps} steps") };
        note(&format!("{}{count}", one_line(stage)));
        self.threads.start(stage, Instant::now());
    }

    fn begin(&self, _: &str) {}

    fn part(&self, what: &str) {
        self.tick(what);
    }

    fn tick(&self, what: &str) {
        // Long work shows that it lives, also where nobody asked for every step.
        self.threads.with(|running| {
            if self.verbose || running.shown.elapsed() > SLOW {
                note(&format!("  {}", one_line(what)));
            }
            running.shown = Instant::now();
        });
    }

    fn finish(&self) {
        if let Some(running) = self.threads.take() {
            note(&format!("{}: done in {:.1} s", one_line(&running.stage), running.begun.elapsed().as_secs_f64()));
        }
    }

    fn reuse(&self, what: &str) {
        note(&format!("{}: unchanged", one_line(what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_named_in_one_line() {
        assert_eq!(one_line("user\nWhat is the\tspeed?\n\u{1b}[31mred"), "user What is the speed? [31mred");
        let long = one_line(&"Ä".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
    }
}
