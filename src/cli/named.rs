//! Which argument of the command line named a path, for errors about it.

use std::path::PathBuf;

use autoneural::Error;
use autoneural::error::Kind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};
use rustix::fs::Access;

/// Paths that the command line names.
pub struct Named(Vec<NamedPath>);

struct NamedPath {
    path: PathBuf,
    /// The argument, as help names it.
    argument: String,
    hint: ValueHint,
}

impl Named {
    /// The paths among what was parsed.
    pub fn of(command: &Command, matches: &ArgMatches) -> Self {
        let (mut command, mut matches) = (command, matches);
        while let Some((name, below)) = matches.subcommand()
            && let Some(found) = command.find_subcommand(name)
        {
            (command, matches) = (found, below);
        }
        let mut paths = Vec::new();
        for argument in command.get_arguments().filter(|argument| is_path(argument)) {
            let id = argument.get_id().as_str();
            if matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine) {
                let values = matches.get_raw(id).into_iter().flatten();
                paths.extend(values.map(|value| NamedPath {
                    path: value.into(),
                    argument: name_of(argument),
                    hint: argument.get_value_hint(),
                }));
            }
        }
        Named(paths)
    }

    /// Says which argument named the path that cannot be read, if that is what an error is about.
    pub fn explain(&self, error: Error) -> Error {
        let is_meant = |one: &&NamedPath| one.path.display().to_string() == error.place && one.is_unreadable();
        match self.0.iter().find(is_meant).filter(|_| error.kind == Kind::Input) {
            Some(one) => Error { message: format!("{} (given as {})", error.message, one.argument), ..error },
            None => error,
        }
    }
}

impl NamedPath {
    /// Nothing is there, or something of the wrong kind. A folder may be wrong where both kinds are taken.
    fn is_unreadable(&self) -> bool {
        // Without opening it: a pipe would be waited for.
        let may_be_read = || rustix::fs::access(&self.path, Access::READ_OK).is_ok();
        match std::fs::metadata(&self.path) {
            Ok(found) => found.is_dir() != (self.hint == ValueHint::DirPath) || !may_be_read(),
            Err(_) => true,
        }
    }
}

fn name_of(argument: &Arg) -> String {
    match (argument.get_long(), argument.get_value_names()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some([name, ..])) => name.to_string(),
        (None, _) => argument.get_id().to_string(),
    }
}

/// Whether an argument is a path, or may be one.
fn is_path(argument: &Arg) -> bool {
    let paths = [ValueHint::FilePath, ValueHint::DirPath, ValueHint::AnyPath];
    argument.get_action().takes_values() && paths.contains(&argument.get_value_hint())
}
