//! This program's side of the pipe: starts the process, asks it, and says why it ended where it did.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::DeserializeOwned;

use super::limits::Work;
use super::program::{COMMAND, program};
use super::wire::{self, Reply, Request};
use autoneural_base::limits::memory_help;

use autoneural_base::error::{Error, Kind, Result};

/// How many times the processor time that is granted may pass by the clock: other programs want the processor too.
const PATIENCE: u32 = 8;

/// A process in bounds that has opened one file. Where it ended, the next request starts it anew.
pub struct Child {
    work: Work,
    place: PathBuf,
    opening: Box<dyn Fn() -> Result<(Request, Vec<u8>)> + Send + Sync>,
    running: Mutex<Option<Running>>,
}

impl Child {
    /// Starts the process and lets it open the file at `place`, which `opening` reads. Gives what it found there.
    ///
    /// # Errors
    /// The file cannot be read or is not what it should be, or opening it takes more than the bounds allow.
    pub fn start<T: DeserializeOwned>(
        work: Work,
        place: PathBuf,
        opening: impl Fn() -> Result<(Request, Vec<u8>)> + Send + Sync + 'static,
    ) -> Result<(Self, Option<T>)> {
        let made = Child { work, place, opening: Box::new(opening), running: Mutex::new(None) };
        let (running, found) = made.open()?;
        *made.lock() = Some(running);
        Ok((made, found))
    }

    /// Asks for something; gives the body of the reply.
    ///
    /// # Errors
    /// What the process says is wrong, or that it went beyond its bounds.
    pub fn ask(&self, request: &Request, body: &[u8]) -> Result<Vec<u8>> {
        let mut place = self.lock();
        let mut running = match place.take() {
            Some(running) => running,
            None => self.open::<serde_json::Value>()?.0,
        };
        let (reply, body) = running.ask::<serde_json::Value>(request, body).map_err(|end| self.error(&end))?;
        // An error is an answer; the process goes on.
        *place = Some(running);
        match reply {
            Reply::Done(_) => Ok(body),
            Reply::Failed(failure) => Err(failure.into_error()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn open<T: DeserializeOwned>(&self) -> Result<(Running, Option<T>)> {
        let (request, body) = (self.opening)()?;
        let mut running = Running::start(self.work).map_err(|error| {
            let mut error = Error::io(&self.place, &error);
            error.message = format!("the process that reads it does not start: {}", error.message);
            error
        })?;
        match running.ask::<Option<T>>(&request, &body).map_err(|end| self.error(&end))?.0 {
            Reply::Done(found) => Ok((running, found)),
            Reply::Failed(failure) => Err(failure.into_error()),
        }
    }

    /// Why the process ended, as an error about the file.
    fn error(&self, end: &End) -> Error {
        let name = self.work.name();
        let message = match end {
            // What it takes may be little; this process may take less. How that ends depends on what asked for memory:
            // an allocation, a thread's stack, a page of the stack.
            End::Memory | End::Signal(_) | End::Other(_) if self.work.is_held_short() => {
                let place = self.place.display().to_string();
                let message = format!("memory ran out while the {name} was read");
                return Error { kind: Kind::Io, place, message, help: Some(memory_help()) };
            }
            End::Memory => format!("the {name} takes more than {} MiB of memory", self.work.memory() >> 20),
            End::Time(seconds) => format!("the {name} takes more than {seconds} s of processor time"),
            End::Depth => format!("the {name} nests too deeply"),
            End::Large => format!("more goes with the {name} than is taken"),
            End::Signal(signal) => format!("the {name} breaks the process that reads it (signal {signal})"),
            End::Other(how) => {
                return Error::internal(self.place.display(), format!("reading the {name} broke off: {how}"));
            }
        };
        Error::input(self.place.display(), message)
            .help(format!("no {name} that works needs as much: take the file from where the model was published"))
    }
}

/// Why a process ended before it answered.
enum End {
    Memory,
    Time(u64),
    Depth,
    /// It was never asked: the request is too large.
    Large,
    Signal(i32),
    Other(String),
}

struct Running {
    process: std::process::Child,
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
}

impl Running {
    fn start(work: Work) -> std::io::Result<Self> {
        let mut command = Command::new(program());
        command.args([COMMAND, work.name()]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        match (process.stdin.take(), process.stdout.take(), process.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => Ok(Running { process, input, output, errors }),
            _ => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request, body: &[u8]) -> Result<(Reply<T>, Vec<u8>), End> {
        let seconds = request.seconds();
        // It reads a request whole before anything foreign runs; where it is gone the pipe breaks.
        let written = wire::write(&mut self.input, request, body);
        let until = Instant::now() + Duration::from_secs(seconds) * PATIENCE;
        if written.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidInput) {
            return Err(End::Large);
        }
        let reply = written.and_then(|()| wire::read(&mut Patient { output: &mut self.output, until }));
        match reply {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.end(seconds, "it said nothing")),
            Err(error) => Err(self.end(seconds, &error.to_string())),
        }
    }

    /// Ends the process and finds out how it would have.
    fn end(&mut self, seconds: u64, what: &str) -> End {
        let is_late = what == LATE;
        if is_late {
            let _ = self.process.kill();
        }
        let said = self.last_words();
        // Where it has closed that it is at its end.
        let status = self.process.wait();
        match status.ok().and_then(|status: ExitStatus| status.signal()) {
            Some(libc::SIGXCPU) => End::Time(seconds),
            _ if is_late => End::Time(seconds),
            // The words are those of Rust's runtime.
            _ if said.contains("has overflowed its stack") => End::Depth,
            _ if said.contains("memory allocation of") => End::Memory,
            Some(signal) => End::Signal(signal),
            None => End::Other(format!("{what}: {}", said.trim())),
        }
    }

    /// What it wrote to standard error until it closed it.
    fn last_words(&mut self) -> String {
        let mut said = Vec::new();
        let until = Instant::now() + Duration::from_secs(2);
        let read = Patient { output: &mut self.errors, until }.take(1 << 16).read_to_end(&mut said);
        if read.is_err() {
            let _ = self.process.kill();
        }
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has nothing to put away.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the error of a reader that waited in vain says.
const LATE: &str = "it does not answer";

/// A pipe that is read until a point in time.
struct Patient<'a, R> {
    output: &'a mut R,
    until: Instant,
}

impl<R: Read + AsFd> Read for Patient<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        wait(self.output.as_fd(), self.until)?;
        self.output.read(into)
    }
}

fn wait(pipe: BorrowedFd, until: Instant) -> std::io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::from_borrowed_fd(pipe, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(std::io::Error::other(LATE)),
            Err(rustix::io::Errno::INTR) => {}
            done => return done.map(drop).map_err(Into::into),
        }
    }
}
