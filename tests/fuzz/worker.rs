//! The process in which cases run. It takes jobs from standard input, one a line, and says on standard output what it
//! is about to do, so that whoever waits knows which case it was that never came back.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, Write};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use autoneural::contain;
use autoneural::error::Kind;
use memmap2::MmapMut;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::coverage::{self, Seen};
use crate::dice::Dice;
use crate::memory;
use crate::mutate::{LARGEST, mutate};
use crate::targets::{Place, Target, find};

/// Names the folder of a worker to the process that is one.
pub const FOLDER: &str = "AUTONEURAL_FUZZ_WORKER";
/// Most memory that a case may take.
pub const MOST_MEMORY: usize = 1 << 30;
/// What a worker may map, files and untouched zeros among it; only to keep the machine from harm.
const MOST_MAPPED: u64 = 64 << 30;
/// Largest input that is kept to go on from.
const LARGEST_KEPT: usize = 1 << 17;
/// Most inputs that are gone on from.
const MOST_KEPT: usize = 2048;

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub target: String,
    pub what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum What {
    /// Made-up cases by number, the same in every run.
    Cases { seed: u64, from: u64, to: u64 },
    /// Made-up cases for so long; inputs that show something new are kept in a folder, and gone on from.
    Search { seed: u64, from: u64, milliseconds: u64, kept: PathBuf },
    /// Files as they are, from a position on.
    Files { paths: Vec<PathBuf>, from: usize },
}

/// What a worker says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// A case begins.
    Case(u64),
    /// It failed, and the worker lives; the file holds its input.
    Failed { kind: String, message: String, input: PathBuf },
    /// A file was read, or refused in these words.
    Read(Option<String>),
    /// The job is done.
    Done(Done),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Done {
    /// Most memory of a case in bytes.
    pub memory: usize,
    /// Longest time of a case.
    pub milliseconds: u64,
    /// Inputs that were kept.
    pub kept: usize,
    /// Places that were come by.
    pub places: usize,
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Whether this process is a worker.
pub fn is_one() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// Does what standard input says, to its end.
pub fn serve() -> ! {
    // The process that runs templates and tokenizers is the program.
    autoneural::host::serve_with(env!("CARGO_BIN_EXE_autoneural"));
    std::panic::set_hook(Box::new(|panic| {
        if !contain::is_contained() {
            let place = panic.location().map_or(String::new(), ToString::to_string);
            let text = format!("{place}: {}", panic.payload_as_str().unwrap_or("no reason given"));
            PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(text);
        }
    }));
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, limit(MOST_MAPPED)).expect("a limit of addresses");
    setrlimit(Resource::Core, limit(0)).expect("a limit of cores");
    let root = PathBuf::from(std::env::var_os(FOLDER).expect("the folder of the worker"));
    // As much stack as the program's main thread has.
    let work = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let mut worker = Worker::new(root);
        for line in std::io::stdin().lock().lines() {
            let job: Job = serde_json::from_str(&line.expect("a job")).expect("a job");
            worker.run(&job);
        }
    });
    let ended = work.expect("a thread").join();
    std::process::exit(i32::from(ended.is_err()));
}

fn say(event: &Event) {
    let mut line = serde_json::to_vec(event).expect("an event");
    line.insert(0, b'@');
    line.push(b'\n');
    // Past the test harness, which may hold back what is printed.
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).expect("somebody listens");
}

struct Worker {
    root: PathBuf,
    place: Place,
    /// The input of the case that runs, for whoever finds this process dead: its length, and the bytes.
    current: MmapMut,
    /// Tells when a folder is touched in which nothing is to be touched.
    watch: rustix::fd::OwnedFd,
    searches: BTreeMap<String, Search>,
}

/// What is known of a target that is searched.
#[derive(Default)]
struct Search {
    /// Seeds, and what was kept behind them.
    pool: Vec<Vec<u8>>,
    seeds: usize,
    known: HashSet<PathBuf>,
    seen: Seen,
    messages: HashSet<u64>,
}

