//! Targets that fail on purpose, each in one way, to see that it is seen.

use std::hint::black_box;
use std::time::Duration;

use autoneural::{Error, contain};

use super::{Run, Target};
use crate::mutate::Format;

const fn planted(name: &'static str, run: Run) -> Target {
    Target { name, from: &["tests/fuzz/corpus/index"], format: Format::Bytes, short: 1, run }
}

pub static TARGETS: [Target; 10] = [
    planted("planted: well", |_, _| Ok(())),
    planted("planted: contained", |_, _| {
        contain::contain(|| panic!("on purpose")).map_err(|panic| Error::input("planted", panic))
    }),
    planted("planted: panic", |_, _| panic!("on purpose")),
    planted("planted: status 70", |_, _| Err(Error::internal("planted", "on purpose"))),
    planted("planted: abort", |_, _| std::process::abort()),
    planted("planted: stack", |_, _| {
        black_box(deeper(black_box(u64::MAX)));
        Ok(())
    }),
    planted("planted: memory", |_, _| {
        black_box(vec![1u8; black_box(3 << 30)]);
        Ok(())
    }),
    planted("planted: hang", |_, _| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }),
    planted("planted: file", |_, _| {
        std::fs::write("made", "on purpose").expect("a file");
        Ok(())
    }),
    planted("planted: outside", |place, _| {
        let path = place.put("inside/file", b"").with_file_name("../outside/canary");
        std::fs::read(path).expect("a file");
        Ok(())
    }),
];

fn deeper(count: u64) -> u64 {
    if count == 0 { 0 } else { black_box(deeper(black_box(count - 1))) + 1 }
}
