//! Conversations as text: the checkpoint's chat template, in the conventions of Hugging Face transformers.
//!
//! A template is somebody else's program. It sees the messages and nothing else, its steps are counted, and what it
//! writes is limited.

mod find;
mod limits;
mod message;
mod python;
mod template;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Content;
use autoneural_base::error::Result;

pub use find::{CHAT_TEMPLATE, Found, SPECIAL_TOKENS, TemplateSource, find_template, read_specials};
pub use message::{ContentPart, Message, Role, Special, Specials};
pub use python::Why;
pub use template::Complaint;
use template::Template;

/// What a template is given for a conversation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Given {
    /// How the content of messages is given, by role.
    pub content: BTreeMap<String, Content>,
    /// The variables by name, `messages` among them.
    pub variables: serde_json::Value,
}

/// How a conversation becomes the text of a prompt. Only a process in bounds has one.
pub struct Chat {
    specials: Specials,
    template: Template,
}

impl Chat {
    /// From a template that was found.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line.
    pub fn new(source: TemplateSource, specials: Specials) -> Result<Self> {
        let template = Template::new(source, &specials)?;
        Ok(Chat { specials, template })
    }

    /// How the template wants the content of messages, by role, and all that it is given for a conversation.
    pub fn given(&self, messages: &[Message]) -> Given {
        Given { content: self.template.contents(), variables: self.template.given(messages, &self.specials) }
    }

    /// The prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// The template fails or refuses.
    pub fn render(&self, messages: &[Message]) -> Result<String, Complaint> {
        self.template.render(messages, &self.specials)
    }
}

/// The prompt of a conversation with a model that has no template: the messages' own text, one after the other.
pub fn without_template(messages: &[Message], specials: &Specials) -> String {
    messages.iter().map(|message| message.flat(specials)).collect()
}
