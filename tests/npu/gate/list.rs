//! The list of checks.

use serde_json::Value;

use super::whole;
use crate::common::stdout;
use crate::sealed::Sealed;

#[test]
fn every_check_is_listed_with_its_limit_and_needs_no_bundle() {
    let empty = Sealed::empty();
    let output = empty.run(&["gate", "--list-checks"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    crate::common::assert_snapshot("gate.checks.txt", &text);
    let value: Value = serde_json::from_str(&stdout(&empty.run(&["gate", "--list-checks", "--json"]))).expect("JSON");
    let listed: Vec<&str> = value["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| check["check"].as_str().expect("a name"))
        .collect();
    listed.iter().for_each(|name| assert!(text.contains(&format!("\n{name} ")) || text.starts_with(name), "{name}"));
    // Whatever the gate judged is in the list, and so is every limit of the thresholds.
    let sealed = whole();
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    let judged: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    for check in judged["checks"].as_array().expect("checks") {
        assert!(listed.contains(&check["rule"].as_str().expect("a name")), "{check}");
    }
    let printed: toml::Table = stdout(&empty.run(&["gate", "--print-thresholds"])).parse().expect("TOML");
    for (section, entries) in printed.iter().filter(|(section, _)| *section != "schema" && *section != "npu") {
        for key in entries.as_table().expect("a table").keys() {
            assert!(text.contains(&format!("{section}.{key} = ")), "{section}.{key}");
        }
    }
    // The limits are those of the file.
    empty.write("gate.toml", "[outputs]\ndrop_db = 1.75\n");
    let text = stdout(&empty.run(&["gate", "--list-checks", "--thresholds", "gate.toml"]));
    assert!(text.contains("outputs.drop_db = 1.75"), "{text}");
}

/// The gate is for machines of CI, where the toolkit is not: nothing of it is looked for, and the program starts with
/// the C library alone.
#[test]
fn the_gate_needs_no_toolkit() {
    let sealed = whole();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_autoneural"))
        .args(["gate", "bundle", "--baseline", "quant-baseline.json"])
        .env_clear()
        .env("AUTONEURAL_TOOLKIT", sealed.path("no toolkit"))
        .current_dir(sealed.path(""))
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", crate::common::stderr(&output));
    assert!(output.stderr.is_empty(), "{}", crate::common::stderr(&output));
    // Names of libraries that the loader has to find before the program begins.
    let needed = needed(std::path::Path::new(env!("CARGO_BIN_EXE_autoneural")));
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "{needed:?}");
    let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1"];
    let others = needed.iter().filter(|name| !known.contains(&name.as_str()) && !name.starts_with("ld-linux"));
    assert_eq!(others.count(), 0, "{needed:?}");
}

/// DT_NEEDED of a 64-bit ELF file, little endian.
fn needed(program: &std::path::Path) -> Vec<String> {
    let bytes = std::fs::read(program).expect("the program");
    let number = |at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte))
    };
    let sections = number(0x28, 8);
    let section = |index: usize| sections + index * number(0x3a, 2);
    let dynamic = (0..number(0x3c, 2)).map(section).find(|&at| number(at + 4, 4) == 6).expect("a dynamic section");
    let (start, size) = (number(dynamic + 0x18, 8), number(dynamic + 0x20, 8));
    let strings = number(section(number(dynamic + 0x28, 4)) + 0x18, 8);
    let entries = (start..start + size).step_by(16);
    let names = entries.filter(|&at| number(at, 8) == 1).map(|at| {
        let name = &bytes[strings + number(at + 8, 8)..];
        String::from_utf8_lossy(name.split(|&byte| byte == 0).next().expect("a name")).into_owned()
    });
    names.collect()
}
