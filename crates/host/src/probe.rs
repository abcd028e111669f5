//! Whether a chat template and a tokenizer do for the conversations that will come, before anything is made for them.

use super::bounded::Chat;
use super::chat::{ContentPart, Message, Role, Why};
use super::prompt::Tokenizer;
use autoneural_base::error::Result;
use autoneural_base::warning::Warning;

/// What is asked.
const QUESTION: &str = "Which lamp is lit?";
/// What a system message says.
const RULE: &str = "Answer in short.";
/// What was answered before.
const ANSWER: &str = "None of them.";

/// Renders and tokenizes a question, one with an image, one with two, a system message, and a second question. What
/// does not go is a warning, as long as anything goes.
///
/// # Errors
/// A template that fails whatever it is asked for, or that comes to no end.
pub fn probe(tokenizer: &Tokenizer, chat: &Chat, stage: &str) -> Result<Vec<Warning>> {
    if !chat.has_template() {
        return Ok(Vec::new());
    }
    let user = |images| Message::new(Role::User, images, QUESTION);
    let conversations = [
        ("a question", vec![user(0)], QUESTION),
        ("an image", vec![user(1)], QUESTION),
        ("two images in one message", vec![user(2)], QUESTION),
        ("a system message", vec![Message::new(Role::System, 0, RULE), user(0)], RULE),
        ("a second question", vec![user(0), Message::new(Role::Assistant, 0, ANSWER), user(0)], ANSWER),
    ];
    let shows = |message: &Message| message.content.contains(&ContentPart::Image);
    let takes = |messages: &[Message]| tokenizer.takes_pictures() || !messages.iter().any(shows);
    let conversations: Vec<_> = conversations.into_iter().filter(|(_, messages, _)| takes(messages)).collect();
    let (mut warnings, mut faults) = (Vec::new(), Vec::new());
    for (what, messages, said) in &conversations {
        let (place, reason) = match chat.try_render(messages)? {
            Err(complaint) => {
                let error = complaint.error(chat.place());
                match complaint.why {
                    Why::Endless => return Err(error),
                    // What the template refuses is its own rule.
                    Why::Raised => {}
                    Why::Fault => faults.push(complaint.error(chat.place())),
                }
                (error.place, error.message)
            }
            Ok(text) if !says(&text, said) => {
                (chat.place().into(), "it leaves out the text of the message".to_string())
            }
            Ok(_) => match tokenizer.conversation(chat, messages) {
                Ok(_) => continue,
                Err(error) => (chat.place().into(), error.message),
            },
        };
        let message = format!("the chat template does not take {what}: {reason}");
        let help = "prompts with it are refused, or miss it: use the chat template that the model was trained with";
        warnings.push(Warning::new(stage, place, message).help(help));
    }
    let fails = faults.len() == conversations.len();
    faults.into_iter().next().filter(|_| fails).map_or(Ok(warnings), Err)
}

/// Whether a prompt holds a text, in whichever case the template writes it.
fn says(prompt: &str, text: &str) -> bool {
    prompt.to_lowercase().contains(&text.to_lowercase())
}
