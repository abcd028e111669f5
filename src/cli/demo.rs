//! `autoneural demo`: a first run without a checkpoint of one's own.
//!
//! Each step is a command of this program as a user would type it, and runs as one: what is seen is what the commands
//! that are shown do.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use autoneural::demo::{self, LaidOut};
use autoneural::error::IoContext;
use autoneural::shown::in_line;
use autoneural::{Error, Result};
use clap::Args;
use serde_json::{Value, json};

use super::build_one::PROGRAM;
use super::display::status;
use super::open_page;
use super::session::Session;

const AFTER_HELP: &str = "\
DIR is laid out as a project of your own would be: model, recipe with its pictures, questions, baseline. The bundle is \
DIR/bundle, its report DIR/bundle.html. Run again, it reuses what is unchanged and leaves files alone that you changed. \
Without the vendor toolkit the float model answers, and what is left out is named.

Example:
  autoneural demo --out try-it --open";

/// Arguments of `demo`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Demo {
    /// Folder to make the project in: a new one, or that of an earlier demonstration.
    #[arg(long, value_name = "DIR", default_value = "autoneural-demo")]
    out: PathBuf,
    /// Open the report in the browser at the end.
    #[arg(long)]
    open: bool,
}

impl Demo {
    /// Runs the command. The error of a step is told by the step, and its exit status is that of the command.
    pub fn run(&self, session: &Session) -> ExitCode {
        match self.steps(session) {
            Ok(None) => ExitCode::SUCCESS,
            Ok(Some(failed)) => ExitCode::from(failed),
            Err(error) => {
                session.progress.abandon();
                status(Err(error), session.general.json)
            }
        }
    }

    /// Gives the exit status of a step that failed.
    fn steps(&self, session: &Session) -> Result<Option<u8>> {
        let project = Project::new(&self.out)?;
        let laid_out = demo::lay_out(&project.place)?;
        tell_files(session, &project, &laid_out);
        let toolkit = session.toolkit();
        if let Some(missing) = toolkit.missing() {
            let remedy = toolkit.remedy();
            session.note(&format!(
                "{missing} is missing, so there will be no context binaries and no figures of the NPU\n  help: {}\n",
                in_line(&remedy)
            ));
        }
        let steps = Steps { session, project: &project, has_npu: toolkit.missing().is_none() };
        let mut said = Vec::new();
        for (name, words) in [("compile", steps.compile()), ("report", steps.report()), ("run", steps.ask())] {
            match steps.run(&words)? {
                Ended::Well(result) => said.push((name, result)),
                Ended::Badly(status) => return Ok(Some(status)),
            }
        }
        let page = project.path("bundle.html");
        let opened = self.open && open_page::open(session, Path::new(&page));
        let next = steps.next();
        let mut value = json!({
            "project": project.text, "files": laid_out, "bundle": project.path("bundle"), "report": page, "opened": opened,
            "missing": toolkit.missing(), "next": next.iter().map(Next::json).collect::<Vec<_>>(),
        });
        for (name, result) in said.into_iter().filter(|(name, _)| *name != "report") {
            value[name] = result;
        }
        let mut text = format!("The report is {page}. What to try next, in this folder:\n");
        next.iter().for_each(|next| text.push_str(&format!("\n  # {}\n  {}\n", next.what, next.command)));
        if let Some(missing) = toolkit.missing() {
            text.push_str(&format!("\n  # {missing}, for the NPU: {}\n", in_line(&toolkit.remedy())));
        }
        session.print(&value, &text)?;
        Ok(None)
    }
}

/// Says what became of the files.
fn tell_files(session: &Session, project: &Project, laid_out: &LaidOut) {
    let LaidOut { written, unchanged, changed_by_user } = laid_out;
    let what = match (written, unchanged) {
        (0, _) => "its files are there".to_string(),
        (written, 0) => format!("{written} files"),
        (written, unchanged) => format!("{written} files written, {unchanged} were there"),
    };
    session.note(&format!("project: {} ({what}; README.md in it says what they are)", project.text));
    for path in changed_by_user {
        session.note(&format!("{} was changed and is used as it is; remove it to get it back", in_line(path)));
    }
}

/// Where the project is, in words that a shell takes.
struct Project {
    place: PathBuf,
    text: String,
}

impl Project {
    /// The commands at the end are to be copied, so the path must be one that can be typed.
    fn new(out: &Path) -> Result<Self> {
        // A relative path may begin like an option, which it is not as a word of its own.
        let is_option = out.as_os_str().as_encoded_bytes().starts_with(b"-");
        let place = if is_option { Path::new(".").join(out) } else { out.components().collect() };
        let text = place.to_str().filter(|text| in_line(text) == **text && !text.is_empty());
        let Some(text) = text.map(String::from) else {
            return Err(Error::input(out.display(), "has characters that cannot be typed")
                .help("choose another name for --out"));
        };
        Ok(Project { place, text })
    }

    fn path(&self, relative: &str) -> String {
        Path::new(&self.text).join(relative).to_string_lossy().into_owned()
    }
}

/// A command to try next.
struct Next {
    what: &'static str,
    command: String,
}

impl Next {
    fn json(&self) -> Value {
        json!({ "what": self.what, "command": self.command })
    }
}

