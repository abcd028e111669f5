//! Prompts as tokens.

use std::path::{Path, PathBuf};

use super::additions::{Additions, FORMAT, TOKENIZER, missing};
use super::bounded::{Chat, Child, Facts, Opening, Request, Work, bytes_of, tokens_of};
use super::chat::{CHAT_TEMPLATE, ContentPart, Message, Specials};
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_front::{Definition, Vision};

/// More tokens than any context holds.
const MOST_TOKENS: usize = 1 << 22;
/// Largest tokenizer file that is read.
const LARGEST_FILE: u64 = 96 << 20;

/// A checkpoint's tokenizer together with the special tokens of the model definition. It runs in a process of its own.
pub struct Tokenizer {
    place: PathBuf,
    inner: Child,
    facts: Facts,
    bos: Option<u32>,
    image: Option<u32>,
    visual_tokens: usize,
    /// Whether the model is an InternVL, which has tags around the tokens of an image.
    is_internvl: bool,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a folder, and the tokens that the files beside it add to it.
    ///
    /// # Errors
    /// A missing or malformed file, a vocabulary larger than the model's, a tokenizer that goes beyond its bounds.
    pub fn read(folder: &Path, definition: &Definition) -> Result<Self> {
        let place = folder.join(TOKENIZER);
        if place.symlink_metadata().is_err() {
            return Err(missing(folder));
        }
        let Additions { listed, numbered, others, .. } = Additions::read(folder)?;
        let tokens = &definition.language.tokens;
        let named = [tokens.bos, Some(tokens.eos), tokens.image];
        let vocabulary = definition.language.vocabulary;
        let request = Opening { place: place.display().to_string(), vocabulary, named, listed, numbered, others };
        let path = place.clone();
        let opening = move || {
            let file = text::read_at_most(&path, LARGEST_FILE);
            let file = file.map_err(|error| if error.help.is_some() { error } else { error.help(FORMAT) })?;
            Ok((Request::Tokenizer(request.clone()), file))
        };
        let (inner, facts) = Child::start(Work::Tokenizer, place.clone(), opening)?;
        let facts = facts.ok_or_else(|| Error::internal(place.display(), "nothing was found in it"))?;
        let (bos, image, visual_tokens) = (tokens.bos, tokens.image, definition.vision().map_or(0, Vision::tokens));
        let is_internvl = matches!(definition.vision(), Some(Vision::InternVit(_)));
        Ok(Tokenizer { place, inner, facts, bos, image, visual_tokens, is_internvl })
    }

    /// What is known of it.
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The tokenizer's file with the tokens that the files beside it add; `None` if they add nothing.
    ///
    /// # Errors
    /// The tokenizer's process fails.
    pub fn with_additions(&self) -> Result<Option<Vec<u8>>> {
        self.facts.changed.then(|| self.inner.ask(&Request::Write, &[])).transpose()
    }

    /// The numbers of tokens by their texts; `None` for texts that are not tokens.
    ///
    /// # Errors
    /// The tokenizer's process fails.
    pub fn find(&self, texts: &[String]) -> Result<Vec<Option<u32>>> {
        let found = self.inner.ask(&Request::Find(texts.to_vec()), &[])?;
        serde_json::from_slice(&found).map_err(|error| Error::internal("tokenizer", error))
    }

    /// Texts of the special tokens that a chat template may write.
    ///
    /// # Errors
    /// The tokenizer does not know the image token: it belongs to another model.
    pub fn specials(&self) -> Result<Specials> {
        let [bos, eos, image] = self.facts.named.clone();
        if let Some(number) = self.image.filter(|_| !self.facts.special.contains(&image)) {
            let message = format!("has no special token {number}, which is the model's image token");
            return Err(Error::input(self.place.display(), message)
                .help("the tokenizer belongs to another model, or language.tokens of the definition is wrong"));
        }
        // A vocabulary without the tags was not trained with them.
        let is_known = |tag: &str| self.facts.special.iter().any(|known| known == tag);
        let tag = |tag: &str| if is_known(tag) { tag.to_string() } else { String::new() };
        let image_tags = self.is_internvl.then(|| ["<img>", "</img>"].map(tag));
        Ok(Specials { bos, eos, image, image_tags, ..Specials::default() })
    }

