//! A chat template behind a process in bounds.

use std::path::{Path, PathBuf};

use super::{Child, Request, Work};
use crate::chat::{self, CHAT_TEMPLATE, Complaint, Given, Message, Specials, TemplateSource};
use autoneural_base::error::{Error, Result};

/// How a conversation becomes the text of a prompt.
pub struct Chat {
    specials: Specials,
    template: Option<Child>,
    place: String,
}

impl Chat {
    /// Reads the template of a bundle's host folder, if there is one, and the special tokens that it may name.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line; one that goes beyond the bounds.
    pub fn read(folder: &Path, mut specials: Specials) -> Result<Self> {
        let path = folder.join(CHAT_TEMPLATE);
        let source = match path.is_file() {
            true => {
                Some(TemplateSource { place: path.display().to_string(), text: autoneural_base::text::read(&path)? })
            }
            false => None,
        };
        specials.named.extend(chat::read_specials(folder)?);
        Self::new(source, specials)
    }

    /// From a template that was found, if there is one.
    ///
    /// # Errors
    /// As for [`Chat::read`].
    pub fn new(source: Option<TemplateSource>, specials: Specials) -> Result<Self> {
        let place = source.as_ref().map_or(CHAT_TEMPLATE, |source| &source.place).to_string();
        let start = |source: TemplateSource| {
            let known = specials.clone();
            let opening = move || {
                let request = Request::Template { place: source.place.clone(), specials: known.clone() };
                Ok((request, source.text.clone().into_bytes()))
            };
            Child::start::<()>(Work::Template, PathBuf::from(&place), opening)
        };
        let template = source.map(start).transpose()?.map(|(child, _)| child);
        Ok(Chat { specials, template, place })
    }

    /// Whether there is a template. Without one a prompt is the messages' own text, one after the other.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// Where the template stands.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The text of the special tokens.
    pub fn specials(&self) -> &Specials {
        &self.specials
    }

    /// What the template is given for a conversation; `None` without a template.
    ///
    /// # Errors
    /// It goes beyond the bounds.
    pub fn given(&self, messages: &[Message]) -> Result<Option<Given>> {
        let Some(template) = &self.template else { return Ok(None) };
        let made = template.ask(&Request::Given(messages.to_vec()), &[])?;
        serde_json::from_slice(&made).map(Some).map_err(|error| Error::internal(&self.place, error))
    }

    /// The prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// The template fails, by file and line, or goes beyond the bounds.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.try_render(messages)?.map_err(|complaint| complaint.error(&self.place))
    }

    /// As [`Chat::render`], with a complaint of the template that says whether it refuses the messages itself.
    ///
    /// # Errors
    /// The template goes beyond the bounds.
    pub fn try_render(&self, messages: &[Message]) -> Result<Result<String, Complaint>> {
        let Some(template) = &self.template else {
            return Ok(Ok(chat::without_template(messages, &self.specials)));
        };
        let made = template.ask(&Request::Render(messages.to_vec()), &[])?;
        serde_json::from_slice(&made).map_err(|error| Error::internal(&self.place, error))
    }
}
