//! `autoneural target`: what is known about chips, and whether it is right.

use autoneural::target::Target as TargetFile;
use autoneural::target_check::{check, table};
use autoneural::{Error, Result};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};
use serde_json::json;

use super::decibels::decibels;
use super::session::Session;
use super::suggested::Suggested;

const LIST_HELP: &str = "\
Example:
  autoneural target list";

/// Takes a target's name or the path of a target file.
pub fn name() -> impl TypedValueParser<Value = String> {
    Suggested::new(StringValueParser::new(), TargetFile::names)
}

/// The commands below `target`.
#[derive(Subcommand)]
pub enum Target {
    /// Check what a target file says, on the NPU or its emulator.
    Check(Check),
    /// List the chips that are built into the program.
    #[command(after_help = LIST_HELP)]
    List,
}

const AFTER_HELP: &str = "\
For every statement of the file a graph of one operator is compiled for the chip, without fallback to the CPU, and run on the \
NPU or its emulator against the same quantized model on a CPU. A statement is confirmed, wrong, or untested if no experiment \
can decide it. It needs the vendor toolkit. Exit status 6: a statement is wrong.

Examples:
  autoneural target check sa8295p
  autoneural target check targets/sa8255p.toml --operator MatMul";

/// Arguments of `target check`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Check {
    /// Chip: a known name, or the path of a target file (.toml).
    #[arg(value_name = "TARGET", value_hint = ValueHint::AnyPath, value_parser = name())]
    target: String,
    /// Check only what the file says of this operator.
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// SQNR in dB that the NPU must reach against the CPU where the file says that it takes something.
    #[arg(long = "min-sqnr", alias = "floor", value_name = "DB", default_value_t = 30.0, value_parser = decibels)]
    floor: f64,
}

impl Target {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        match self {
            Target::Check(args) => args.run(session),
            Target::List => list(session),
        }
    }
}

impl Check {
    fn run(&self, session: &Session) -> Result<()> {
        let (target, _) = TargetFile::find(&self.target)?;
        if let Some(name) = &self.operator {
            target.refuse_unstated(name)?;
        }
        let Some(runtime) = session.runtime(true)? else {
            return Err(Error::internal("toolkit", "is there and yet not loaded"));
        };
        let report = check(&target, &runtime, self.operator.as_deref(), self.floor, session.progress())?;
        session.print(&report, &table(&report))?;
        report.demand_right()
    }
}

fn list(session: &Session) -> Result<()> {
    let known = TargetFile::known()?;
    let row = |name: &str, target: &TargetFile| {
        let soc = &target.soc;
        [name, &target.description, &soc.soc_model.to_string(), &format!("v{}", soc.htp_arch), &soc.vtcm_mb.to_string()]
            .map(String::from)
    };
    let width = known.iter().map(|(_, target)| target.description.chars().count()).max().unwrap_or(0);
    let mut rows = vec![["target", "chip", "soc_model", "htp_arch", "vtcm_mb"].map(String::from)];
    rows.extend(known.iter().map(|(name, target)| row(name, target)));
    rows.iter_mut().for_each(|row| row[1] = format!("{:<width$}", row[1]));
    let values: Vec<_> = known
        .iter()
        .map(|(name, target)| {
            let soc = &target.soc;
            json!({
                "name": name, "description": target.description, "soc_model": soc.soc_model, "htp_arch": soc.htp_arch,
                "vtcm_mb": soc.vtcm_mb,
            })
        })
        .collect();
    session.print(&values, &autoneural::text::columns(&rows))
}
