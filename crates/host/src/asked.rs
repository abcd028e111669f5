//! Samples of a recipe as tokens: the same as a conversation has of the same words.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::bounded::Chat;
use super::chat::{Message, Role};
use super::prompt::Tokenizer;
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_core::recipe::{Recipe, Said, Sample, Window, Words};
use autoneural_front::Definition;

/// What to do about the text of a special token.
const RAW: &str = "name pictures with `image`; the chat template sets special tokens. A text that holds them itself, \
                   and bypasses the template, is written as `text` in place of `prompt` or `messages`";

/// Turns samples into tokens.
pub struct Asking {
    tokenizer: Tokenizer,
    chat: Chat,
    /// The tokens of the text file that was asked for last: its windows come one after the other.
    file: RefCell<Option<(PathBuf, Vec<u32>)>>,
}

impl Asking {
    /// With a tokenizer and a chat template.
    pub fn new(tokenizer: Tokenizer, chat: Chat) -> Self {
        Asking { tokenizer, chat, file: RefCell::default() }
    }

    /// With those of a bundle's host folder.
    ///
    /// # Errors
    /// As for [`Tokenizer::read`] and [`Chat::read`].
    pub fn read(folder: &Path, definition: &Definition) -> Result<Self> {
        let tokenizer = Tokenizer::read(folder, definition)?;
        let chat = Chat::read(folder, tokenizer.specials()?)?;
        Ok(Self::new(tokenizer, chat))
    }

    /// Tokens of a sample, its answer among them, which fit into the context together with those that are decoded.
    ///
    /// # Errors
    /// A text with special tokens that is to go through the template, a template that fails or refuses, more tokens
    /// than the context holds: by sample.
    pub fn tokens(&self, definition: &Definition, recipe: &Recipe, sample: &Sample) -> Result<Vec<u32>> {
        self.fitting(definition, recipe, sample).map_err(|error| error.within(&sample.place))
    }

    fn fitting(&self, definition: &Definition, recipe: &Recipe, sample: &Sample) -> Result<Vec<u32>> {
        let tokens = match sample.words() {
            Words::Text(text) => self.tokenizer.prompt(text, sample.images.len())?,
            Words::Window(window) => self.window(&sample.beside(window.file), window)?,
            Words::Conversation(said) => self.conversation(&said, sample.answer.as_deref())?,
        };
        let (count, steps, context) =
            (sample.tokens.unwrap_or(tokens.len()), recipe.steps(), definition.language.context);
        if count + steps > context {
            let message = format!("has {count} tokens; with {steps} decoded ones they exceed the context of {context}");
            return Err(match sample.words() {
                Words::Window(_) => Error::input("window", message).help("take smaller windows or decode fewer tokens"),
                _ => Error::input("prompt", message).help("shorten the prompt or decode fewer tokens"),
            });
        }
        self.tokenizer.fitted(tokens, count)
    }

    /// The tokens of a window, and none before them.
    fn window(&self, path: &Path, window: Window) -> Result<Vec<u32>> {
        let mut kept = self.file.borrow_mut();
        if kept.as_ref().is_none_or(|(known, _)| known != path) {
            let tokens = self.tokenizer.plain(&text::read(path)?).map_err(|error| error.within(path.display()))?;
            *kept = Some((path.to_path_buf(), tokens));
        }
        let tokens = kept.as_ref().map_or(&[][..], |(_, tokens)| tokens);
        let Window { tokens: size, number, .. } = window;
        let found = number.checked_mul(size).and_then(|start| tokens.get(start..start.checked_add(size)?));
        found.map(<[u32]>::to_vec).ok_or_else(|| {
            let message = format!("has {} whole windows of {size} tokens, and no window {number}", tokens.len() / size);
            Error::input(path.display(), message)
        })
    }

    fn conversation(&self, said: &[Said], answer: Option<&str>) -> Result<Vec<u32>> {
        let place = |at: usize| if said.len() == 1 { "prompt".to_string() } else { format!("messages[{at}]") };
        for (at, said) in said.iter().enumerate() {
            self.refuse_special(said.content, place(at))?;
        }
        if said.iter().any(|said| said.role == Role::System) && !self.chat.has_template() {
            return Err(Error::input(place(0), "the model has no chat template, so it takes no system message")
                .help("leave it out, or add the model's chat_template.jinja to the checkpoint"));
        }
        let messages: Vec<Message> =
            said.iter().map(|said| Message::new(said.role, said.images, said.content)).collect();
        let mut tokens = self.tokenizer.conversation(&self.chat, &messages)?;
        if let Some(answer) = answer {
            self.refuse_special(answer, "answer".into())?;
            tokens.extend(self.tokenizer.encode(answer)?);
        }
        Ok(tokens)
    }

    fn refuse_special(&self, text: &str, place: String) -> Result<()> {
        self.tokenizer.refuse_special(text).map_err(|error| Error { place, ..error.help(RAW) })
    }
}
