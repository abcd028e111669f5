//! `autoneural completions`: scripts with which shells complete command lines.

use autoneural::Result;
use clap::{Args, Command, ValueEnum};
use clap_complete::aot::{Bash, Fish, Generator, Zsh};
use serde_json::json;

use super::session::Session;

const AFTER_HELP: &str = "\
The script goes to standard output. Put it where the shell looks for it, and open a new shell.

Examples:
  autoneural completions bash > ~/.local/share/bash-completion/completions/autoneural
  autoneural completions zsh > ~/.zfunc/_autoneural
  autoneural completions fish > ~/.config/fish/completions/autoneural.fish";

/// Arguments of `completions`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Shells for which there is a script.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let script = match self.shell {
            Shell::Bash => script(&Bash, session),
            Shell::Zsh => script(&Zsh, session),
            Shell::Fish => script(&Fish, session),
        };
        match session.general.json {
            true => session.print(&json!({ "script": script }), ""),
            false => session.output.exactly(&script),
        }
    }
}

fn script(shell: &dyn Generator, session: &Session) -> String {
    let mut command = visible(&(session.command)());
    command.set_bin_name(env!("CARGO_PKG_NAME"));
    command.build();
    let mut made = Vec::new();
    shell.generate(&command, &mut made);
    String::from_utf8_lossy(&made).into_owned()
}

/// The command line without the commands that are hidden: nobody types them.
pub fn visible(command: &Command) -> Command {
    let made = Command::new(env!("CARGO_PKG_NAME")).version(env!("CARGO_PKG_VERSION"));
    let mut made = made
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("COMMAND")
        .args(command.get_arguments());
    if let (Some(about), Some(help)) = (command.get_about(), command.get_after_help()) {
        made = made.about(about.clone()).after_help(help.clone());
    }
    made = made.subcommand_required(true);
    made.subcommands(command.get_subcommands().filter(|one| !one.is_hide_set()))
}
