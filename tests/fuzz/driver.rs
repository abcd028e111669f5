//! Starts workers, gives them jobs, waits for what they say, and writes down what does not survive.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::ENTRY;
use crate::memory::TOO_MUCH;
use crate::mutate::LARGEST;
use crate::worker::{Done, Event, FOLDER, Job, What, hex, shape_of};

/// Longest that a worker may take to begin.
const START: Duration = Duration::from_secs(120);

/// What became of jobs, by target.
#[derive(Debug, Default)]
pub struct Tally {
    pub cases: u64,
    pub seconds: f64,
    /// Files that were read, and what was said of those that were refused.
    pub read: Vec<Option<String>>,
    pub done: Done,
    pub failures: Vec<Failure>,
}

/// A case that did not end as it must.
#[derive(Debug, Clone)]
pub struct Failure {
    pub target: String,
    pub case: u64,
    pub kind: String,
    pub message: String,
    pub input: Vec<u8>,
}

impl Failure {
    /// What failures of the same cause have in common, as far as words tell.
    pub fn cause(&self) -> String {
        let shape: String = shape_of(&self.message).chars().take(100).collect();
        format!("{} {} {shape}", self.target, self.kind)
    }

    /// Writes the input into a folder; gives its path.
    pub fn save(&self, folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).expect("a folder");
        let path = folder.join(format!("{}-{}", self.target, &hex(&self.input)[..12]));
        std::fs::write(&path, &self.input).expect("a file");
        path
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message: String = self.message.chars().take(600).collect();
        write!(f, "{} case {}: {}: {}", self.target, self.case, self.kind, message.escape_debug())
    }
}

/// A worker with its folder.
pub struct Driver {
    // Ends before its folder does.
    process: Option<Process>,
    folder: TempDir,
    /// Longest that a case may take.
    patience: Duration,
}

struct Process {
    child: Child,
    jobs: ChildStdin,
    events: Receiver<Event>,
}

impl Driver {
    pub fn new(patience: Duration) -> Self {
        Driver { process: None, folder: TempDir::new().expect("a folder"), patience }
    }

    /// Does a job to its end, whatever becomes of the process that does it.
    pub fn run(&mut self, job: &Job) -> Tally {
        let mut tally = Tally::default();
        let begun = std::time::Instant::now();
        let mut left = Some(job.clone());
        while let Some(job) = left.take() {
            left = self.attempt(&job, &mut tally, begun);
        }
        tally.seconds = begun.elapsed().as_secs_f64();
        tally
    }

    /// Does a job as far as it goes; gives what is left of it.
    fn attempt(&mut self, job: &Job, tally: &mut Tally, begun: std::time::Instant) -> Option<Job> {
        let folder = self.folder.path().to_path_buf();
        let process = self.process.get_or_insert_with(|| Process::start(&folder));
        let line = serde_json::to_string(job).expect("a job");
        writeln!(process.jobs, "{line}").expect("the worker listens");
        let mut current = None;
        let failure = |kind: &str, message: String, case: u64, input: Vec<u8>| Failure {
            target: job.target.clone(),
            case,
            kind: kind.to_string(),
            message,
            input,
        };
        let found = loop {
            // A process that only just starts is no case.
            match process.events.recv_timeout(if current.is_none() { START } else { self.patience }) {
                Ok(Event::Case(number)) => {
                    current = Some(number);
                    tally.cases += 1;
                }
                Ok(Event::Failed { kind, message, input: path }) => {
                    let input = std::fs::read(&path).expect("the input that failed");
                    let _ = std::fs::remove_file(path);
                    tally.failures.push(failure(&kind, message, current.unwrap_or(0), input));
                }
                Ok(Event::Read(message)) => tally.read.push(message),
                Ok(Event::Done(done)) => {
                    tally.done.memory = tally.done.memory.max(done.memory);
                    tally.done.milliseconds = tally.done.milliseconds.max(done.milliseconds);
                    tally.done.places = tally.done.places.max(done.places);
                    tally.done.kept += done.kept;
                    return None;
                }
                Err(RecvTimeoutError::Timeout) => {
                    break failure("hang", String::new(), current.unwrap_or(0), current_input(&folder));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = process.child.wait().expect("the worker's end");
                    let (kind, message) = end_of(status, &folder);
                    break failure(kind, message, current.unwrap_or(0), current_input(&folder));
                }
            }
        };
        drop(self.process.take());
        let Some(number) = current else { panic!("a worker does not begin: {found}") };
        // A machine that stood still for a while is no hang.
        if found.kind != "hang" || self.hangs(&found) {
            tally.failures.push(found);
        }
        let what = match &job.what {
            What::Cases { seed, to, .. } => What::Cases { seed: *seed, from: number + 1, to: *to },
            What::Search { seed, milliseconds, kept, .. } => {
                let spent = begun.elapsed().as_millis() as u64;
                let milliseconds = milliseconds.checked_sub(spent)?;
                What::Search { seed: *seed, from: number + 1, milliseconds, kept: kept.clone() }
            }
            What::Files { paths, .. } => What::Files { paths: paths.clone(), from: number as usize + 1 },
        };
        Some(Job { target: job.target.clone(), what })
    }