    /// Refuses a text of a user that would be read as a special token.
    ///
    /// # Errors
    /// The text holds a special token or the image placeholder.
    pub fn refuse_special(&self, text: &str) -> Result<()> {
        let Some(found) = self.facts.special.iter().find(|special| text.contains(special.as_str())) else {
            return Ok(());
        };
        if *found == self.facts.named[2] {
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
        while let Some(found) = self.facts.special.iter().find(|special| made.contains(special.as_str())) {
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
            if let ContentPart::Text { text } = part {
                self.refuse_special(text)?;
            }
        }
        let text = self.encode(&chat.render(messages)?)?;
        let images = parts().filter(|part| **part == ContentPart::Image).count();
        let markers = self.count_visual(&text);
        if markers != images {
            let message = format!("writes {markers} image placeholders for {images} images");
            return Err(Error::input(CHAT_TEMPLATE, message)
                .help("the chat template is for another model, or takes no images in such messages"));
        }
        self.with_placeholders(text.strip_prefix(self.bos.as_slice()).unwrap_or(&text))
    }

    /// Whether prompts may have pictures.
    pub fn takes_pictures(&self) -> bool {
        self.image.is_some()
    }

    /// Number of visual tokens among tokens.
    pub fn count_visual(&self, tokens: &[u32]) -> usize {
        tokens.iter().filter(|&&token| Some(token) == self.image).count()
    }

    /// The beginning token and the image token with their texts, as far as the model has them.
    pub fn named(&self) -> [Option<(u32, &str)>; 2] {
        let [bos, _, image] = &self.facts.named;
        [self.bos.map(|number| (number, bos.as_str())), self.image.map(|number| (number, image.as_str()))]
    }

    /// The text of tokens, without special ones. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// The tokenizer's process fails.
    pub fn text(&self, tokens: &[u32]) -> Result<String> {
        let text = self.inner.ask(&Request::Decode, &bytes_of(tokens))?;
        String::from_utf8(text).map_err(|error| Error::internal("tokenizer", error))
    }

    /// Tokens of a text that stands by itself, such as an answer.
    ///
    /// # Errors
    /// The text of a special token in it.
    pub fn plain(&self, text: &str) -> Result<Vec<u32>> {
        self.refuse_special(text)?;
        self.encode(text)
    }

    /// Tokens of a text as it is, special ones among them, without any that the text does not have.
    ///
    /// # Errors
    /// A text of more than 4 MiB, or one with something that the tokenizer has no token for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(tokens_of(&self.inner.ask(&Request::Encode, text.as_bytes())?))
    }

    /// The beginning token and tokens of a text, each image token as often as an image has visual tokens.
    fn with_placeholders(&self, text: &[u32]) -> Result<Vec<u32>> {
        let visual = self.count_visual(text).saturating_mul(self.visual_tokens);
        if visual > MOST_TOKENS {
            let message = format!("has {visual} visual tokens, {} for each image", self.visual_tokens);
            return Err(
                Error::input("prompt", message).help("no context holds so many: see [vision] of the definition")
            );
        }
        let times = |token| if Some(token) == self.image { self.visual_tokens } else { 1 };
        let expanded = text.iter().flat_map(|&token| std::iter::repeat_n(token, times(token)));
        Ok(self.bos.into_iter().chain(expanded).collect())
    }

    /// The tokens of a prompt: the beginning token and the text. Each image has as many placeholders as visual tokens.
    /// They replace the image token if the text has it (as text, say `<image>`), and stand before the text otherwise.
    ///
    /// # Errors
    /// The text has another number of image tokens than there are images, is too long, or cannot be tokenized.
    pub fn prompt(&self, text: &str, images: usize) -> Result<Vec<u32>> {
        let text = self.encode(text)?;
        let markers = self.count_visual(&text);
        if markers == images {
            return self.with_placeholders(&text);
        }
        let message = match (markers, images) {
            (0, _) if let Some(image) = self.image => {
                return self.with_placeholders(&[vec![image; images], text].concat());
            }
            (_, 0) => "holds the image placeholder, but there is no image".to_string(),
            _ => format!("holds the image placeholder {markers} times; images: {images}"),
        };
        Err(Error::input("prompt", message))
    }

    /// As many tokens: cut off, or with the text again and again behind them.
    pub(super) fn fitted(&self, mut tokens: Vec<u32>, count: usize) -> Result<Vec<u32>> {
        let text: Vec<u32> =
            tokens.iter().copied().filter(|&token| Some(token) != self.image && Some(token) != self.bos).collect();
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
