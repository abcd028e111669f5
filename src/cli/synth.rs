//! `autoneural synth`: a checkpoint of made-up weights.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::synth::{Plan, synthesize};
use clap::Args;

use super::Session;

/// Arguments of `synth`.
#[derive(Args)]
pub struct Synth {
    /// Model definition.
    #[arg(value_name = "GRAPH.toml")]
    definition: PathBuf,
    /// The checkpoint to make; must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where chance begins: the same seed gives the same bytes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most bytes of a safetensors file, say 2GB or 500MB; a larger tensor gets a file of its own.
    #[arg(long, value_name = "SIZE", default_value = "2GB", value_parser = bytes)]
    shard_size: u64,
    /// Replace the synthetic checkpoint at --out if there is one.
    #[arg(long)]
    force: bool,
}

impl Synth {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let plan = Plan {
            definition: &self.definition,
            out: &self.out,
            replace: self.force,
            seed: self.seed,
            shard_bytes: self.shard_size,
        };
        let made = synthesize(&plan, session.progress())?;
        let text = format!(
            "synth: {} (synthetic weights, seed {}: {} tensors, {:.1} million parameters, {:.1} MB in {} {})",
            autoneural::shown::in_line(&made.checkpoint.display().to_string()),
            made.seed,
            made.tensors,
            made.parameters as f64 / 1e6,
            made.bytes as f64 / 1e6,
            made.shards,
            if made.shards == 1 { "file" } else { "files" },
        );
        session.print(&made, &text)
    }
}

/// A number of bytes, with or without one of the units kB, MB and GB.
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1), ("", 1)];
    let upper = text.to_uppercase();
    let found = units.iter().find_map(|(unit, factor)| Some((upper.strip_suffix(unit)?, factor)));
    let number = found.and_then(|(number, factor)| number.trim().parse::<u64>().ok()?.checked_mul(*factor));
    number.filter(|&number| number > 0).ok_or_else(|| "a size such as 2GB, 500MB or 1000000 is wanted".into())
}
