//! Whether a chat template and a tokenizer do for the conversations that will come, before anything is made for them.

use super::chat::{Chat, Message, Role, Why};
use super::prompt::Tokenizer;
use crate::error::Result;
use crate::warning::Warning;

/// What is asked.
const QUESTION: &str = "Which lamp is lit?";
/// What a system message says.
const RULE: &str = "Answer in short.";
/// What was answered before.
const ANSWER: &str = "None of them.";

/// Renders and tokenizes a question, one with an image, one with two, a system message, and a second question. What the
/// template refuses by a rule of its own, or leaves out, is a warning.
///
/// # Errors
/// A template that fails.
pub fn probe(tokenizer: &Tokenizer, chat: &Chat, stage: &str) -> Result<Vec<Warning>> {
    if !chat.has_template() {
        return Ok(Vec::new());
    }
    let user = |images| Message::new(Role::User, images, QUESTION);
    let mut warnings = Vec::new();
    let mut warn = |what: &str, reason: String| {
        let message = format!("the chat template does not take {what}: {reason}");
        warnings.push(Warning::new(stage, chat.place(), message).help("prompts with it are refused, or miss it: use the chat template that the model was trained with"));
    };
    let conversations = [
        ("a question", vec![user(0)], QUESTION),
        ("an image", vec![user(1)], QUESTION),
        ("two images in one message", vec![user(2)], QUESTION),
        ("a system message", vec![Message::new(Role::System, 0, RULE), user(0)], RULE),
        ("a second question", vec![user(0), Message::new(Role::Assistant, 0, ANSWER), user(0)], ANSWER),
    ];
    for (what, messages, said) in conversations {
        match chat.try_render(&messages) {
            // What fails by mistake would fail in use; what the template refuses is its own rule.
            Err(complaint) if complaint.why == Why::Raised => warn(what, complaint.message),
            Err(complaint) => return Err(complaint.error(chat.place())),
            Ok(text) if !says(&text, said) => warn(what, "it leaves out the text of the message".to_string()),
            Ok(_) => {
                if let Err(error) = tokenizer.conversation(chat, &messages) {
                    warn(what, error.message);
                }
            }
        }
    }
    Ok(warnings)
}

/// Whether a prompt holds a text, in whichever case the template writes it.
fn says(prompt: &str, text: &str) -> bool {
    prompt.to_lowercase().contains(&text.to_lowercase())
}
