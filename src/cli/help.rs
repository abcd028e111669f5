//! What the program says of itself: the commands in groups, an example for each, the first steps.

use clap::Command;

/// Heading of the options that every command has.
pub const GENERAL: &str = "General options";

/// The commands, in the order in which help lists them.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "Make a bundle",
        &[
            "demo",
            "init",
            "compile",
            "tune",
            "export",
            "calibrate",
            "merge",
            "quantize",
            "emit",
            "build",
            "verify",
            "synth",
        ],
    ),
    ("Look at it", &["inspect", "report", "graph"]),
    ("Use it", &["run", "eval"]),
    ("Check", &["gate", "diff", "golden", "parity", "target", "doctor"]),
    ("Set up the shell", &["completions", "man"]),
];

/// Where a command's examples begin, below what else is said of it.
const EXAMPLES: &str = "\nExample";

/// What `autoneural` alone says.
pub const FIRST_STEPS: &str = "\
autoneural compiles a vision-language checkpoint for the NPU of a car, and measures how far the result is from float.

First steps:
  1. See it work, with a small model that comes with the program:
       autoneural demo
  2. Compile your own weights into a bundle; `inspect` says what they are and what is missing:
       autoneural inspect WEIGHTS
       autoneural compile GRAPH.toml --weights WEIGHTS --calibration RECIPE.toml --target sa8295p --out BUNDLE
  3. Read the report; keep the figures as the baseline of later bundles:
       autoneural report BUNDLE
       autoneural gate BUNDLE --baseline quant-baseline.json --update

`autoneural --help` lists all commands, `autoneural COMMAND --help` explains one.";

/// Exit statuses, and what each leaves.
pub const EXIT_STATUS: [(&str, &str); 7] = [
    ("0", "done"),
    ("2", "wrong usage"),
    ("3", "a file that you gave is wrong, is not there, or cannot be read"),
    ("4", "the operating system refused during the work: disk full, out of memory, output not writable"),
    ("5", "the vendor toolkit is missing, or refuses the model"),
    ("6", "the work is done, and its figures are not good enough"),
    ("70", "a defect of this program"),
];

/// What a command that failed leaves, and where statuses are others.
pub const WHAT_IS_LEFT: &str = "\
After 2 to 5 and 70 there is no new bundle, and one that was there is unchanged (where only the result could not be \
printed, the message says that the bundle is complete). After 6 the bundle is complete, and its report says what falls \
short. `gate` has statuses of its own: 0 passed, 1 regression, 2 not judged.";

/// Shown by `autoneural -h` and `--help` alike.
const EXAMPLE: &str = "\
Example:
  autoneural compile graphs/autoneural-tiny.toml --weights models/autoneural-tiny \\
      --calibration calibration/demo.toml --target sa8295p --out out/demo

`autoneural COMMAND --help` explains a command.";

/// A command line with its commands in groups, and examples for each.
pub fn arranged(command: Command) -> Command {
    let command = command.mut_subcommands(in_two_lengths);
    let header = *command.get_styles().get_header();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_string();
    for (title, commands) in groups(&command) {
        text.push_str(&format!("\n{header}{title}:{header:#}\n"));
        let literal = *command.get_styles().get_literal();
        for one in commands {
            let name = format!("{literal}{:<11}{literal:#}", one.get_name());
            text.push_str(&format!("  {name}  {}\n", one.get_about().map(ToString::to_string).unwrap_or_default()));
        }
    }
    text.push_str(&format!("\n{header}{GENERAL}:{header:#}\n{{options}}{{after-help}}"));
    command.help_template(text).after_help(EXAMPLE).after_long_help(format!("{}\n\n{EXAMPLE}", statuses()))
}

/// Titles of groups and their commands. One that is in no group comes last.
pub fn groups(command: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let visible = || command.get_subcommands().filter(|one| !one.is_hide_set());
    let named =
        |names: &[&str]| names.iter().filter_map(|name| visible().find(|one| one.get_name() == *name)).collect();
    let mut made: Vec<(&str, Vec<&Command>)> = GROUPS.iter().map(|(title, names)| (*title, named(names))).collect();
    let is_grouped = |one: &&Command| GROUPS.iter().any(|(_, names)| names.contains(&one.get_name()));
    made.push(("Others", visible().filter(|one| !is_grouped(one)).collect()));
    made.retain(|(_, commands)| !commands.is_empty());
    made
}

