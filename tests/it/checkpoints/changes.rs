//! Weights that somebody writes to while they are read.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::bench::{Bench, FILE, INPUT, OS, names};
use crate::common::stderr;

/// Exports while another thread does something over and over.
fn export_during(bench: &Bench, disturb: impl Fn(&mut File) + Sync) -> std::process::Output {
    let done = AtomicBool::new(false);
    let mut file = File::options().write(true).open(bench.path(FILE)).expect("the weights");
    std::thread::scope(|scope| {
        let disturbing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb(&mut file);
            }
        });
        let output = bench.export();
        done.store(true, Ordering::Relaxed);
        disturbing.join().expect("the other thread");
        output
    })
}

#[test]
fn weights_that_are_written_to_give_no_bundle() {
    let bench = Bench::new();
    let bytes = std::fs::read(bench.path(FILE)).unwrap();
    // Nothing else than what is there; only that it is written tells.
    let output = export_during(&bench, |file| {
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes)).expect("the weights are written");
    });
    bench.expect("written to", &output, INPUT, &["model.safetensors", "changed while it was read"]);
    // What was made meanwhile is not taken over later.
    let output = bench.run(&crate::common::bench::EXPORT);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn weights_that_are_cut_off_end_the_program_with_a_reason() {
    let bench = Bench::new();
    let bytes = std::fs::read(bench.path(FILE)).unwrap();
    for _ in 0..3 {
        std::fs::write(bench.path(FILE), &bytes).unwrap();
        let output = export_during(&bench, |file| {
            file.set_len(bytes.len() as u64 / 3).expect("the weights are cut off");
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes)).expect("the weights are written");
        });
        // It depends on the moment which of the reasons is told; the program is never killed.
        let text = stderr(&output);
        assert!(matches!(output.status.code(), Some(INPUT | OS)), "{:?}: {text}", output.status);
        assert!(text.starts_with("error: ") && text.contains("model.safetensors"), "{text}");
        match output.status.code() {
            // It ended where it was, as if it had been killed; the next run sweeps what is left.
            Some(OS) => assert!(!bench.path("out/bundle").exists(), "{text}"),
            _ => bench.expect_no_bundle("cut off"),
        }
    }
    std::fs::write(bench.path(FILE), &bytes).unwrap();
    let output = bench.export();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(names(&bench.path("out")), ["bundle"]);
}
