//! A chat template: how it wants its messages, and what it makes of them.

use std::collections::BTreeMap;

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use super::find::TemplateSource;
use super::message::{ContentPart, Message, Role, Special, Specials};
use super::python::{Engine, Refusal, Why, dict, list};
use crate::Content;
use autoneural_base::contain::contain;
use autoneural_base::error::{Error, Result};

/// How the content of a message is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A list of parts; an image is `{"type": "image"}`.
    Parts,
    /// A list of parts; an image is `{"type": "image_url", "image_url": {"url": …}}`.
    Urls,
    /// One text.
    Text,
}

impl Form {
    fn content(self) -> Content {
        match self {
            Form::Parts => Content::Parts,
            Form::Urls => Content::Urls,
            Form::Text => Content::Text,
        }
    }
}

/// A template that was read.
pub(crate) struct Template {
    /// Where it stands, and its text.
    pub source: TemplateSource,
    engine: Engine,
    user: Form,
    system: Form,
    assistant: Form,
}

/// Why a conversation has no text.
#[derive(Debug, Serialize, Deserialize)]
pub struct Complaint {
    /// The reason.
    pub message: String,
    /// Line of the template.
    pub line: Option<usize>,
    /// What kind of failure it is.
    pub why: Why,
}

impl Complaint {
    /// The error about a template at a place.
    pub fn error(&self, place: &str) -> Error {
        let place = self.line.map_or(place.to_string(), |line| format!("{place}:{line}"));
        Error::input(place, &self.message).help(
            "the template is the checkpoint's chat_template.jinja, or chat_template in its processor_config.json, \
             chat_template.json or tokenizer_config.json",
        )
    }

    fn of(refusal: Refusal, what: &str) -> Self {
        let Refusal { line, message, why } = refusal;
        Complaint { message: format!("{what}: {message}"), line, why }
    }
}

/// Question of the conversations that find out how a template wants its messages.
const PROBE: &str = "probe";

impl Template {
    /// Parses a template, and finds out how it wants its messages.
    ///
    /// # Errors
    /// A text that is no template, by line.
    pub(crate) fn new(source: TemplateSource, specials: &Specials) -> Result<Self> {
        let engine = Engine::new();
        contain(|| engine.check(&source.text))
            .map_err(|panic| Error::input(&source.place, format!("is no chat template: {panic}")))?
            .map_err(|refusal| Complaint::of(refusal, "is no chat template").error(&source.place))?;
        let parts = Form::Parts;
        let mut made = Template { source, engine, user: parts, system: parts, assistant: parts };
        made.user = made.form_of_user(specials);
        made.system = made.form_of(Role::System, specials);
        made.assistant = made.form_of(Role::Assistant, specials);
        Ok(made)
    }

    /// The form in which a question with an image gets its placeholder; else the one in which it gets its text.
    fn form_of_user(&mut self, specials: &Specials) -> Form {
        // A template that prints in quotes whatever it is given is taken last.
        for (images, quoted) in [(1, false), (0, false), (0, true)] {
            for form in [Form::Parts, Form::Urls, Form::Text] {
                self.user = form;
                let text = match self.render(&[Message::new(Role::User, images, PROBE)], specials) {
                    Ok(text) => text,
                    Err(complaint) if complaint.why == Why::Endless => return Form::Parts,
                    Err(_) => continue,
                };
                let said = if quoted { text.contains(PROBE) } else { is_said(&text) };
                // A model without pictures has no text that stands for one.
                let shown = if specials.image.is_empty() { 0 } else { text.matches(&specials.image).count() };
                if said && shown == images {
                    return form;
                }
            }
        }
        Form::Parts
    }

    /// The form of a role's messages: that of the user's, or text where only that is taken.
    fn form_of(&mut self, role: Role, specials: &Specials) -> Form {
        let user = |text| Message::new(Role::User, 0, text);
        let asked = Message::new(role, 0, PROBE);
        let messages = match role {
            Role::System => vec![asked, user("question")],
            _ => vec![user("question"), asked, user("question")],
        };
        for form in [self.user, Form::Text] {
            match role {
                Role::System => self.system = form,
                _ => self.assistant = form,
            }
            if self.render(&messages, specials).is_ok_and(|text| is_said(&text)) {
                return form;
            }
        }
        self.user
    }

