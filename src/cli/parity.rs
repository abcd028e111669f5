//! `autoneural parity`: the float models against another implementation.

use std::path::PathBuf;

use autoneural::bundle::Bundle;
use autoneural::drivers::of_bundle;
use autoneural::front::Checkpoint;
use autoneural::text::columns;
use autoneural::{Error, Result};
use clap::{Args, ValueHint};

use super::decibels::decibels;
use super::session::Session;

const AFTER_HELP: &str = "\
`python3 tools/reference.py GRAPH.toml --weights DIR --out reference.safetensors` computes the reference with timm and \
transformers. Exit status 6: an output is below --min-sqnr.

Example:
  autoneural parity out/demo --reference reference.safetensors";

/// Arguments of `parity`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct ParityArgs {
    /// The bundle; one that only `export` made is enough.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// What timm and transformers compute from the same checkpoint, as tools/reference.py writes it.
    #[arg(long, value_name = "FILE.safetensors", value_hint = ValueHint::FilePath)]
    reference: PathBuf,
    /// Fail if an output is below this many dB.
    #[arg(long, value_name = "DB", default_value_t = 90.0, value_parser = decibels)]
    min_sqnr: f64,
}

impl ParityArgs {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let bundle = Bundle::look(&self.bundle)?;
        bundle.check(&|file| file.starts_with("model/") || file.starts_with("equalized/"), session.progress())?;
        let recorded = Checkpoint::open(&self.reference)?;
        let found = of_bundle(&bundle)?.parity(&bundle, &recorded, session.progress())?;
        let rows: Vec<[String; 2]> =
            found.iter().map(|one| [one.name.clone(), format!("{:.1} dB", one.sqnr_db)]).collect();
        session.print(&found, &columns(&rows))?;
        let low: Vec<String> = found
            .iter()
            .filter(|one| one.sqnr_db < self.min_sqnr)
            .map(|one| format!("{} reaches {:.1} dB", one.name, one.sqnr_db))
            .collect();
        if low.is_empty() {
            return Ok(());
        }
        let message = format!("{}; {} dB are demanded", low.join(", "), self.min_sqnr);
        Err(Error::verification(self.bundle.display(), message)
            .help("the reference was computed from other weights or another definition, or a builder is wrong"))
    }
}
