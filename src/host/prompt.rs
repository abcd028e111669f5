//! Prompts as tokens.

use std::path::Path;

use super::chat::{CHAT_TEMPLATE, Chat, Message, Part, Specials};
use crate::contain::contain;
use crate::error::{Error, Result};
use crate::front::{Definition, Vision};
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
    eos: u32,
    visual_tokens: usize,
    /// Whether the model is an InternVL, which has tags around the tokens of an image.
    is_internvl: bool,
    /// Texts that are read as special tokens wherever they stand.
    special: Vec<String>,
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
        let named = [tokens.bos, tokens.eos, tokens.image];
        let added = inner.get_added_tokens_decoder();
        let is_special = |(token, text): &(&u32, &tokenizers::AddedToken)| {
            (text.special || named.contains(token)) && !text.content.is_empty()
        };
        let mut special: Vec<String> = added.iter().filter(is_special).map(|(_, text)| text.content.clone()).collect();
        special.sort();
        Ok(Tokenizer {
            inner,
            bos: tokens.bos,
            image: tokens.image,
            eos: tokens.eos,
            visual_tokens: definition.vision.tokens(),
            is_internvl: matches!(definition.vision, Vision::InternVit(_)),
            special,
        })
    }

    /// Texts of the special tokens that a chat template may write.
    ///
    /// # Errors
    /// The tokenizer does not know the image token: it belongs to another model.
    pub fn specials(&self, folder: &Path) -> Result<Specials> {
        let text = |token| self.inner.id_to_token(token).unwrap_or_default();
        let image = text(self.image);
        if !self.special.contains(&image) {
            let message = format!("has no special token {}, which is the model's image token", self.image);
            return Err(Error::input(folder.join(TOKENIZER).display(), message)
                .help("the tokenizer belongs to another model, or language.tokens of the definition is wrong"));
        }
        // A vocabulary without the tags was not trained with them.
        let tag =
            |tag: &str| if self.special.iter().any(|known| known == tag) { tag.to_string() } else { String::new() };
        let image_tags = self.is_internvl.then(|| ["<img>", "</img>"].map(tag));
        Ok(Specials { bos: text(self.bos), eos: text(self.eos), image, image_tags, ..Specials::default() })
    }

    /// Refuses a text of a user that would be read as a special token.
    pub fn refuse_special(&self, text: &str) -> Result<()> {
        let Some(found) = self.special.iter().find(|special| text.contains(special.as_str())) else { return Ok(()) };
        if self.inner.token_to_id(found) == Some(self.image) {
            let message = format!("holds the image placeholder `{found}`");
            return Err(Error::input("prompt", message)
                .help("give pictures with --image, or by their path in a conversation; they stand before the text"));
        }
        Err(Error::input("prompt", format!("holds `{found}`, which the model would read as a special token"))
            .help("leave it out; the chat template sets special tokens"))
    }

    /// A text without what would be read as special tokens.
    pub fn without_special(&self, text: &str) -> String {
        let mut made = text.to_string();
        // What is left may have come together to another one.
        while let Some(found) = self.special.iter().find(|special| made.contains(special.as_str())) {
            made = made.replace(found.as_str(), "");
        }
        made
    }

    /// Tokens of a conversation: the beginning token, unless the text begins with it, and the text, in which each of so
    /// many image tokens becomes one placeholder per visual token.
    ///
    /// # Errors
    /// A message holds the text of a special token, the template fails or leaves out an image.
    pub fn conversation(&self, chat: &Chat, messages: &[Message]) -> Result<Vec<u32>> {
        let parts = || messages.iter().flat_map(|message| &message.content);
        for part in parts() {
            if let Part::Text { text } = part {
                self.refuse_special(text)?;
            }
        }
        let encoded = self.encode(&chat.render(messages)?)?;
        let text = encoded.get_ids();
        let images = parts().filter(|part| **part == Part::Image).count();
        let markers = text.iter().filter(|&&token| token == self.image).count();
        if markers != images {
            let message = format!("writes {markers} image placeholders for {images} images");
            return Err(Error::input(CHAT_TEMPLATE, message)
                .help("the chat template is for another model, or takes no images in such messages"));
        }
        let text = text.strip_prefix(&[self.bos]).unwrap_or(text);
        Ok(self.with_placeholders(text))
    }

    /// Number of visual tokens among tokens.
    pub fn count_visual(&self, tokens: &[u32]) -> usize {
        tokens.iter().filter(|&&token| token == self.image).count()
    }

    /// Text of tokens, without special ones. Bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self, tokens: &[u32]) -> Result<String> {
        self.inner.decode(tokens, true).map_err(|error| Error::internal("tokenizer", error))
    }

    /// Tokens of a text that stands by itself, such as an answer.
    ///
    /// # Errors
    /// The text of a special token in it.
    pub fn plain(&self, text: &str) -> Result<Vec<u32>> {
        self.refuse_special(text)?;
        Ok(self.encode(text)?.get_ids().to_vec())
    }

    fn encode(&self, text: &str) -> Result<tokenizers::Encoding> {
        if text.len() > LONGEST_PROMPT {
            return Err(Error::input("prompt", format!("has {} bytes; at most {LONGEST_PROMPT} are read", text.len())));
        }
        self.inner.encode(text, false).map_err(|error| Error::input("prompt", format!("cannot be tokenized: {error}")))
    }

    /// The beginning token and tokens of a text, each image token as often as an image has visual tokens.
    fn with_placeholders(&self, text: &[u32]) -> Vec<u32> {
        let times = |token| if token == self.image { self.visual_tokens } else { 1 };
        let expanded = text.iter().flat_map(|&token| std::iter::repeat_n(token, times(token)));
        std::iter::once(self.bos).chain(expanded).collect()
    }

    /// Tokens of a prompt: the beginning token and the text. One placeholder per visual token stands where the text has the
    /// image token (by its text, say `<image>`), or before the text where it has none.
    pub fn prompt(&self, text: &str, images: usize) -> Result<Vec<u32>> {
        let encoded = self.encode(text)?;
        let text = encoded.get_ids();
        let markers = self.count_visual(text);
        if markers == images {
            return Ok(self.with_placeholders(text));
        }
        let message = match (markers, images) {
            (0, _) => return Ok(self.with_placeholders(&[&vec![self.image; images], text].concat())),
            (_, 0) => "holds the image placeholder, but there is no image".to_string(),
            _ => format!("holds the image placeholder {markers} times; images: {images}"),
        };
        Err(Error::input("prompt", message))
    }

    /// Tokens of a sample's prompt, which fit into the context together with those that are decoded.
    pub fn sample(&self, definition: &Definition, recipe: &Recipe, sample: &Sample) -> Result<Vec<u32>> {
        let tokens = self.prompt(&sample.prompt, sample.images.len());
        let tokens = tokens.map_err(|error| error.within(&sample.place))?;
        let (count, steps, context) =
            (sample.tokens.unwrap_or(tokens.len()), recipe.decode_steps, definition.language.context);
        if count + steps > context {
            let message = format!("has {count} tokens; with {steps} decoded ones they exceed the context of {context}");
            return Err(Error::input("prompt", message)
                .within(&sample.place)
                .help("shorten the prompt or decode fewer tokens"));
        }
        self.fitted(tokens, count).map_err(|error| error.within(&sample.place))
    }

    /// As many tokens: cut off, or with the text again and again behind them.
    fn fitted(&self, mut tokens: Vec<u32>, count: usize) -> Result<Vec<u32>> {
        let text: Vec<u32> = tokens.iter().copied().filter(|&token| token != self.image && token != self.bos).collect();
        let missing = count.saturating_sub(tokens.len());
        if missing > 0 && text.is_empty() {
            return Err(Error::input("prompt", format!("has no text to repeat up to {count} tokens")));
        }
        tokens.extend(text.iter().cycle().take(missing));
        let visual = self.count_visual(&tokens);
        tokens.truncate(count);
        if self.count_visual(&tokens) < visual {
            let message = format!("has {visual} visual tokens, which {count} tokens would cut off");
            return Err(Error::input("prompt", message));
        }
        Ok(tokens)
    }
}
