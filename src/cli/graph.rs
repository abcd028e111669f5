//! `autoneural graph`: a bundle as a picture.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::bundle::Bundle;
use autoneural::drawing::{self, Subject, Tensors};
use autoneural::front::GRAPHS;
use autoneural::shown::in_line;
use clap::builder::StringValueParser;
use clap::{Args, ValueEnum, ValueHint};
use serde_json::json;

use super::session::Session;
use super::suggested::Suggested;

const AFTER_HELP: &str = "\
The picture has what the host does on the left, the partitions in the middle with their nodes, bits, sizes and SQNR, and the \
state of a sequence on the right; each arrow has the tensor's name, shape, integer type and bytes. It is one SVG file for \
any browser, for light and dark surroundings.

Examples:
  autoneural graph out/demo --out demo.svg
  autoneural graph out/demo --partition vision --out vision.svg
  autoneural graph out/demo --tensors all > demo.svg";

/// Arguments of `graph`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Graph {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Write the picture to this file and replace what is there [default: standard output].
    #[arg(long, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Which tensors are named.
    #[arg(long, value_enum, default_value_t = Named::Border)]
    tensors: Named,
    /// Draw the inside of this partition: a box for each block, with its operators in order.
    #[arg(long, value_name = "PARTITION", value_parser = Suggested::new(StringValueParser::new(), || GRAPHS.to_vec()))]
    partition: Option<String>,
}

/// Tensors that a picture names.
#[derive(Clone, Copy, ValueEnum)]
enum Named {
    /// All of them: the state of each layer, or the output of each operator.
    All,
    /// Those that cross the border of a partition (the state of all layers in one line) or of a block.
    Border,
}

impl Graph {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let tensors = match self.tensors {
            Named::All => Tensors::All,
            Named::Border => Tensors::Border,
        };
        let bundle = Bundle::look(&self.bundle)?;
        let subject = Subject::read(&bundle)?;
        bundle.refuse_replaced()?;
        let svg = match &self.partition {
            Some(name) => {
                drawing::inside(&subject, name, tensors).map_err(|error| error.within(self.bundle.display()))?
            }
            None => drawing::overview(&subject, tensors)?,
        };
        let Some(out) = &self.out else {
            return match session.general.json {
                true => session.print(&json!({ "svg": svg }), ""),
                false => session.print_file(&svg),
            };
        };
        if session.write(out, &svg)? {
            return Ok(());
        }
        let text =
            format!("graph: {} ({})", in_line(&out.display().to_string()), autoneural::text::bytes(svg.len() as u64));
        session.print(&json!({ "file": out.display().to_string(), "bytes": svg.len() }), &text)
    }
}
