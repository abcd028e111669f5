//! Whether a chat template and a tokenizer do for the conversations that will come, before anything is made for them.

use super::chat::{CHAT_TEMPLATE, Chat, Message, Role};
use super::prompt::Tokenizer;
use crate::error::{Error, Result};
use crate::warning::Warning;

/// What is asked.
const QUESTION: &str = "Which lamp is lit?";
/// What a system message says.
const RULE: &str = "Answer in short.";
/// What was answered before.
const ANSWER: &str = "None of them.";

/// Renders and tokenizes a question, one with an image, one with two, a system message, and a second question.
///
/// # Errors
/// A template that fails, or that takes no image or no text.
pub fn probe(tokenizer: &Tokenizer, chat: &Chat, stage: &str) -> Result<Vec<Warning>> {
    if !chat.has_template() {
        return Ok(Vec::new());
    }
    let user = |images| Message::new(Role::User, images, QUESTION);
    // An error about the bundle's copy is one about the checkpoint's file.
    let here = |mut error: Error| {
        if error.place == CHAT_TEMPLATE {
            error.place = chat.place().to_string();
        }
        error
    };
    for images in [1, 0] {
        let messages = [user(images)];
        tokenizer.conversation(chat, &messages).map_err(here)?;
        if !chat.render(&messages)?.contains(QUESTION) {
            return Err(Error::input(chat.place(), "the chat template leaves out the text of the user's message")
                .help("the chat template is for another model, or wants messages of another form"));
        }
    }
    let further = [
        ("two images in one message", vec![user(2)], QUESTION),
        ("a system message", vec![Message::new(Role::System, 0, RULE), user(1)], RULE),
        ("a second question", vec![user(1), Message::new(Role::Assistant, 0, ANSWER), user(0)], ANSWER),
    ];
    let mut warnings = Vec::new();
    for (what, messages, said) in further {
        let reason = match chat.try_render(&messages) {
            // What fails by mistake would fail in use; what the template refuses is its own rule.
            Err(complaint) if !complaint.raised => return Err(complaint.error(chat.place())),
            Err(complaint) => Some(complaint.message),
            Ok(text) if !text.contains(said) => Some(format!("it leaves out `{said}`")),
            Ok(_) => tokenizer.conversation(chat, &messages).err().map(|error| error.message),
        };
        if let Some(reason) = reason {
            let message = format!("the chat template does not take {what}: {reason}");
            warnings.push(Warning::new(stage, chat.place(), message).help("`run` refuses or misses it"));
        }
    }
    Ok(warnings)
}