    /// Whether a case takes as long when it is tried again.
    fn hangs(&mut self, failure: &Failure) -> bool {
        let folder = self.folder.path().to_path_buf();
        let path = folder.join("again");
        std::fs::write(&path, &failure.input).expect("a file");
        let mut process = Process::start(&folder);
        let job = Job { target: failure.target.clone(), what: What::Files { paths: vec![path], from: 0 } };
        writeln!(process.jobs, "{}", serde_json::to_string(&job).expect("a job")).expect("the worker listens");
        let mut patience = START;
        loop {
            match process.events.recv_timeout(patience) {
                Ok(Event::Done(_)) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(_) => patience = self.patience,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }
}

/// What the input of the case was that a worker was about.
fn current_input(folder: &Path) -> Vec<u8> {
    let bytes = std::fs::read(folder.join("current")).expect("the worker's input");
    let (length, rest) = bytes.split_first_chunk::<8>().expect("a length");
    rest[..(u64::from_le_bytes(*length) as usize).min(rest.len())].to_vec()
}

/// Kind and message of a worker's end.
fn end_of(status: ExitStatus, folder: &Path) -> (&'static str, String) {
    let mut said = String::new();
    if let Ok(mut file) = std::fs::File::open(folder.join("stderr")) {
        let length = file.metadata().map_or(0, |meta| meta.len());
        let _ = file.seek(std::io::SeekFrom::Start(length.saturating_sub(400)));
        let _ = file.read_to_string(&mut said);
    }
    match (status.code(), status.signal()) {
        (Some(TOO_MUCH), _) => ("memory", String::new()),
        (_, Some(signal)) => ("killed", format!("by signal {signal}: {}", said.trim())),
        (code, _) => ("ended", format!("with status {code:?}: {}", said.trim())),
    }
}

impl Process {
    /// Starts a worker in a fresh folder: `home`, where nothing is to be written, `input` for the files of cases, and
    /// two times `outside`, which paths in files lead to and nobody is to open.
    fn start(folder: &Path) -> Self {
        for inner in ["home", "input", "outside"] {
            let _ = std::fs::remove_dir_all(folder.join(inner));
        }
        for inner in ["home", "input/outside", "outside"] {
            std::fs::create_dir_all(folder.join(inner)).expect("a folder");
        }
        for canary in ["outside/canary", "input/outside/canary"] {
            std::fs::write(folder.join(canary), "not to be read").expect("a file");
        }
        let current = std::fs::File::create(folder.join("current")).expect("a file");
        current.set_len(8 + 4 * LARGEST as u64).expect("room for an input");
        let home = folder.join("home");
        let stderr = std::fs::File::create(folder.join("stderr")).expect("a file");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", ENTRY, "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .envs([("HOME", &home), ("TMPDIR", &home), ("XDG_CACHE_HOME", &home)])
            .env("LLVM_PROFILE_FILE", "/dev/null")
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("a worker");
        let (jobs, out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // The test harness says something, too; and a line may be its first half and our second.
                let Some(event) = line.find("@{").and_then(|at| serde_json::from_str(&line[at + 1..]).ok()) else {
                    continue;
                };
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Process { child, jobs, events }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Failures by cause: how many, and the one with the smallest input.
#[derive(Default)]
pub struct Causes(BTreeMap<String, (u64, Failure)>);

impl Causes {
    /// Adds a failure; whether it is the first of its cause.
    pub fn add(&mut self, failure: &Failure) -> bool {
        let mut is_first = false;
        let (count, smallest) = self.0.entry(failure.cause()).or_insert_with(|| {
            is_first = true;
            (0, failure.clone())
        });
        *count += 1;
        if failure.input.len() < smallest.input.len() {
            *smallest = failure.clone();
        }
        is_first
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Failure)> {
        self.0.values().map(|(count, failure)| (*count, failure))
    }
}
