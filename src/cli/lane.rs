//! One engine's side of a conversation: it is asked, and its answer is printed as it comes.

use std::path::PathBuf;
use std::time::Instant;

use autoneural::engine::{EngineKind, Tensor};
use autoneural::host::{Answer, Conversation, Limits, Stop, load_image};
use autoneural::runner::Model;
use autoneural::{Error, Result};
use serde_json::{Value, json};

use super::display::STANDARD_OUTPUT;
use super::session::Session;

/// An image of a question, ready for the model.
pub struct Picture {
    /// Where it was read.
    pub path: PathBuf,
    pixels: Tensor,
}

impl Picture {
    /// Reads an image, preprocessed for the model.
    ///
    /// # Errors
    /// The image is missing, unreadable or refused.
    pub fn load(path: PathBuf, model: &Model) -> Result<Self> {
        let pixels = load_image(&path, model.definition().seeing()?)?;
        Ok(Picture { path, pixels })
    }
}

/// One engine's side of the conversation.
pub struct Lane<'a> {
    /// The engine.
    pub kind: EngineKind,
    /// Whether its answers need its name above them.
    pub heading: bool,
    /// What was said.
    pub talk: Conversation<'a>,
}

impl Lane<'_> {
    /// Asks, and prints the answer as it comes. With --json the caller prints it.
    ///
    /// # Errors
    /// The prompt is refused or too long, the engine fails, or standard output cannot be written.
    pub fn ask(&mut self, session: &Session, images: &[Picture], prompt: &str) -> Result<Answer> {
        let pixels: Vec<Tensor> = images.iter().map(|image| image.pixels.clone()).collect();
        if session.general.json {
            return self.talk.ask(&pixels, prompt, &mut |_| Ok(()));
        }
        let begun = Instant::now();
        if self.heading {
            session.output.line(&format!("{}:", self.kind.name()))?;
        }
        let answer = self.talk.ask(&pixels, prompt, &mut |text| session.output.text(text))?;
        session.output.line(if self.heading { "\n" } else { "" })?;
        session.note(&figures(self.kind, &answer, begun.elapsed().as_secs_f64()));
        Ok(answer)
    }
}

fn figures(kind: EngineKind, answer: &Answer, seconds: f64) -> String {
    let reused = match answer.reused_tokens {
        0 => String::new(),
        count => format!(", {count} of them taken in before"),
    };
    let pace = answer.tokens_per_second.map_or(String::new(), |pace| format!(", then {pace:.1} tokens/s"));
    let end = match answer.stop {
        Stop::Eos => "ended by the model",
        Stop::MaxTokens => "cut off at --max-tokens",
        Stop::Context => "cut off where the context is full",
    };
    format!(
        "{}: prompt of {} tokens ({} visual{reused}); first token after {:.2} s{pace}; {} tokens, {end}; {seconds:.1} \
         s with {:.1} s of loading",
        kind.name(),
        answer.prompt_tokens,
        answer.visual_tokens,
        answer.seconds_to_first_token,
        answer.tokens.len(),
        answer.seconds_loading,
    )
}

/// What --json prints for a question.
pub fn result(images: &[Picture], prompt: &str, limits: &Limits, answers: &[(EngineKind, Answer)]) -> Value {
    let images: Vec<String> = images.iter().map(|image| image.path.display().to_string()).collect();
    let answer = |(kind, answer): &(EngineKind, Answer)| {
        let mut value = json!(answer);
        value["engine"] = json!(kind);
        value
    };
    json!({
        "prompt": prompt,
        "images": images,
        "seed": limits.sampling.as_ref().map(|sampling| sampling.seed),
        "answers": answers.iter().map(answer).collect::<Vec<_>>(),
    })
}

/// An error that a conversation goes on after, unless nobody can read it any more.
pub fn is_final(error: &Error) -> bool {
    error.place == STANDARD_OUTPUT
}
