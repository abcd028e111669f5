//! `autoneural run`: questions to a compiled bundle.

use std::path::{Path, PathBuf};

use autoneural::Result;
use autoneural::back::qnn::Runtime;
use autoneural::bundle::Bundle;
use autoneural::engine::EngineKind;
use autoneural::error::Kind;
use autoneural::host::{Limits, Sampling};
use autoneural::runner::{Model, best_engine};
use clap::{Args, ValueEnum, ValueHint};

use super::lane::{Lane, Picture, result};
use super::logits::LogitsFile;
use super::session::Session;
use super::talk::talk;

const AFTER_HELP: &str = "\
With --prompt one question is asked. Without it a conversation begins: each line is a question, and the path of a picture adds \
it to the next question (/help says more). The answer goes to standard output token by token, its figures to standard error. \
Control characters in an answer are written out (\\u{1b}), except line ends and tabs; --json has the answer to the letter.

--dump-logits: for each engine the file has ENGINE.tokens [n] (int32, all tokens that were taken in, image tokens among \
them), ENGINE.position [steps] and ENGINE.count [steps] (int32: tokens before each step, and those that it took in), \
ENGINE.chosen [steps] (int32: the token chosen behind it, -1 within the prompt), ENGINE.logits [steps, vocabulary] \
(float32) and, but for float, ENGINE.codes [steps, vocabulary] (the same as the integers that left the engine).

Examples:
  autoneural run out/demo --image calibration/demo-eval/images/cluster-01.png \\
      --prompt \"Which warning lamp is lit?\"
  autoneural run out/demo --image calibration/demo-eval/images/cluster-01.png \\
      --prompt \"Which warning lamp is lit?\" --on float,simulated,npu
  autoneural run out/demo --prompt \"Tell me a story.\" --max-tokens 64 \\
      --temperature 0.7 --top-p 0.9 --seed 1
  autoneural run out/demo --on float
  autoneural run out/demo --image a.png --prompt \"Which warning lamp is lit?\" \\
      --on simulated,npu --dump-logits logits.safetensors";

/// Arguments of `run`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Run {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// The question; without it a conversation begins.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// A PNG or JPEG picture for the (first) question; several are shown in their order, before the text.
    #[arg(long = "image", value_name = "FILE", value_hint = ValueHint::FilePath)]
    images: Vec<PathBuf>,
    /// System message, said before the conversation; needs a chat template.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    system: Option<String>,
    /// Engines that answer, one after the other [default: npu if the bundle has context binaries, else simulated].
    #[arg(long, value_name = "ENGINE", value_enum, value_delimiter = ',')]
    on: Vec<On>,
    /// Write the logits of every step, with the tokens that it took in, into a safetensors file. Wants --prompt.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "prompt")]
    dump_logits: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
}

/// How answers are chosen.
#[derive(Args)]
struct Choice {
    /// Largest number of tokens in an answer.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one)]
    max_tokens: usize,
    /// Draw tokens at random, at this temperature; 0 always takes the most likely token [default: 0].
    #[arg(long, value_name = "T", value_parser = temperature, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Draw only from the most likely tokens whose probabilities add up to P.
    #[arg(long, value_name = "P", requires = "temperature", value_parser = share, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Draw only from the K most likely tokens.
    #[arg(long, value_name = "K", requires = "temperature", value_parser = at_least_one)]
    top_k: Option<usize>,
    /// Seed of the random numbers: the same seed gives the same answer [default: another one each time].
    #[arg(long, value_name = "SEED", requires = "temperature")]
    seed: Option<u64>,
}

/// Engines by name.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum On {
    /// The float model, in tract.
    Float,
    /// The quantized model, on ONNX Runtime's CPU provider.
    Simulated,
    /// The context binaries, on the NPU or its emulator.
    Npu,
}

impl On {
    fn kind(self) -> EngineKind {
        match self {
            On::Float => EngineKind::Float,
            On::Simulated => EngineKind::Simulated,
            On::Npu => EngineKind::Npu,
        }
    }
}

