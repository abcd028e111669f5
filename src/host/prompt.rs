//! Prompts as tokens.

use std::path::Path;

use crate::contain::contain;
use crate::error::{Error, Result};
use crate::front::Definition;
use crate::recipe::{Recipe, Sample};

/// Name of the tokenizer's file in a checkpoint and in a bundle.
pub const TOKENIZER: &str = "tokenizer.json";

/// Largest tokenizer file that is read.
const LARGEST_FILE: u64 = 256 << 20;

/// Longest prompt in bytes; far beyond any context.
const LONGEST_PROMPT: usize = 4 << 20;

/// A checkpoint's tokenizer together with the special tokens of the model definition.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bos: u32,
    image: u32,
    visual_tokens: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a folder.
    ///
    /// # Errors
    /// A missing or malformed file, or a vocabulary larger than the model's.
    pub fn read(folder: &Path, definition: &Definition) -> Result<Self> {
        let path = folder.join(TOKENIZER);
        let bytes = crate::text::read_at_most(&path, LARGEST_FILE).map_err(|error| {
            error.help("the checkpoint's tokenizer.json is wanted, in the format of Hugging Face tokenizers")
        })?;
        let fail = |error: &dyn std::fmt::Display| Error::input(path.display(), format!("is no tokenizer: {error}"));
        // The library panics on some malformed parts.
        let inner = contain(|| tokenizers::Tokenizer::from_bytes(&bytes))
            .map_err(|panic| fail(&panic))?
            .map_err(|error| fail(&error))?;
        let (size, wanted) = (inner.get_vocab_size(true), definition.language.vocabulary);
        let largest = inner.get_vocab(true).into_values().max().unwrap_or(0) as usize;
        if largest >= wanted {
            let message = format!("has {size} tokens up to number {largest}; the model knows {wanted}");
            return Err(Error::input(path.display(), message).help("the tokenizer belongs to another model"));
        }
        let tokens = &definition.language.tokens;
        Ok(Tokenizer { inner, bos: tokens.bos, image: tokens.image, visual_tokens: definition.vision.tokens() })
    }

    /// Tokens of a prompt: the beginning token and the text. One placeholder per visual token stands where the text has the
    /// image token (by its text, say `<image>`), or before the text where it has none.
    pub fn prompt(&self, text: &str, with_image: bool) -> Result<Vec<u32>> {
        if text.len() > LONGEST_PROMPT {
            return Err(Error::input("prompt", format!("has {} bytes; at most {LONGEST_PROMPT} are read", text.len())));
        }
        let encoded = self
            .inner
            .encode(text, false)
            .map_err(|error| Error::input("prompt", format!("cannot be tokenized: {error}")))?;
        let text = encoded.get_ids();
        let markers = text.iter().filter(|&&token| token == self.image).count();
        let visual = || std::iter::repeat_n(self.image, self.visual_tokens);
        let mut tokens = vec![self.bos];
        match (with_image, markers) {
            (false, 0) => {}
            (true, 0) => tokens.extend(visual()),
            (true, 1) => {}
            (false, _) => return Err(Error::input("prompt", "holds the image placeholder, but there is no image")),
            (true, _) => return Err(Error::input("prompt", format!("holds the image placeholder {markers} times"))),
        }
        for &token in text {
            if token == self.image { tokens.extend(visual()) } else { tokens.push(token) }
        }
        Ok(tokens)
    }

    /// Tokens of a sample's prompt, which fit into the context together with those that are decoded.
    pub fn sample(&self, definition: &Definition, recipe: &Recipe, sample: &Sample) -> Result<Vec<u32>> {
        let tokens = self.prompt(&sample.prompt, sample.image.is_some());
        let tokens = tokens.map_err(|error| error.within(&sample.place))?;
        let (count, steps, context) = (tokens.len(), recipe.decode_steps, definition.language.context);
        if count + steps > context {
            let message = format!("has {count} tokens; with {steps} decoded ones they exceed the context of {context}");
            return Err(Error::input("prompt", message)
                .within(&sample.place)
                .help("shorten the prompt or decode fewer tokens"));
        }
        Ok(tokens)
    }
}