impl Worker {
    fn new(root: PathBuf) -> Self {
        let (home, input) = (root.join("home"), root.join("input"));
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).expect("inotify");
        let change = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MODIFY | WatchFlags::MOVE;
        inotify::add_watch(&watch, &home, change).expect("a watch");
        for outside in [root.join("outside"), input.join("outside")] {
            inotify::add_watch(&watch, &outside, change | WatchFlags::OPEN).expect("a watch");
        }
        let file = std::fs::File::options().read(true).write(true).open(root.join("current")).expect("a file");
        // SAFETY: this process and the one that started it read and write the file; the latter when this one is gone.
        let current = unsafe { MmapMut::map_mut(&file) }.expect("a map");
        Worker { root, place: Place::new(input), current, watch, searches: BTreeMap::new() }
    }

    fn run(&mut self, job: &Job) {
        let target = find(&job.target);
        let mut done = Done::default();
        match &job.what {
            What::Cases { seed, from, to } => {
                let pool = target.seeds();
                for number in *from..*to {
                    let input = input(target, *seed, number, &pool);
                    self.case(target, number, &input, &mut done);
                }
            }
            What::Search { seed, from, milliseconds, kept } => {
                self.search(target, *seed, *from, Duration::from_millis(*milliseconds), kept, &mut done);
            }
            What::Files { paths, from } => {
                for (number, path) in paths.iter().enumerate().skip(*from) {
                    let bytes = std::fs::read(path).expect("an input");
                    if let Some(message) = self.case(target, number as u64, &bytes, &mut done) {
                        say(&Event::Read(message));
                    }
                }
            }
        }
        say(&Event::Done(done));
    }

    fn search(&mut self, target: &Target, seed: u64, from: u64, time: Duration, kept: &Path, done: &mut Done) {
        let begun = Instant::now();
        let mut search = self.searches.remove(target.name).unwrap_or_default();
        if search.pool.is_empty() {
            search.pool = target.seeds();
            search.seeds = search.pool.len();
            for seed in search.pool.clone() {
                self.judge(target, from, &seed, &mut search, done);
            }
        }
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(kept).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.sort();
        for path in found {
            if search.pool.len() < MOST_KEPT && search.known.insert(path.clone()) {
                let bytes = std::fs::read(path).expect("a kept input");
                self.judge(target, from, &bytes, &mut search, done);
                search.pool.push(bytes);
            }
        }
        let mut number = from;
        while begun.elapsed() < time {
            // What was kept is mostly damaged already: every second time it begins with a sound file again.
            let whole = if number.is_multiple_of(2) { search.pool.len() } else { search.seeds };
            let input = input(target, seed, number, &search.pool[..whole]);
            let is_new = self.judge(target, number, &input, &mut search, done);
            number += 1;
            if is_new && input.len() <= LARGEST_KEPT && search.pool.len() < MOST_KEPT {
                let path = kept.join(&hex(&input)[..16]);
                std::fs::write(&path, &input).expect("a kept input");
                search.known.insert(path);
                search.pool.push(input);
                done.kept += 1;
            }
        }
        done.places = search.seen.count();
        self.searches.insert(target.name.to_string(), search);
    }

    /// Runs a case; whether it showed something new.
    fn judge(&mut self, target: &Target, number: u64, input: &[u8], search: &mut Search, done: &mut Done) -> bool {
        coverage::reset();
        let Some(message) = self.case(target, number, input, done) else { return false };
        let mut hasher = DefaultHasher::new();
        shape_of(message.as_deref().unwrap_or_default()).hash(&mut hasher);
        let new_message = search.messages.insert(hasher.finish());
        search.seen.add() | new_message
    }

    /// Runs a case; `None` if it failed, else what the reader said.
    fn case(&mut self, target: &Target, number: u64, input: &[u8], done: &mut Done) -> Option<Option<String>> {
        assert!(input.len() <= 4 * LARGEST, "the input is too large to be handed over");
        self.current[..8].copy_from_slice(&(input.len() as u64).to_le_bytes());
        self.current[8..8 + input.len()].copy_from_slice(input);
        say(&Event::Case(number));
        let begun = Instant::now();
        memory::begin(MOST_MEMORY);
        let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(&self.place, input)));
        done.memory = done.memory.max(memory::end());
        done.milliseconds = done.milliseconds.max(begun.elapsed().as_millis() as u64);
        let panic = PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let failed = |kind: &str, message: String| {
            // The next case may be over before somebody looks at this one.
            let path = self.root.join(format!("failed-{number}"));
            std::fs::write(&path, input).expect("a file");
            say(&Event::Failed { kind: kind.into(), message, input: path });
            None
        };
        if let Some(panic) = panic {
            return failed("panic", panic);
        }
        if let Some(touched) = self.touched() {
            return failed("file", touched);
        }
        match ended {
            Err(_) => failed("panic", "without a word".into()),
            Ok(Err(error)) if error.kind == Kind::Internal => failed("status 70", error.to_string()),
            Ok(Err(error)) => Some(Some(error.to_string())),
            Ok(Ok(())) => Some(None),
        }
    }

    /// What was touched that is not to be touched.
    fn touched(&self) -> Option<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.watch, &mut buffer);
        let mut found = None;
        while let Ok(event) = events.next() {
            // To list a folder opens it.
            if event.events().contains(ReadFlags::ISDIR | ReadFlags::OPEN) {
                continue;
            }
            let name = event.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
            found.get_or_insert(format!("`{name}` was touched ({:?})", event.events()));
        }
        found.or_else(|| self.place.stray())
    }
}

/// The input of a case.
pub fn input(target: &Target, seed: u64, number: u64, pool: &[Vec<u8>]) -> Vec<u8> {
    mutate(target.format, &mut Dice::new(seed, target.name, number), pool)
}

/// A message without what differs from input to input: numbers and what is quoted.
pub fn shape_of(message: &str) -> String {
    let mut made = String::new();
    let mut quoted = false;
    for c in message.chars().take(400) {
        match c {
            '`' | '"' | '\'' => quoted ^= true,
            _ if quoted || c.is_ascii_digit() => {}
            c => made.push(c),
        }
    }
    made
}

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