/// A number of at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err("a whole number of at least 1 is wanted".into()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        // Below this, the quotient of a logit and it is beyond what numbers can tell.
        Ok(value) if value == 0.0 || (value.is_finite() && value >= 1e-6) => Ok(value.abs()),
        _ => Err("0 or a number of at least 0.000001 is wanted".into()),
    }
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("a number above 0 and up to 1 is wanted".into()),
    }
}

impl Choice {
    /// The limits, with a seed where chance needs one and none is given.
    fn limits(&self) -> Limits {
        let sampling = self.temperature.filter(|&temperature| temperature > 0.0).map(|temperature| Sampling {
            temperature,
            top_p: self.top_p.unwrap_or(1.0),
            top_k: self.top_k,
            seed: self.seed.unwrap_or_else(any_seed),
        });
        Limits { max_tokens: self.max_tokens, sampling }
    }
}

/// A seed that is another one in every run.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Below 2^53, so that every reader of JSON reads it back as it was.
    std::hash::RandomState::new().build_hasher().finish() >> 11
}

impl Run {
    /// Runs the command. Gives the kind of the first error of a conversation that went on nevertheless.
    pub fn run(&self, session: &Session) -> Result<Option<Kind>> {
        let kinds = kinds(&self.on, &self.bundle)?;
        let model = Model::open(&self.bundle, &kinds, session.progress())?;
        if kinds.contains(&EngineKind::Npu) {
            session.compare_toolkit(&model.bundle().manifest);
        }
        let runtime = runtime(session, &kinds)?;
        if !model.has_template() {
            session.note("note: the model has no chat template; it goes on from the text of the prompt as it is");
        }
        let mut images = Vec::new();
        for path in &self.images {
            images.push(Picture::load(path.clone(), &model)?);
        }
        let limits = self.choice.limits();
        let begin = |kind: EngineKind, more_images: bool| -> Result<Lane> {
            let generator = model.generator(kind, runtime.as_ref())?;
            let talk = model.conversation(generator, self.system.as_deref(), more_images, &limits)?;
            Ok(Lane { kind, heading: kinds.len() > 1, talk })
        };
        match &self.prompt {
            Some(prompt) => {
                let mut dump = self.dump_logits.as_ref().map(|path| LogitsFile::new(path, &kinds, &model, &limits));
                if let Some(dump) = &dump {
                    dump.refuse_too_large()?;
                }
                let mut answers = Vec::new();
                for &kind in &kinds {
                    // An engine's memory is free again before the next one comes.
                    let mut lane = begin(kind, false)?;
                    if dump.is_some() {
                        lane.talk.keep_logits();
                    }
                    let answer = lane.ask(session, &images, prompt)?;
                    if let Some(dump) = &mut dump {
                        let (tokens, steps) = lane.talk.take_logits();
                        dump.add(kind, &tokens, steps);
                    }
                    answers.push((kind, answer));
                }
                if let Some(dump) = dump {
                    dump.write()?;
                }
                if session.general.json {
                    session.print(&result(&images, prompt, &limits, &answers), "")?;
                }
                Ok(None)
            }
            None => {
                let lanes = kinds.iter().map(|&kind| begin(kind, true)).collect::<Result<Vec<_>>>()?;
                talk(session, &model, lanes, images, &limits)
            }
        }
    }
}

/// The engines that are asked for, each once, or the best that the bundle has.
pub fn kinds(on: &[On], bundle: &Path) -> Result<Vec<EngineKind>> {
    let mut kinds: Vec<EngineKind> = Vec::new();
    for kind in on.iter().map(|on| on.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        kinds.push(best_engine(&Bundle::look(bundle)?));
    }
    Ok(kinds)
}

/// Loads as much of the toolkit as the engines need.
pub fn runtime(session: &Session, kinds: &[EngineKind]) -> Result<Option<Runtime>> {
    match kinds.iter().all(|kind| *kind == EngineKind::Float) {
        true => Ok(None),
        false => session.runtime(kinds.contains(&EngineKind::Npu)),
    }
}
