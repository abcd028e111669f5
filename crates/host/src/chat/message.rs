//! What a template is given: messages, and the texts of special tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use autoneural_core::recipe::Role;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ContentPart {
    /// An image; which one follows from the order in the conversation.
    Image,
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Vec<ContentPart>,
}

impl Message {
    /// A message of so many images and a text behind them.
    pub fn new(role: Role, images: usize, text: &str) -> Self {
        let mut content = vec![ContentPart::Image; images];
        content.push(ContentPart::Text { text: text.to_string() });
        Message { role, content }
    }

    /// The message as one text, in which the image token stands for an image.
    pub(super) fn flat(&self, specials: &Specials) -> String {
        // InternVL's own code puts a line end behind each image.
        let end = if specials.image_tags.is_some() { "\n" } else { "" };
        let text = |part: &ContentPart| match part {
            ContentPart::Image => format!("{}{end}", specials.image),
            ContentPart::Text { text } => text.clone(),
        };
        self.content.iter().map(text).collect()
    }
}

/// Texts of the special tokens that a template may write.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Specials {
    /// Begins a sequence.
    pub bos: String,
    /// Ends a sequence.
    pub eos: String,
    /// Stands for an image.
    pub image: String,
    /// What the model has before and behind the tokens of an image (InternVL), whether a template writes it or not.
    pub image_tags: Option<[String; 2]>,
    /// Further ones, by the names under which the checkpoint has them: `pad_token`.
    pub named: BTreeMap<String, Special>,
}

/// A special token of a name, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Special {
    /// One.
    One(String),
    /// Several, as of `additional_special_tokens`.
    Several(Vec<String>),
}
