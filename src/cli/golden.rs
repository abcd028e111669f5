//! `autoneural golden`: a host's own tensors against the golden vectors of a bundle.

use std::path::PathBuf;

use autoneural::bundle::Bundle;
use autoneural::engine::EngineKind;
use autoneural::golden::{Compared, Different, Record, compare};
use autoneural::shown::in_line;
use autoneural::{Error, Result};
use clap::{Args, ValueEnum, ValueHint};

use super::session::Session;

const AFTER_HELP: &str = "\
Golden vectors are made by `compile` and `verify`: one prompt of the recipe's verification with its picture, on each \
engine, step by step, as integers. Write the tensors of your host into one safetensors file, named by step and port \
(`language.prefill.0/mask`, `language.decode.2/logits`), all or some, and the tokens of the answer as `answer`. The \
first one that differs is where to look. Exit status 6 if any differs.

Examples:
  autoneural golden out/demo
  autoneural golden out/demo --vectors from-the-car.safetensors --on npu";

/// Most tensors that differ that are listed: later ones follow from the first.
const MOST_LINES: usize = 8;

/// Arguments of `golden`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Golden {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// A safetensors file of your host's tensors; without it the command prints which tensors there are.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    vectors: Option<PathBuf>,
    /// Whose vectors they are compared with [default: npu if the bundle has them, else simulated].
    #[arg(long, value_name = "ENGINE", value_enum)]
    on: Option<On>,
}

/// Engines that have golden vectors.
#[derive(Clone, Copy, ValueEnum)]
enum On {
    Simulated,
    Npu,
}

impl Golden {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let bundle = Bundle::look(&self.bundle)?;
        bundle.check(&|file| file.starts_with(autoneural::bundle::GOLDEN), session.progress())?;
        let Some(vectors) = &self.vectors else {
            let record = Record::read(&bundle)?;
            return session.print(&record, &format!("{}{}", listed(&record), not_covered(&record)));
        };
        let engine = self.on.map(|on| match on {
            On::Simulated => EngineKind::Simulated,
            On::Npu => EngineKind::Npu,
        });
        let found = compare(&bundle, vectors, engine)?;
        session.print(&found, &format!("{}{}", told(&found), not_covered(&Record::read(&bundle)?)))?;
        match found.different.first() {
            None => Ok(()),
            Some(first) => {
                let message = format!("`{}` is the first tensor that differs: {}", first.name, first.how);
                let help = match first.is_input {
                    true => "the host made it: see the port and `host` in manifest.json",
                    false => "the model made it: what went in was equal or not given; give the inputs, too",
                };
                Err(Error::verification(vectors.display(), message).help(help))
            }
        }
    }
}

/// What golden vectors do not prove, with how to get others.
fn not_covered(record: &Record) -> String {
    let lines = record.not_covered();
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("\n  {line}")).collect();
    format!(
        "\nnot proven by these vectors; a sample of verification with two pictures and a long prompt proves more:{}",
        lines.concat()
    )
}

fn told(found: &Compared) -> String {
    let Compared { engine, equal, different, missing, unknown } = found;
    let mut lines = vec![format!(
        "{}: {equal} tensors equal, {} different; {missing} golden ones not given",
        engine.name(),
        different.len()
    )];
    let line = |one: &Different| format!("  {}: {}", in_line(&one.name), in_line(&one.how));
    lines.extend(different.iter().take(MOST_LINES).map(line));
    if different.len() > MOST_LINES {
        lines.push(format!("  and {} more; --json lists all", different.len() - MOST_LINES));
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().take(8).map(|name| in_line(name).into_owned()).collect();
        let more = if unknown.len() > names.len() { ", …" } else { "" };
        lines.push(format!("not known here: {}{more}", names.join(", ")));
    }
    lines.join("\n")
}

fn listed(record: &Record) -> String {
    let mut lines = vec![
        format!("prompt: {}", in_line(&record.prompt)),
        format!("{} tokens, {} pictures", record.tokens.len(), record.pictures.len()),
    ];
    for made in &record.engines {
        lines.push(format!("{}: answer of {} tokens {:?}", made.engine.name(), made.answer.len(), made.answer));
        for step in &made.steps {
            let kept = step.inputs.iter().chain(&step.outputs).filter(|tensor| tensor.stored.is_some()).count();
            let all = step.inputs.len() + step.outputs.len();
            let best = step.best.map_or(String::new(), |token| format!(", best token {token}"));
            lines.push(format!(
                "  {:24} position {}, {} tokens{best}; {all} tensors, {kept} with their integers",
                in_line(&step.name),
                step.position,
                step.tokens.len(),
            ));
        }
    }
    lines.join("\n")
}
