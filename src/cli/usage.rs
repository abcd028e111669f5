//! Wrong usage of the program.

use autoneural::shown::in_line;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::display;
use super::help::FIRST_STEPS;

/// Name of the program.
const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// Ends the program with what the parser of the command line says: help, or what is wrong. An argument may be the name
/// of somebody else's file, so it stands for itself. `command` is the whole command line.
pub fn refuse(command: Command, error: &clap::Error) -> ! {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let lacks_command = error.get(ContextKind::InvalidSubcommand) == Some(&ContextValue::String(PROGRAM.into()));
    if words.len() <= 1 || error.kind() == ErrorKind::MissingSubcommand && lacks_command {
        // Nothing was done: a script that lost its arguments must not go on.
        display::note(FIRST_STEPS);
        std::process::exit(error.exit_code());
    }
    let harmless: Vec<_> = words.iter().map(|word| in_line(word)).collect();
    if harmless.iter().zip(&words).all(|(harmless, word)| harmless == word) {
        error.exit()
    }
    // The parser repeats what it does not understand: it is asked again, in harmless words.
    let again = command.try_get_matches_from(harmless.iter().map(|word| word.as_ref())).err();
    display::note(again.as_ref().unwrap_or(error).render().to_string().trim_end());
    std::process::exit(error.exit_code())
}
