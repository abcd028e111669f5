//! One question on one engine.

use super::likelihood::log_softmax;
use super::record::Record;
use super::set::Question;
use crate::runner::Model;
use crate::verify::Sqnr;
use autoneural_base::error::{Error, Result};
use autoneural_engines::engine::Tensor;
use autoneural_host::{Generation, Generator, Message, Role, best};

/// Tokens that an answer may have beyond those of the right one.
const MORE_TOKENS: usize = 16;

/// A question as tokens.
pub(crate) struct Asked {
    /// The prompt.
    prompt: Vec<u32>,
    /// The right answer with the token that ends it.
    answer: Vec<u32>,
}

/// What an engine gave, in float.
#[derive(Default)]
pub(crate) struct Outputs {
    /// Features of all images of the question.
    pub features: Vec<f32>,
    /// Logits before every token of the right answer.
    pub logits: Vec<f32>,
}

/// Tokens of a question and its answer.
///
/// # Errors
/// A question that the chat template or the tokenizer refuses, or that does not fit into the context with its answer.
pub(crate) fn prepare(model: &Model, question: &Question) -> Result<Asked> {
    let language = &model.definition().language;
    let prompt = model.tokens(&[Message::new(Role::User, question.images.len(), &question.question)])?;
    let mut answer = model.tokenizer().plain(&question.answer)?;
    answer.push(language.tokens.eos);
    let (count, context) = (prompt.len() + answer.len() + MORE_TOKENS, language.context);
    if count > context {
        let message = format!("has {count} tokens with its images and its answer; the context holds {context}");
        return Err(Error::input("question", message).help("shorten the question or show fewer images"));
    }
    Ok(Asked { prompt, answer })
}

/// Asks a question. Returns the model's own answer with the probability that it gives to the right one token by token,
/// and its outputs.
///
/// # Errors
/// An engine cannot be loaded or fails, or the question has too many tokens for the context.
pub(crate) fn score(
    model: &Model,
    generator: &mut Generator,
    asked: &Asked,
    images: &[Tensor],
    question: &Question,
    reference: Option<&Outputs>,
) -> Result<(Record, Outputs)> {
    let mut outputs = Outputs::default();
    let mut embeds = Vec::new();
    for image in images {
        let visual = generator.see(image)?;
        outputs.features.extend_from_slice(visual.features.as_f32()?);
        embeds.extend(visual.embeds);
    }
    let mut generation = generator.begin()?;
    generator.extend(&mut generation, &asked.prompt, &embeds)?;
    let (mut chosen, mut log_probability) = (Vec::new(), 0.0);
    for (at, &token) in asked.answer.iter().enumerate() {
        let logits = generation.logits();
        chosen.push(best(logits));
        log_probability += log_softmax(logits, token);
        outputs.logits.extend_from_slice(logits);
        if at + 1 < asked.answer.len() {
            generator.extend(&mut generation, &[token], &[])?;
        }
    }
    // Greedy decoding takes the same way as long as the most likely token is the right one.
    let said = match chosen == asked.answer {
        true => question.answer.clone(),
        false => say(model, generator, asked, &embeds)?,
    };
    let mut record = Record {
        exact: said.trim() == question.answer.trim(),
        answer: said,
        tokens: asked.answer.len(),
        log_probability,
        chosen,
        features: Sqnr::default(),
        logits: Sqnr::default(),
    };
    if let Some(reference) = reference {
        record.features.add(&reference.features, &outputs.features)?;
        record.logits.add(&reference.logits, &outputs.logits)?;
    }
    Ok((record, outputs))
}

/// The model's own answer.
fn say(model: &Model, generator: &mut Generator, asked: &Asked, embeds: &[f32]) -> Result<String> {
    let mut generation: Generation = generator.begin()?;
    generator.extend(&mut generation, &asked.prompt, embeds)?;
    let mut tokens = Vec::new();
    let most = asked.answer.len() + MORE_TOKENS;
    generator.answer(&mut generation, &mut autoneural_host::Sampler::greedy(), most, &mut |token| {
        tokens.push(token);
        Ok(())
    })?;
    model.tokenizer().text(&tokens)
}
