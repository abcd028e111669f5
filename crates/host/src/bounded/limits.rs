//! How much a process that runs foreign code may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use autoneural_base::error::{Error, Result};

/// Stack of the thread that runs foreign code, as large as a main thread's.
pub(crate) const STACK: usize = 8 << 20;

/// The kinds of foreign code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A tokenizer.
    Tokenizer,
    /// A chat template.
    Template,
}

impl Work {
    /// All of them.
    const ALL: [Work; 2] = [Work::Tokenizer, Work::Template];

    /// Name, as the hidden command takes it and errors say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::Tokenizer => "tokenizer",
            Work::Template => "template",
        }
    }

    /// The one of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Work::ALL.into_iter().find(|work| work.name() == name)
    }

    /// How many bytes of memory it may take. A tokenizer of 262,144 tokens and 523,000 merges takes 400 MB while it is
    /// read.
    fn most_memory(self) -> u64 {
        match self {
            Work::Tokenizer => 576 << 20,
            Work::Template => 256 << 20,
        }
    }

    /// The same, if this process may take as much itself.
    pub(crate) fn memory(self) -> u64 {
        within(Resource::As, self.most_memory())
    }

    /// Whether this process itself may take less memory than the work may.
    pub(crate) fn is_held_short(self) -> bool {
        self.memory() < self.most_memory()
    }
}

/// Puts this process under the limits of `work`. Nothing foreign may have been read before.
///
/// # Errors
/// The system does not grant them.
pub(crate) fn enter(work: Work) -> Result<()> {
    let refused = |what: &str, error: &dyn std::fmt::Display| {
        Error::internal("limits", format!("the system does not limit {what}: {error}"))
    };
    // SAFETY: these change settings of this process alone, and no other thread is there yet. Without the first every
    // thread would reserve address space for a heap of its own; the second closes what was left open by whoever started
    // this.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::close_range(3, u32::MAX, 0);
    }
    read_time_zone();
    let statm = std::fs::read_to_string("/proc/self/statm").map_err(|error| refused("memory", &error))?;
    let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    let taken = pages * rustix::param::page_size() as u64;
    let set = |resource, most| {
        let most = within(resource, most);
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    set(Resource::As, taken + STACK as u64 + work.memory()).map_err(|error| refused("memory", &error))?;
    set(Resource::Core, 0).map_err(|error| refused("core files", &error))?;
    set(Resource::Fsize, 0).map_err(|error| refused("files", &error))?;
    set(Resource::Nofile, 3).map_err(|error| refused("open files", &error))
}

/// Reads the time zone's file, which a template that asks for the date could not do later.
fn read_time_zone() {
    // SAFETY: numbers and a pointer that may be null; the call fills them.
    unsafe {
        let mut moment: libc::tm = std::mem::zeroed();
        libc::localtime_r(&0, &raw mut moment);
    }
}

/// A limit, or the lower one that this process has already.
fn within(resource: Resource, most: u64) -> u64 {
    getrlimit(resource).maximum.map_or(most, |already| already.min(most))
}

/// Grants so many seconds of processor time from now on.
pub(crate) fn grant(seconds: u64) {
    let mut taken = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock writes to the value that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut taken) };
    let current = Some(within(Resource::Cpu, taken.tv_sec as u64 + 1 + seconds));
    // Where it cannot be set, whoever waits for the answer stops waiting.
    let _ = setrlimit(Resource::Cpu, Rlimit { current, ..getrlimit(Resource::Cpu) });
}
