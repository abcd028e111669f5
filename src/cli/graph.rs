//! `autoneural graph`: a bundle as a picture.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::back::bundle::Bundle;
use autoneural::drawing::{self, Subject, Tensors};
use autoneural::shown::in_line;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::Session;

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
    bundle: PathBuf,
    /// Write the picture to this file, in place of what is there [default: standard output].
    #[arg(long, value_name = "FILE.svg")]
    out: Option<PathBuf>,
    /// Tensors that are named.
    #[arg(long, value_enum, default_value_t = Named::Border)]
    tensors: Named,
    /// Draw the inside of this partition, a box per block with its operators in order.
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
}

/// Tensors that a picture names.
#[derive(Clone, Copy, ValueEnum)]
enum Named {
    /// Every one: the state of each layer, or what each operator makes.
    All,
    /// What crosses the border of partitions (state of all layers in one line) or of blocks.
    Border,
}

impl Graph {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let tensors = match self.tensors {
            Named::All => Tensors::All,
            Named::Border => Tensors::Border,
        };
        let subject = Subject::read(&Bundle::look(&self.bundle)?)?;
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
        autoneural::text::write(out, &svg)?;
        let text =
            format!("graph: {} ({})", in_line(&out.display().to_string()), autoneural::text::bytes(svg.len() as u64));
        session.print(&json!({ "file": out.display().to_string(), "bytes": svg.len() }), &text)
    }
}
