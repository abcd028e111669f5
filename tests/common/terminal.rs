//! A name that a terminal or a system of CI would obey, and what must not become of it.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::{stderr, stdout};

/// A name that sets the title of a terminal, colours it, rings, goes back in the line, ends it, begins commands of
/// systems of CI, and turns what follows around.
pub const HOSTILE: &str = "a\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}31m\rok\n::error file=x::forged\n  \
                       ::add-mask::x\n##[error]forged\n\
                       ##vso[task.complete result=Failed]\u{202e}\u{2066}\u{200f}\u{7f}\u{2028}b";

/// Nothing in a text is obeyed by a terminal or by a system of CI.
pub fn expect_harmless(case: &str, text: &str) {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let turned =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(obeyed) && !text.contains(turned), "{case}: {text:?}");
    for line in text.lines() {
        // GitHub leaves space at the beginning of a line out.
        assert!(!line.trim_start().starts_with("::"), "{case}: {line:?}");
        assert!(!["##[", "##vso[", "##teamcity["].iter().any(|mark| line.contains(mark)), "{case}: {line:?}");
    }
}

/// Runs the program in a bench with the word of a command line; both outputs are harmless, and say the name if it is
/// `told`.
pub fn run(case: &str, here: &Path, args: &[&std::ffi::OsStr], told: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    let output = command.args(args).current_dir(here).env_remove("COLUMNS").output().expect("the program starts");
    for text in [stdout(&output), stderr(&output)] {
        expect_harmless(case, &text);
    }
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains(told), "{case}: no `{told}` in {said}");
    output
}

pub fn words<'a>(args: &[&'a str]) -> Vec<&'a std::ffi::OsStr> {
    args.iter().copied().map(AsRef::as_ref).collect()
}
