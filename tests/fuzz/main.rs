//! The fuzzing campaign: files of every kind that the program reads, damaged in many ways, go through the code that
//! reads them. Whatever a file holds, it must not make the program
//!
//! - panic (a panic of a library that the program contains on purpose is an error like any other), end with status 70,
//!   or die,
//! - take more than 5 s, or ask for more than 1 GB of memory,
//! - open a file outside of where its paths may lead, or write anything.
//!
//! `make test` runs a few thousand cases that are the same every time, and all inputs that once failed. `make fuzz`
//! searches for an hour (FUZZ_SECONDS says otherwise) on all cores, led by the places of the program that an input
//! comes by, and writes the inputs that fail into `target/fuzz/failures`. One that was understood and put right belongs
//! into `tests/fuzz/regressions/TARGET`.
//!
//! Cases run in processes of their own (`worker.rs`), which the tests watch (`driver.rs`).

mod coverage;
mod dice;
mod driver;
mod memory;
mod mutate;
mod search;
mod targets;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use driver::{Causes, Driver, Failure, Tally};
use targets::{PLANTED, TARGETS, Target};
use worker::{Job, What};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// The test that a worker process is started as.
const ENTRY: &str = "every_kind_of_failure_is_seen";
/// Where chance begins in the short run.
const SEED: u64 = 1;
/// How long a case of the short run may take: long, as tests also run on machines that stand still for a while.
const PATIENCE: Duration = Duration::from_secs(60);

fn job(target: &Target, what: What) -> Job {
    Job { target: target.name.into(), what }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Fails where a case did, with one of each cause.
fn refuse_failures(tallies: &[Tally]) {
    let mut causes = Causes::default();
    for failure in tallies.iter().flat_map(|tally| &tally.failures) {
        causes.add(failure);
    }
    let folder = search::folder().join("failures");
    let line =
        |(count, failure): (u64, &Failure)| format!("{count} x {failure}\n    {}", failure.save(&folder).display());
    let lines: Vec<String> = causes.iter().map(line).collect();
    assert!(lines.is_empty(), "cases failed:\n{}", lines.join("\n"));
}

/// Also what a worker process runs, in place of the test.
#[test]
fn every_kind_of_failure_is_seen() {
    if worker::is_one() {
        worker::serve();
    }
    for target in &PLANTED {
        let patience = if target.name == "planted: hang" { Duration::from_secs(2) } else { PATIENCE };
        let mut driver = Driver::new(patience);
        let tally = driver.run(&job(target, What::Cases { seed: SEED, from: 0, to: 1 }));
        let kinds: Vec<&str> = tally.failures.iter().map(|failure| failure.kind.as_str()).collect();
        let wanted = match target.name.trim_start_matches("planted: ") {
            "well" | "contained" => vec![],
            "abort" | "stack" => vec!["killed"],
            "outside" => vec!["file"],
            kind => vec![kind],
        };
        assert_eq!((tally.cases, kinds), (1, wanted), "{}: {:?}", target.name, tally.failures);
    }
}

/// Where a format has changed, its seeds do, too: a campaign whose seeds are all refused would try nothing.
#[test]
fn every_seed_is_read() {
    let mut driver = Driver::new(PATIENCE);
    for target in &TARGETS {
        let paths = target.seed_paths();
        let tally = driver.run(&job(target, What::Files { paths: paths.clone(), from: 0 }));
        refuse_failures(std::slice::from_ref(&tally));
        assert_eq!(tally.read.len(), paths.len());
        for (path, message) in paths.iter().zip(&tally.read).filter(|_| target.name != "unstructured") {
            assert_eq!(message.as_deref(), None, "{}: {}", target.name, path.display());
        }
    }
}

#[test]
fn what_failed_once_fails_no_more() {
    let mut driver = Driver::new(PATIENCE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions");
    let mut tallies = vec![];
    for target in &TARGETS {
        let paths = files_below(&folder.join(target.name));
        let tally = driver.run(&job(target, What::Files { paths: paths.clone(), from: 0 }));
        assert_eq!(tally.read.len() + tally.failures.len(), paths.len());
        tally.failures.iter().for_each(|failure| println!("{}", paths[failure.case as usize].display()));
        tallies.push(tally);
    }
    let known = |folder: &Path| TARGETS.iter().any(|target| folder.ends_with(target.name));
    assert!(files_below(&folder).iter().all(|folder| known(folder)), "a folder is of no target");
    refuse_failures(&tallies);
}

#[test]
fn the_same_seed_gives_the_same_cases() {
    for target in &TARGETS {
        let pool = target.seeds();
        let inputs = || (0..20).map(|number| worker::input(target, SEED, number, &pool)).collect::<Vec<_>>();
        assert_eq!(inputs(), inputs(), "{}", target.name);
        let others = worker::input(target, SEED + 1, 0, &pool);
        assert!(others != inputs()[0] || others != inputs()[1], "{}", target.name);
    }
}

/// With FUZZ_SECONDS for that long (`make fuzz`); else a fixed number of cases.
#[test]
fn no_damaged_file_does_harm() {
    if let Some(seconds) = std::env::var("AUTONEURAL_FUZZ_SECONDS").ok().filter(|seconds| !seconds.is_empty()) {
        return search::search(seconds.parse().expect("AUTONEURAL_FUZZ_SECONDS is a number"));
    }
    let mut driver = Driver::new(PATIENCE);
    let mut tallies = vec![];
    for target in &TARGETS {
        let tally = driver.run(&job(target, What::Cases { seed: SEED, from: 0, to: target.short }));
        println!("{}: {} cases in {:.1} s", target.name, tally.cases, tally.seconds);
        assert_eq!(tally.cases, target.short);
        tallies.push(tally);
    }
    refuse_failures(&tallies);
}
