//! `autoneural synth`: a checkpoint of made-up weights.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::synth::{Plan, synthesize};
use clap::{Args, ValueHint};

use super::session::Session;

const AFTER_HELP: &str = "\
The weights behave like trained ones where quantization minds: channels of unequal scale, heavy tails, outlier channels. Use \
them for sizes, time, memory and ranges; their SQNR says little about a trained model. synth.json beside them says what was \
chosen.

Examples:
  autoneural synth graphs/autoneural-tiny.toml --out out/synthetic --seed 1
  autoneural synth graphs/autoneural-vl-1.5b.toml --out out/synthetic-1.5b --shard-size 5GB";

/// Arguments of `synth`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Synth {
    /// Model definition, the architecture and its sizes: a file, or one that is built in by its name.
    #[arg(value_name = "GRAPH.toml", value_hint = ValueHint::AnyPath, value_parser = super::source::definition())]
    definition: PathBuf,
    /// The checkpoint to make; it must not exist.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Seed of the random numbers: the same seed gives the same bytes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Largest safetensors file, such as 2GB or 500MB; a larger tensor gets a file of its own.
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
