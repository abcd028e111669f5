//! What a block of code does in a folder: its commands are run there one after the other, and what they print is held
//! against what the document shows.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::documents::{Document, is_run, steps};
use crate::common::{stderr, stdout, toolkit};

/// Does what the blocks of a document say, in a folder that has what the document takes for granted. Gives all that was
/// printed.
pub fn follow(document: &Document, folder: &Path) -> String {
    let mut all = String::new();
    for block in &document.blocks {
        if let Some(name) = block.note("file") {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &block.text).unwrap();
        } else if is_run(block) {
            let status: i32 = block.note("status").map_or(0, |status| status.parse().expect("an exit status"));
            let steps = steps(block);
            let last = steps.len() - 1;
            for (index, step) in steps.iter().enumerate() {
                let output = bash(&step.command, folder);
                let wanted = if index == last { status } else { 0 };
                let place = format!("{}:{}", document.name, step.line);
                assert_eq!(
                    output.status.code(),
                    Some(wanted),
                    "{place}: {}\n{}\n{}",
                    step.command,
                    stdout(&output),
                    stderr(&output)
                );
                let printed = format!("{}{}", stdout(&output), stderr(&output));
                if let Err(missing) = matches(&step.shown, &printed) {
                    panic!("{place}: {}\nis shown with\n  {missing}\nbut printed\n{printed}", step.command);
                }
                all.push_str(&printed);
            }
        }
    }
    all
}

fn bash(script: &str, folder: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_autoneural")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let toolkit = toolkit().canonicalize().unwrap();
    let numpy = std::env::var("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make test`");
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .env("PYTHONPATH", format!("{numpy}:{}", toolkit.display()))
        .env("AUTONEURAL_TOOLKIT", toolkit)
        .env_remove("COLUMNS")
        .output()
        .expect("bash starts")
}

/// Whether what is shown stands in what was printed: all lines in their order, and between two of them nothing else
/// unless a line `…` says that something is left out. What comes before and behind is left out anyway. The first line
/// that is not found is given back.
pub fn matches(shown: &[String], printed: &str) -> Result<(), String> {
    let printed: Vec<String> = printed.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let (mut at, mut may_skip) = (0, true);
    for line in shown.iter().filter(|line| !line.trim().is_empty()) {
        if line.trim() == "…" {
            may_skip = true;
            continue;
        }
        let wanted = plain(line);
        let place = printed[at..].iter().position(|line| fits(&wanted, line));
        match place {
            Some(distance) if distance == 0 || may_skip => at += distance + 1,
            _ => return Err(line.clone()),
        }
        may_skip = false;
    }
    Ok(())
}

/// `…` in a line stands for any text.
fn fits(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A line without what may differ between two machines: figures with a decimal point, the spaces that align them, and
/// which layer is the weakest.
fn plain(line: &str) -> String {
    const LAYER: &str = "layers.";
    let words = line.split_whitespace().map(|word| {
        let mut made = String::new();
        let (mut rest, layer) = match word.find(LAYER) {
            Some(at) => (&word[..at], LAYER),
            None => (word, ""),
        };
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            made.push_str(&rest[..at]);
            let length = rest[at..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len() - at);
            let number = rest[at..at + length].trim_end_matches('.');
            let is_measured = number.matches('.').count() == 1;
            made.push_str(if is_measured { "#" } else { number });
            rest = &rest[at + number.len()..];
        }
        made.push_str(rest);
        made.push_str(layer);
        made
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_shown_is_looked_for_in_what_is_printed() {
    let shown = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
    let printed = "first\nvision    213  50.4 dB\n\nsecond line\nlast";
    for right in [
        &["vision 213 49.9 dB", "second line"][..],
        &["first", "…", "last"],
        &["vision … dB", "second …"],
        &["second line", "last"],
        &["vision 213 50.4 dB", "second line", "…"],
        &[],
    ] {
        assert_eq!(matches(&shown(right), printed), Ok(()), "{right:?}");
    }
    for wrong in [&["vision 212 50.4 dB"][..], &["first", "last"], &["second"], &["last", "first"], &["… km"]] {
        assert!(matches(&shown(wrong), printed).is_err(), "{wrong:?}");
    }
}
