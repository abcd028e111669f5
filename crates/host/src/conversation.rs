//! A conversation with a model: questions with images go in, answers come out, and what the model has taken in stays.

use std::time::Instant;

use super::{
    Chat, Generation, Generator, Message, Role, Sampler, Sampling, StepLogits, Stop, Tokenizer, refuse_too_long,
};
use autoneural_base::error::{Error, Result};
use autoneural_core::engine::Tensor;

/// How answers are chosen, and how long they may be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// How tokens are drawn; the best one is taken always if not given.
    pub sampling: Option<Sampling>,
}

/// An answer.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub stop: Stop,
    /// Tokens of the whole prompt, those of images and of earlier questions and answers among them.
    pub prompt_tokens: usize,
    /// Tokens of the prompt that stand for images.
    pub visual_tokens: usize,
    /// Tokens of the prompt that the model had taken in before this question.
    pub reused_tokens: usize,
    /// Seconds from the question to the first token; loading engines does not count.
    pub seconds_to_first_token: f64,
    /// Tokens a second behind the first one; `None` for an answer of fewer than two.
    pub tokens_per_second: Option<f64>,
    /// Seconds that loading engines took.
    pub seconds_loading: f64,
}

/// A conversation on one engine.
pub struct Conversation<'a> {
    tokenizer: &'a Tokenizer,
    chat: &'a Chat,
    generator: Generator<'a>,
    generation: Generation<'a>,
    /// What the conversation begins with.
    system: Option<Message>,
    messages: Vec<Message>,
    /// Embeddings of all images of the conversation.
    visual: Vec<f32>,
    /// Messages and visual numbers before the last question.
    before: (usize, usize),
    keep_image_engines: bool,
    sampler: Sampler,
    max_tokens: usize,
}

impl<'a> Conversation<'a> {
    /// A conversation that begins with a system message, or without one. `keep_image_engines` is for conversations in
    /// which more images come; otherwise the engines of images give their memory to those of text.
    ///
    /// # Errors
    /// A system message without a chat template, which alone knows where to put it.
    pub fn new(
        tokenizer: &'a Tokenizer,
        chat: &'a Chat,
        generator: Generator<'a>,
        system: Option<&str>,
        keep_image_engines: bool,
        limits: &Limits,
    ) -> Result<Self> {
        if system.is_some() && !chat.has_template() {
            return Err(Error::input("system", "the model has no chat template, so it takes no system message")
                .help("leave out --system, or export the checkpoint again with its chat_template.jinja"));
        }
        Ok(Conversation {
            tokenizer,
            chat,
            generation: generator.begin()?,
            generator,
            system: system.map(|text| Message::new(Role::System, 0, text)),
            messages: Vec::new(),
            visual: Vec::new(),
            before: (0, 0),
            keep_image_engines,
            sampler: limits.sampling.clone().map_or_else(Sampler::greedy, Sampler::new),
            max_tokens: limits.max_tokens,
        })
    }

    /// Keeps the logits of every step from now on.
    pub fn keep_logits(&mut self) {
        self.generator.keep_logits();
    }

    /// The tokens that the model has taken in, in order, and the logits of the steps since they are kept.
    pub fn take_logits(&mut self) -> (Vec<u32>, Vec<StepLogits>) {
        (self.generation.tokens().to_vec(), self.generator.take_logits())
    }

    /// Begins a new conversation and forgets all messages.
    ///
    /// # Errors
    /// No new sequence can be begun, as for [`Generator::begin`].
    pub fn reset(&mut self) -> Result<()> {
        self.before = (0, 0);
        self.take_back()
    }

    /// Forgets the last question and its answer.
    ///
    /// # Errors
    /// As for [`Conversation::reset`].
    pub fn take_back(&mut self) -> Result<()> {
        self.messages.truncate(self.before.0);
        self.visual.truncate(self.before.1);
        // Placeholders of other images are the same tokens, so what was taken in does not tell that it is of no more
        // use.
        self.generation = self.generator.begin()?;
        Ok(())
    }

    /// Asks a question; `said` gets the answer's text as it comes. The images are preprocessed ([`super::load_image`]).
    ///
    /// # Errors
    /// An empty question, one with the text of a special token, a conversation that the context does not hold, an
    /// engine that fails. The conversation is as before the question.
    pub fn ask(&mut self, images: &[Tensor], text: &str, said: &mut dyn FnMut(&str) -> Result<()>) -> Result<Answer> {
        let (before, known) = ((self.messages.len(), self.visual.len()), self.generation.tokens().len());
        let answer = self.try_ask(images, text, said);
        if answer.is_ok() {
            self.before = before;
        } else {
            self.messages.truncate(before.0);
            self.visual.truncate(before.1);
            if self.generation.tokens().len() != known {
                self.generation = self.generator.begin()?;
            }
        }
        answer
    }

