//! Which argument of the command line named a path, for errors about it.

use std::path::Path;

use autoneural::Error;
use autoneural::error::Kind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

/// Paths that the command line names, each with the argument that names it.
pub struct Named(Vec<(String, String)>);

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
                paths.extend(values.map(|value| (Path::new(value).display().to_string(), name_of(argument))));
            }
        }
        Named(paths)
    }

    /// Says which argument named the file that an error of wrong input is about.
    pub fn explain(&self, error: Error) -> Error {
        let named = self.0.iter().find(|(path, _)| error.kind == Kind::Input && *path == error.place);
        match named {
            Some((_, name)) => Error { message: format!("{} (given as {name})", error.message), ..error },
            None => error,
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
