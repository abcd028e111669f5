//! A chat template behind a process in bounds.

use std::path::{Path, PathBuf};

use super::{Child, Request, Work};
use crate::error::{Error, Result};
use crate::host::{CHAT_TEMPLATE, Message, Specials, chat};

/// How a conversation becomes the text of a prompt.
pub struct Chat {
    specials: Specials,
    template: Option<Child>,
}

impl Chat {
    /// Reads the template of a bundle's host folder, if there is one.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line; one that goes beyond the bounds.
    pub fn read(folder: &Path, specials: Specials) -> Result<Self> {
        let path = folder.join(CHAT_TEMPLATE);
        let text = if path.is_file() { Some(crate::text::read(&path)?) } else { None };
        Self::of(path, text, specials)
    }

    /// Takes a template's text; `place` is for messages.
    ///
    /// # Errors
    /// As for [`Chat::read`].
    pub fn of(place: PathBuf, text: Option<String>, specials: Specials) -> Result<Self> {
        let start = |text: String| {
            let (at, known) = (place.display().to_string(), specials.clone());
            let opening = move || {
                let request = Request::Template { place: at.clone(), specials: known.clone() };
                Ok((request, text.clone().into_bytes()))
            };
            Child::start::<()>(Work::Template, place.clone(), opening)
        };
        let template = text.map(start).transpose()?.map(|(child, _)| child);
        Ok(Chat { specials, template })
    }

    /// Whether there is a template. Without one a prompt is the messages' own text, one after the other.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// The text of the special tokens.
    pub fn specials(&self) -> &Specials {
        &self.specials
    }

    /// The prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// The template fails, by file and line, or goes beyond the bounds.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        let Some(template) = &self.template else { return Ok(chat::without_template(messages, &self.specials)) };
        let text = template.ask(&Request::Render(messages.to_vec()), &[])?;
        String::from_utf8(text).map_err(|error| Error::internal(CHAT_TEMPLATE, error))
    }
}