    fn try_ask(&mut self, images: &[Tensor], text: &str, said: &mut dyn FnMut(&str) -> Result<()>) -> Result<Answer> {
        let begun = Instant::now();
        let loaded = self.generator.loading();
        if text.trim().is_empty() {
            return Err(Error::input("prompt", "is empty").help("ask something"));
        }
        self.messages.push(Message::new(Role::User, images.len(), text));
        let prompt = self.prompt()?;
        let definition = self.generator.definition();
        // What would stop the question late is looked at first.
        refuse_too_long(prompt.len(), definition.language.context)?;
        for image in images {
            self.visual.extend(self.generator.see(image)?.embeds);
        }
        if !self.keep_image_engines {
            self.generator.drop_image_engines();
        }
        let reused_tokens = self.take_in(&prompt)?;

        let mut text = Stream::new(self.tokenizer);
        let mut first = None;
        let mut loading = self.generator.loading();
        let (generator, generation) = (&mut self.generator, &mut self.generation);
        let stop = generator.answer(generation, &mut self.sampler, self.max_tokens, &mut |token| {
            first.get_or_insert_with(Instant::now);
            said(text.push(token)?)
        })?;
        said(text.rest())?;
        let ended = Instant::now();
        let first = first.unwrap_or(ended);
        // The decode engine may have been loaded behind the first token.
        let while_decoding = self.generator.loading() - loading;
        loading -= loaded;
        let decoding = (ended - first).saturating_sub(while_decoding).as_secs_f64();
        let behind_first = text.tokens.len().saturating_sub(1);
        let Stream { text, tokens, .. } = text;
        self.messages.push(Message::new(Role::Assistant, 0, &self.tokenizer.without_special(&text)));
        Ok(Answer {
            text,
            stop,
            prompt_tokens: prompt.len(),
            visual_tokens: self.tokenizer.count_visual(&prompt),
            reused_tokens,
            seconds_to_first_token: (first - begun).saturating_sub(loading).as_secs_f64(),
            tokens_per_second: (behind_first > 0 && decoding > 0.0).then(|| behind_first as f64 / decoding),
            seconds_loading: (loading + while_decoding).as_secs_f64(),
            tokens,
        })
    }

    /// Tokens of the whole conversation.
    fn prompt(&self) -> Result<Vec<u32>> {
        let all: Vec<Message> = self.system.iter().chain(&self.messages).cloned().collect();
        self.tokenizer.conversation(self.chat, &all)
    }

    /// Takes in what is new of a prompt; all of it where the template wrote what was taken in before otherwise than it
    /// came. Gives how many tokens need not be taken in again.
    fn take_in(&mut self, prompt: &[u32]) -> Result<usize> {
        let known = self.generation.tokens();
        let goes_on = prompt.len() > known.len() && prompt.starts_with(known);
        let reused = if goes_on { known.len() } else { 0 };
        if !goes_on {
            self.generation = self.generator.begin()?;
        }
        let rest = &prompt[reused..];
        let rows = self.tokenizer.count_visual(rest) * self.generator.definition().language.hidden;
        let visual = &self.visual[self.visual.len() - rows..];
        let taken = self.generator.extend(&mut self.generation, rest, visual);
        if taken.is_err() {
            self.generation = self.generator.begin()?;
        }
        taken.map(|()| reused)
    }
}

/// Text of tokens that come one by one. A token may end within a character, whose text waits for the next one.
struct Stream<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    text: String,
    /// Bytes of the text that were given out.
    given: usize,
}

impl<'a> Stream<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Stream { tokenizer, tokens: Vec::new(), text: String::new(), given: 0 }
    }

    /// The whole characters that a token makes.
    fn push(&mut self, token: u32) -> Result<&str> {
        self.tokens.push(token);
        self.text = self.tokenizer.text(&self.tokens)?;
        let whole = self.text.trim_end_matches(char::REPLACEMENT_CHARACTER).len();
        Ok(self.give(whole))
    }

    /// What waits for a token that does not come.
    fn rest(&mut self) -> &str {
        self.give(self.text.len())
    }

    fn give(&mut self, end: usize) -> &str {
        let begin = self.given;
        self.given = begin.max(end);
        self.text.get(begin..self.given).unwrap_or_default()
    }
}
