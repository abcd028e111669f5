//! What the manifest says of prompts: how a question becomes tokens, with an example.

use super::{CHAT_TEMPLATE, Chat, Given, HostFacts, Message, Role, TOKENIZER, Tokenizer};
use crate::{ExampleRecord, PromptRecord, TemplateRecord, TokenRecord};
use autoneural_base::error::Result;
use autoneural_front::{Definition, Vision};

/// The question of the example.
const QUESTION: &str = "Which lamp is lit?";

/// What a host needs to know of the tokenizer and the chat template.
///
/// # Errors
/// A template or tokenizer that goes beyond its bounds.
pub fn prompt_contract(
    tokenizer: &Tokenizer,
    chat: &Chat,
    facts: &HostFacts,
    definition: &Definition,
) -> Result<PromptRecord> {
    let tokens = &definition.language.tokens;
    // A definition that was read before its bundle is made knows nothing of the checkpoint's files.
    let mut ends: Vec<u32> =
        std::iter::once(tokens.eos).chain(tokens.image).chain(facts.ends.iter().copied()).collect();
    ends.sort_unstable();
    ends.dedup();
    let example = example(tokenizer, chat)?;
    let record = |named: Option<(u32, &str)>| named.map(|(id, text)| TokenRecord { id, text: text.to_string() });
    let [bos, image] = tokenizer.named().map(record);
    let template = template(chat)?;
    Ok(PromptRecord {
        tokenizer: format!("model/{TOKENIZER}"),
        bos,
        image,
        visual_tokens: definition.vision().map_or(0, Vision::tokens),
        image_tags: chat.specials().image_tags.clone(),
        ends,
        template,
        example,
    })
}

fn template(chat: &Chat) -> Result<Option<TemplateRecord>> {
    let Some(Given { content, mut variables }) = chat.given(&[])? else { return Ok(None) };
    if let Some(variables) = variables.as_object_mut() {
        variables.remove("messages");
    }
    Ok(Some(TemplateRecord { file: format!("model/{CHAT_TEMPLATE}"), content, variables }))
}

/// A question about a picture, or without one where the template takes none.
fn example(tokenizer: &Tokenizer, chat: &Chat) -> Result<Option<ExampleRecord>> {
    for images in [1, 0] {
        let messages = [Message::new(Role::User, images, QUESTION)];
        let Ok(text) = chat.try_render(&messages)? else { continue };
        let Ok(tokens) = tokenizer.conversation(chat, &messages) else { continue };
        let messages = match chat.given(&messages)? {
            Some(given) => given.variables["messages"].clone(),
            None => serde_json::json!([{ "role": Role::User.name(), "content": text }]),
        };
        return Ok(Some(ExampleRecord { messages, text, tokens }));
    }
    Ok(None)
}
