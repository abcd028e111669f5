//! `autoneural man`: manual pages, one for each command. They hold no date, so that the same program writes the same bytes.

use std::io::Write;
use std::path::PathBuf;

use autoneural::error::IoContext;
use autoneural::shown::in_line;
use autoneural::{Result, files};
use clap::{Args, Command, ValueHint};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::help::{EXIT_STATUS, WHAT_IS_LEFT, groups, notes_and_examples};
use super::{Session, completions, help};

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
        let mut command = completions::visible(&help::command());
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
    let page = Page::new(command.clone()).source(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")));
    let mut made = vec![(page.get_filename(), render(command, &page)?)];
    for below in command.get_subcommands() {
        made.extend(pages(below)?);
    }
    Ok(made)
}

fn render(command: &Command, page: &Page) -> std::io::Result<Vec<u8>> {
    let mut made = Vec::new();
    let all = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let is_root = command.get_name() == env!("CARGO_PKG_NAME");
    let (notes, examples) = notes_and_examples(&all);
    page.render_title(&mut made)?;
    page.render_name_section(&mut made)?;
    page.render_synopsis_section(&mut made)?;
    page.render_description_section(&mut made)?;
    let mut rest = Roff::new();
    if !is_root {
        paragraphs(&mut rest, notes);
    }
    rest.to_writer(&mut made)?;
    page.render_options_section(&mut made)?;
    let mut rest = Roff::new();
    if command.has_subcommands() {
        commands(&mut rest, command, is_root);
    }
    rest.control("SH", ["EXAMPLES"]);
    rest.control("nf", []);
    for line in examples.lines().skip(1).take_while(|line| !line.is_empty()) {
        rest.text([roman(line.trim_start_matches("  "))]);
    }
    rest.control("fi", []);
    if is_root {
        rest.control("SH", ["EXIT STATUS"]);
        for (status, what) in EXIT_STATUS {
            rest.control("TP", []);
            rest.text([bold(status)]);
            rest.text([roman(what)]);
        }
        rest.control("PP", []);
        rest.text([roman(WHAT_IS_LEFT)]);
    } else {
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold("autoneural"), roman("(1)")]);
    }
    rest.to_writer(&mut made)?;
    made.flush()?;
    Ok(made)
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
