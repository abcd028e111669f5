//! `emit`: graphs, encodings and rounded weights become quantized models, or a share of the weights is rounded.

use std::path::PathBuf;

use autoneural::bundle::{Bundle, Stage};
use autoneural::quantize::rounding;
use autoneural::shards::{RoundedParts, Share};
use autoneural::shown::in_line;
use autoneural::{Result, stages};
use clap::{Args, ValueHint};

use super::session::Session;
use super::stage::{finish_stage, open};

/// Shown below the options of `emit`.
fn emit_help() -> String {
    let methods: Vec<String> = rounding::METHODS.iter().map(|m| format!("  {}: {}", m.name(), m.source())).collect();
    format!(
        "Weights are rounded by the method that the recipe names for their part, `rounding = \"{}\"` if it names \
         none:\n{}\n\n\
         With --shard only a share of the layers is rounded, into a folder of its own. The bundle is only read, so that \
         shares may run at the same time; --join with the folders of all shares then emits the bundle.\n\n\
         Examples:\n  autoneural emit out/demo\n  \
         autoneural emit out/demo --shard 1/2 --part out/rounded-1\n  \
         autoneural emit out/demo --join out/rounded-1 out/rounded-2",
        rounding::Method::default().name(),
        methods.join("\n")
    )
}

/// Arguments of `emit`.
#[derive(Args)]
#[command(after_help = emit_help())]
pub struct Emit {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Round only a share of the layers, such as 1/4, the first of four.
    #[arg(long, value_name = "I/N", requires = "part")]
    shard: Option<Share>,
    /// Where a share goes: a folder that --join takes. A share that is there is replaced.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "shard")]
    part: Option<PathBuf>,
    /// Folders of all shares, whose codes are taken over.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, num_args = 1.., conflicts_with = "shard")]
    join: Vec<PathBuf>,
}

impl Emit {
    /// Runs the command.
    ///
    /// # Errors
    /// The bundle is unreadable or lacks encodings, parts are not those of all shares of its layers, or it cannot be
    /// written.
    pub fn run(&self, session: &Session) -> Result<()> {
        if let (Some(shard), Some(part)) = (self.shard, &self.part) {
            let made = stages::round_share(&Bundle::look(&self.bundle)?, shard, part, session.progress())?;
            let layers = if made.layers == 1 { "layer" } else { "layers" };
            let place = made.part.display().to_string();
            return session.print(&made, &format!("shard {shard}: {} ({} {layers})", in_line(&place), made.layers));
        }
        let mut bundle = open(session, &self.bundle, Stage::Emit)?;
        let parts = match &self.join[..] {
            [] => None,
            paths => Some(RoundedParts::read(paths)?),
        };
        stages::emit(&mut bundle, parts.as_ref(), session.progress())?;
        finish_stage(session, bundle, Stage::Emit)
    }
}