    /// How the content of messages is given, by role.
    pub(crate) fn contents(&self) -> BTreeMap<String, Content> {
        let forms = [(Role::System, self.system), (Role::User, self.user), (Role::Assistant, self.assistant)];
        forms.map(|(role, form)| (role.name().to_string(), form.content())).into()
    }

    /// What the template is given for a conversation: its messages, and what else it can name.
    pub(crate) fn given(&self, messages: &[Message], specials: &Specials) -> serde_json::Value {
        let messages = list(messages.iter().map(|message| self.message(message, specials)).collect());
        serde_json::to_value(values(messages, specials)).unwrap_or_default()
    }

    /// The prompt of a conversation.
    ///
    /// # Errors
    /// The template fails or refuses.
    pub(crate) fn render(&self, messages: &[Message], specials: &Specials) -> Result<String, Complaint> {
        let what = "the chat template fails";
        let work = || {
            let messages = list(messages.iter().map(|message| self.message(message, specials)).collect());
            self.engine.render(&self.source.text, values(messages, specials))
        };
        let text = contain(work)
            .map_err(|panic| Complaint { message: format!("{what}: {panic}"), line: None, why: Why::Fault })?
            .map_err(|refusal| Complaint::of(refusal, what))?;
        Ok(with_tags(&text, specials))
    }

    fn message(&self, message: &Message, specials: &Specials) -> Value {
        let form = match message.role {
            Role::System => self.system,
            Role::User => self.user,
            Role::Assistant => self.assistant,
        };
        let content = match form {
            Form::Text => Value::from(message.flat(specials)),
            _ => list(message.content.iter().map(|part| part_of(part, form)).collect()),
        };
        named([("role", message.role.name().into()), ("content", content)])
    }
}

/// Whether a prompt holds the question as it was asked. A template that was written for plain text prints the list of
/// parts itself, with the text in quotes.
fn is_said(prompt: &str) -> bool {
    let printed = |quote| prompt.contains(&format!("{PROBE}{quote}"));
    prompt.contains(PROBE) && !['"', '\''].into_iter().any(printed)
}

fn named<const N: usize>(items: [(&str, Value); N]) -> Value {
    dict(items.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn part_of(part: &ContentPart, form: Form) -> Value {
    match (part, form) {
        (ContentPart::Text { text }, _) => named([("type", "text".into()), ("text", text.as_str().into())]),
        // Templates look whether there is an address, and do not write it.
        (ContentPart::Image, Form::Urls) => {
            named([("type", "image_url".into()), ("image_url", named([("url", "image".into())]))])
        }
        (ContentPart::Image, _) => named([("type", "image".into())]),
    }
}

/// The names that a template finds.
fn values(messages: Value, specials: &Specials) -> Value {
    let text = |text: &str| Value::from(text);
    let mut made = vec![
        ("messages".to_string(), messages),
        ("add_generation_prompt".to_string(), true.into()),
        ("tools".to_string(), ().into()),
        ("documents".to_string(), ().into()),
    ];
    let known = [("bos_token", &specials.bos), ("eos_token", &specials.eos), ("image_token", &specials.image)];
    made.extend(known.map(|(name, token)| (name.to_string(), text(token))));
    for (name, special) in &specials.named {
        let value = match special {
            Special::One(token) => text(token),
            Special::Several(tokens) => list(tokens.iter().map(|token| text(token)).collect()),
        };
        made.retain(|(known, _)| known != name);
        made.push((name.clone(), value));
    }
    made.into_iter().collect()
}

/// A prompt in which each image stands between the model's tags.
fn with_tags(prompt: &str, specials: &Specials) -> String {
    let Some([open, close]) = &specials.image_tags else { return prompt.to_string() };
    let mut pieces = prompt.split(specials.image.as_str()).peekable();
    let mut made = String::with_capacity(prompt.len());
    while let Some(piece) = pieces.next() {
        made.push_str(piece);
        if let Some(behind) = pieces.peek() {
            made.push_str(if made.ends_with(open) { "" } else { open });
            made.push_str(&specials.image);
            made.push_str(if behind.starts_with(close) { "" } else { close });
        }
    }
    made
}