/// `-h` shows a command's examples, `--help` also what is said above them. Every option takes a negative number for a
/// value, to say what is wrong with it.
fn in_two_lengths(command: Command) -> Command {
    let command = command.mut_subcommands(in_two_lengths).mut_args(|argument| {
        let has_value = argument.get_long().is_some() && argument.get_action().takes_values();
        if has_value { argument.allow_negative_numbers(true) } else { argument }
    });
    let Some(all) = command.get_after_help().map(ToString::to_string) else { return command };
    let (notes, examples) = notes_and_examples(&all);
    if notes.is_empty() {
        return command;
    }
    let examples = examples.to_string();
    command.after_long_help(all).after_help(examples)
}

/// What is said below a command's options: notes, and the examples with their title.
pub fn notes_and_examples(text: &str) -> (&str, &str) {
    match (text.starts_with(EXAMPLES.trim_start()), text.find(EXAMPLES)) {
        (true, _) => ("", text),
        (false, Some(at)) => (text[..at].trim_end(), &text[at + 1..]),
        (false, None) => (text, ""),
    }
}

fn statuses() -> String {
    let lines = EXIT_STATUS.iter().map(|(status, what)| format!("  {status:>2}  {what}"));
    format!("Exit status:\n{}\n\n{WHAT_IS_LEFT}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::commands::{Cli, command};

    /// All visible commands, those below `target` among them.
    fn all(command: &Command) -> Vec<Command> {
        let below = command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help");
        below.flat_map(|one| [vec![one.clone()], all(one)].concat()).collect()
    }

    /// Indented lines that begin with the program's name, each with those that it is continued on.
    fn command_lines(text: &str) -> Vec<String> {
        let whole = text.replace("\\\n", " ");
        let indented = whole.lines().filter(|line| line.starts_with("  "));
        let lines = indented.map(str::trim).filter(|line| line.starts_with("autoneural "));
        lines.map(|line| line.split(" >").next().unwrap_or(line).to_string()).collect()
    }

    fn parse(line: &str) {
        let words = shlex::split(line).unwrap_or_else(|| panic!("{line}: no command line"));
        command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{line}:\n{error}"));
    }

    #[test]
    fn every_visible_command_is_in_exactly_one_group() {
        let command = Cli::command();
        for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&one.get_name())).count();
            assert_eq!(groups, 1, "`{}` is in {groups} groups of GROUPS", one.get_name());
        }
        for name in GROUPS.iter().flat_map(|(_, names)| *names) {
            let found = command.find_subcommand(name).is_some_and(|one| !one.is_hide_set());
            assert!(found, "GROUPS has `{name}`, which is no command");
        }
        command.clone().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_every_example_is_a_command_line() {
        for one in all(&command()) {
            // What has commands below it is explained by them.
            if one.has_subcommands() {
                continue;
            }
            let name = one.get_name();
            let short = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = command_lines(&short);
            assert!(!examples.is_empty(), "`{name}` has no example");
            assert!(examples.iter().all(|line| line.split(' ').any(|word| word == name)), "{name}: {examples:?}");
            let long = one.get_after_long_help().map(ToString::to_string).unwrap_or(short);
            assert_eq!(command_lines(&long), examples);
            examples.iter().for_each(|line| parse(line));
        }
        for text in [EXAMPLE, FIRST_STEPS] {
            assert!(!command_lines(text).is_empty());
            command_lines(text).iter().filter(|line| !line.contains(" COMMAND ")).for_each(|line| parse(line));
        }
    }

    #[test]
    fn the_list_of_commands_fits_a_terminal_of_80_columns() {
        for one in all(&command()) {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            let length = about.chars().count() + 2 + 11 + 2;
            assert!(!about.is_empty() && length <= 80, "{length} columns: {} {about}", one.get_name());
            assert!(!about.ends_with('.'), "{about}");
        }
    }

    #[test]
    fn every_option_says_what_it_is_and_the_general_ones_stand_under_their_own_heading() {
        let mut command = command();
        command.build();
        for one in all(&command) {
            for argument in one.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let (command, name) = (one.get_name(), argument.get_id().as_str());
                assert!(argument.get_help().is_some(), "{command}: `{name}` has no help");
                let general = ["json", "quiet", "verbose", "toolkit", "help"].contains(&name);
                assert_eq!(argument.get_help_heading() == Some(GENERAL), general, "{command}: {name}");
            }
        }
    }
}