/// How a step ended.
enum Ended {
    /// With its result, where it was asked for as JSON.
    Well(Value),
    /// With a status other than 0; it said why.
    Badly(u8),
}

struct Steps<'a> {
    session: &'a Session,
    project: &'a Project,
    has_npu: bool,
}

impl Steps<'_> {
    fn words(&self, words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    fn compile(&self) -> Vec<String> {
        let [definition, model, encodings, recipe, bundle] =
            [demo::DEFINITION, demo::MODEL, demo::ENCODINGS, demo::RECIPE, "bundle"]
                .map(|path| self.project.path(path));
        let mut words = self.words(&["compile", &definition, "--weights", &model, "--encodings", &encodings]);
        words.extend(self.words(&["--calibration", &recipe, "--target", demo::TARGET, "--out", &bundle]));
        if self.has_npu {
            words.extend(self.words(&["--layers", "npu"]));
        }
        words
    }

    fn report(&self) -> Vec<String> {
        let [bundle, page, baseline] = ["bundle", "bundle.html", demo::BASELINE].map(|path| self.project.path(path));
        self.words(&["report", &bundle, "--out", &page, "--baseline", &baseline])
    }

    fn ask(&self) -> Vec<String> {
        let (picture, question) = demo::ASKED;
        let [bundle, picture] = ["bundle", picture].map(|path| self.project.path(path));
        let on = if self.has_npu { "float,simulated,npu" } else { "float" };
        self.words(&["run", &bundle, "--on", on, "--image", &picture, "--prompt", question])
    }

    fn next(&self) -> Vec<Next> {
        let bundle = &self.project.path("bundle");
        let (picture, question) = demo::ASKED_NEXT;
        let [picture, questions, baseline, model, drawing] =
            [picture, demo::QUESTIONS, demo::BASELINE, demo::MODEL, "bundle.svg"].map(|path| self.project.path(path));
        let on: &[&str] = if self.has_npu { &[] } else { &["--on", "float"] };
        let mut next = Vec::new();
        let mut add = |what, words: &[&str]| next.push(Next { what, command: self.line(&self.words(words)) });
        let ask = ["run", bundle, "--image", &picture, "--prompt", question];
        add("ask about another picture", &[&ask, on].concat());
        add("talk to it: the path of a picture adds it to your next question", &[&["run", bundle], on].concat());
        add("count right answers", &[&["eval", bundle, "--set", &questions, "--limit", "8"], on].concat());
        if self.has_npu {
            add("check it as CI would, against committed figures", &["gate", bundle, "--baseline", &baseline]);
        }
        add("draw what runs where", &["graph", bundle, "--out", &drawing]);
        add("look at a checkpoint; give your own folder to see whether it fits", &["inspect", &model]);
        next
    }

    /// A command line that works in the current folder.
    fn line(&self, words: &[String]) -> String {
        let mut all = vec![program()];
        all.extend(words.iter().cloned());
        if let Some(toolkit) = self.session.general.toolkit.as_ref().and_then(|folder| folder.to_str()) {
            all.extend(self.words(&["--toolkit", toolkit]));
        }
        // No argument of a process has a NUL byte, which is what cannot be quoted.
        shlex::try_join(all.iter().map(String::as_str)).unwrap_or_default()
    }

    /// Runs a command of this program.
    fn run(&self, words: &[String]) -> Result<Ended> {
        let general = &self.session.general;
        self.session.note(&format!("\n$ {}\n", self.line(words)));
        let mut command = Command::new(PROGRAM);
        command.args(words).stdin(Stdio::null());
        for (flag, is_set) in [("--json", general.json), ("--quiet", general.quiet), ("--verbose", general.verbose)] {
            if is_set {
                command.arg(flag);
            }
        }
        command.args(general.toolkit.iter().flat_map(|folder| [OsString::from("--toolkit"), folder.into()]));
        command.stdout(if general.json { Stdio::piped() } else { self.session.output.for_child() });
        // SAFETY: one call of the system in the new process, which takes no lock and no memory.
        unsafe {
            command.pre_exec(|| {
                // A demonstration that is killed must not go on writing.
                let signal = rustix::process::Signal::TERM;
                rustix::process::set_parent_process_death_signal(Some(signal)).map_err(Into::into)
            });
        }
        let output = command.spawn().and_then(|child| child.wait_with_output()).at(Path::new(PROGRAM))?;
        match output.status.code() {
            Some(0) => {
                let result = if general.json { serde_json::from_slice(&output.stdout) } else { Ok(Value::Null) };
                let internal = |error| Error::internal(&words[0], format!("its result cannot be read: {error}"));
                Ok(Ended::Well(result.map_err(internal)?))
            }
            Some(status) => Ok(Ended::Badly(u8::try_from(status).unwrap_or(u8::MAX))),
            None => {
                let message = format!("broke off: {}", output.status);
                Err(Error::internal(format!("autoneural {}", words[0]), message))
            }
        }
    }
}

/// This program as it can be called in the current folder: as it was, unless that says nothing.
fn program() -> String {
    let called = std::env::args_os().next().and_then(|name| name.into_string().ok());
    let called = called.filter(|name| !name.is_empty() && in_line(name) == *name);
    let path = || std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    called.or_else(path).unwrap_or_else(|| env!("CARGO_PKG_NAME").into())
}
