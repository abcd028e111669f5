//! The long search: targets take turns on every core until the time is over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::driver::{Causes, Driver, Tally};
use crate::job;
use crate::targets::{TARGETS, Target};
use crate::worker::What;

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a target's turn is.
const TURN: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Board {
    tallies: BTreeMap<&'static str, Tally>,
    causes: Causes,
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Searches for so long; fails if anything failed. AUTONEURAL_FUZZ_TARGETS names the targets, with commas between,
/// where it is not all; AUTONEURAL_FUZZ_SEED is where chance begins, AUTONEURAL_FUZZ_JOBS how many processes search.
pub fn search(seconds: u64) {
    let folder = folder();
    let wanted = std::env::var("AUTONEURAL_FUZZ_TARGETS").unwrap_or_default();
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| wanted.is_empty() || wanted.split(',').any(|name| name == target.name))
        .collect();
    assert!(!chosen.is_empty(), "AUTONEURAL_FUZZ_TARGETS names no target");
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seed = number_of("AUTONEURAL_FUZZ_SEED").unwrap_or(clock);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let jobs = number_of("AUTONEURAL_FUZZ_JOBS").unwrap_or(cores);
    let guide = if cfg!(fuzz_coverage) { "places" } else { "messages" };
    println!("{} targets, {seconds} s, {jobs} processes, seed {seed}, led by {guide}", chosen.len());
    let begun = Instant::now();
    let time = Duration::from_secs(seconds);
    let (turns, board) = (AtomicU64::new(0), Mutex::new(Board::default()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let mut driver = Driver::new(PATIENCE);
                loop {
                    let left = time.saturating_sub(begun.elapsed());
                    if left.is_zero() {
                        break;
                    }
                    let turn = turns.fetch_add(1, Relaxed);
                    let target = chosen[turn as usize % chosen.len()];
                    let kept = folder.join("kept").join(target.name);
                    std::fs::create_dir_all(&kept).expect("a folder");
                    let milliseconds = TURN.min(left).as_millis() as u64;
                    // Numbers of cases that no other turn has.
                    let tally = driver.run(&job(target, What::Search { seed, from: turn << 32, milliseconds, kept }));
                    add(&board, target, tally, &folder, begun);
                }
            });
        }
    });
    let board = board.into_inner().expect("nobody panicked");
    tell(&board, &folder, begun.elapsed().as_secs_f64());
}

fn add(board: &Mutex<Board>, target: &Target, tally: Tally, folder: &Path, begun: Instant) {
    let board = &mut *board.lock().expect("nobody panicked");
    for failure in &tally.failures {
        if board.causes.add(failure) {
            let path = failure.save(&folder.join("failures"));
            println!("[{:5.0} s] {failure}\n          {}", begun.elapsed().as_secs_f64(), path.display());
        }
    }
    let sum = board.tallies.entry(target.name).or_default();
    sum.cases += tally.cases;
    sum.seconds += tally.seconds;
    sum.done.memory = sum.done.memory.max(tally.done.memory);
    sum.done.milliseconds = sum.done.milliseconds.max(tally.done.milliseconds);
    sum.done.places = sum.done.places.max(tally.done.places);
    sum.done.kept += tally.done.kept;
    sum.failures.extend(tally.failures.into_iter().map(|failure| crate::driver::Failure { input: vec![], ..failure }));
}

fn tell(board: &Board, folder: &Path, seconds: f64) {
    println!(
        "\n{:<18}{:>10}{:>8}{:>8}{:>8}{:>10}{:>10}{:>10}",
        "target", "cases", "per s", "kept", "places", "longest", "memory", "failures"
    );
    for (name, tally) in &board.tallies {
        let Tally { cases, done, failures, .. } = tally;
        let (rate, memory) = (*cases as f64 / tally.seconds, done.memory as f64 / 1e6);
        println!(
            "{name:<18}{cases:>10}{rate:>8.0}{:>8}{:>8}{:>7} ms{memory:>7.0} MB{:>10}",
            done.kept,
            done.places,
            done.milliseconds,
            failures.len()
        );
    }
    let cases: u64 = board.tallies.values().map(|tally| tally.cases).sum();
    let failures: usize = board.tallies.values().map(|tally| tally.failures.len()).sum();
    for (count, failure) in board.causes.iter() {
        println!("{count} x {failure}\n    {}", failure.save(&folder.join("failures")).display());
    }
    let causes = board.causes.iter().count();
    println!(
        "total: {cases} cases in {seconds:.0} s ({:.0} per s), {failures} failures of {causes} causes",
        cases as f64 / seconds
    );
    assert_eq!(failures, 0, "cases failed; their inputs are in {}", folder.join("failures").display());
}

/// Where failures and kept inputs go: the folder of what `make fuzz` builds.
pub fn folder() -> PathBuf {
    let built = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    built.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz"))
}
