//! Conversations as text: the checkpoint's chat template, in the conventions of Hugging Face transformers.
//!
//! A template is somebody else's program. It sees the messages and nothing else, its steps are counted, and what it
//! writes is limited.

mod find;
mod message;
mod python;
mod template;

use std::path::Path;

use crate::error::Result;

pub use find::{Found, SPECIAL_TOKENS, Source, find_template};
pub use message::{Message, Part, Role, Special, Specials};
pub use python::Why;
pub use template::Complaint;
use template::Template;

/// Name of the template's file in a checkpoint and in a bundle.
pub const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// Steps that a template may take; one for a message takes some dozens a message.
const MOST_STEPS: u64 = 10_000_000;
/// Most bytes that a template may write.
const MOST_TEXT: usize = 16 << 20;

/// How a conversation becomes the text of a prompt.
pub struct Chat {
    specials: Specials,
    template: Option<Template>,
}

impl Chat {
    /// Reads the template of a bundle's host folder, if there is one, and the special tokens that it may name.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line.
    pub fn read(folder: &Path, mut specials: Specials) -> Result<Self> {
        let path = folder.join(CHAT_TEMPLATE);
        let source = match path.is_file() {
            true => Some(Source { place: path.display().to_string(), text: crate::text::read(&path)? }),
            false => None,
        };
        specials.named.extend(find::read_specials(folder)?);
        Self::new(source, specials)
    }

    /// From a template that was found.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line.
    pub fn new(source: Option<Source>, specials: Specials) -> Result<Self> {
        let template = source.map(|source| Template::new(source, &specials)).transpose()?;
        Ok(Chat { specials, template })
    }

    /// Whether there is a template. Without one a prompt is the messages' own text, one after the other.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// Where the template stands.
    pub fn place(&self) -> &str {
        self.template.as_ref().map_or(CHAT_TEMPLATE, |template| &template.source.place)
    }

    /// The text of the special tokens.
    pub fn specials(&self) -> &Specials {
        &self.specials
    }

    /// The prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// The template fails, by file and line.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.try_render(messages).map_err(|complaint| complaint.error(self.place()))
    }

    /// As [`Chat::render`], with an error that says whether the template itself refuses the messages.
    ///
    /// # Errors
    /// The template fails or refuses.
    pub fn try_render(&self, messages: &[Message]) -> Result<String, Complaint> {
        match &self.template {
            Some(template) => template.render(messages, &self.specials),
            None => Ok(messages.iter().map(|message| message.flat(&self.specials)).collect()),
        }
    }
}
