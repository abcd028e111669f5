//! `autoneural man`: manual pages, one for each command. They hold no date, so that the same program writes the same
//! bytes.

use std::path::PathBuf;

use autoneural::error::IoContext;
use autoneural::shown::in_line;
use autoneural::{Result, files};
use clap::{Args, Command, ValueHint};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::completions;
use super::help::{EXIT_STATUS, WHAT_IS_LEFT, groups, notes_and_examples};
use super::session::Session;

const AFTER_HELP: &str = "\
Example:
  autoneural man --out ~/.local/share/man/man1";

/// Arguments of `man`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Man {
    /// Folder for the pages; made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
}

impl Man {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        std::fs::create_dir_all(&self.out).at(&self.out)?;
        let mut command = completions::visible(&(session.command)());
        command.build();
        let mut written = Vec::new();
        for (name, page) in pages(&command).at(&self.out)? {
            files::output(&self.out.join(&name), &page)?;
            written.push(name);
        }
        let text = format!("man: {} pages in {}", written.len(), in_line(&self.out.display().to_string()));
        session.print(&json!({ "folder": self.out.display().to_string(), "files": written }), &text)
    }
}

/// File names and contents: of a command, and of those below it.
fn pages(command: &Command) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let page = Page::new(command.clone());
    let mut made = vec![(page.get_filename(), render(command, &page)?)];
    for below in command.get_subcommands() {
        made.extend(pages(below)?);
    }
    Ok(made)
}

fn render(command: &Command, page: &Page) -> std::io::Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let is_root = command.get_name() == env!("CARGO_PKG_NAME");
    let all = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let (notes, examples) = notes_and_examples(&all);
    let mut sections = Vec::new();
    page.render_name_section(&mut sections)?;
    page.render_synopsis_section(&mut sections)?;
    page.render_description_section(&mut sections)?;
    let mut roff = Roff::new();
    paragraphs(&mut roff, if is_root { "" } else { notes });
    roff.to_writer(&mut sections)?;
    page.render_options_section(&mut sections)?;
    let mut roff = Roff::new();
    if command.has_subcommands() {
        commands(&mut roff, command, is_root);
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        for line in examples.lines().skip(1).take_while(|line| !line.is_empty()) {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    if is_root {
        exit_statuses(&mut roff);
    } else {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(env!("CARGO_PKG_NAME")), roman("(1)")]);
    }
    roff.to_writer(&mut sections)?;
    // Each part begins with the same definitions; the title comes behind the first. Its third argument is the date.
    let sections = String::from_utf8_lossy(&sections).replace(&Roff::new().render(), "");
    let title = format!(".TH {name} 1 \"\" \"autoneural {}\" \"autoneural\"\n", env!("CARGO_PKG_VERSION"));
    Ok([Roff::new().render(), title, sections].concat().into_bytes())
}

fn exit_statuses(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for (status, what) in EXIT_STATUS {
        roff.control("TP", []);
        roff.text([bold(status)]);
        roff.text([roman(what)]);
    }
    roff.control("PP", []);
    roff.text([roman(WHAT_IS_LEFT)]);
}

fn paragraphs(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        roff.control("PP", []);
        for line in paragraph.lines() {
            roff.text([roman(line)]);
        }
    }
}

fn commands(roff: &mut Roff, command: &Command, is_root: bool) {
    roff.control("SH", ["COMMANDS"]);
    let below: Vec<(&str, Vec<&Command>)> =
        if is_root { groups(command) } else { vec![("", command.get_subcommands().collect())] };
    for (title, commands) in below {
        if !title.is_empty() {
            roff.control("SS", [title]);
        }
        for one in commands {
            roff.control("TP", []);
            roff.text([bold(one.get_display_name().unwrap_or(one.get_name())), roman("(1)")]);
            roff.text([roman(one.get_about().map(ToString::to_string).unwrap_or_default())]);
        }
    }
}
