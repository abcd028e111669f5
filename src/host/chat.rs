//! Conversations as text: the checkpoint's chat template, in the conventions of Hugging Face transformers.
//!
//! A template is somebody else's program. It sees the messages and nothing else, its steps are counted, and what it
//! writes is limited.

use std::io::Write;
use std::path::{Path, PathBuf};

use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::{Deserialize, Serialize};

use crate::contain::contain;
use crate::error::{Error, Result};

/// Name of the template's file in a checkpoint and in a bundle.
pub const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// Where older checkpoints have their template.
const CONFIG: &str = "tokenizer_config.json";
/// Largest file that is read.
const LARGEST_FILE: u64 = 16 << 20;
/// Steps that a template may take; one for a message takes some dozens a message.
const MOST_STEPS: u64 = 10_000_000;
/// Most bytes that a template may write.
const MOST_TEXT: usize = 16 << 20;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whoever sets the model up.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Part {
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
    pub content: Vec<Part>,
}

impl Message {
    /// A message of so many images and a text behind them.
    pub fn new(role: Role, images: usize, text: &str) -> Self {
        let mut content = vec![Part::Image; images];
        content.push(Part::Text { text: text.to_string() });
        Message { role, content }
    }

    /// The message as one text, in which `marker` stands for an image.
    fn flat(&self, marker: &str) -> String {
        let text = |part: &Part| match part {
            Part::Image => marker.to_string(),
            Part::Text { text } => text.clone(),
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
}

/// How a conversation becomes the text of a prompt. Only a process in bounds has one.
pub struct Chat {
    specials: Specials,
    template: Template,
}

/// The prompt of a conversation with a model that has no template: the messages' own text, one after the other.
pub fn without_template(messages: &[Message], specials: &Specials) -> String {
    messages.iter().map(|message| message.flat(&specials.image)).collect()
}

struct Template {
    path: PathBuf,
    environment: Environment<'static>,
    /// Whether a message's content is a list of parts to the template, and not a text.
    takes_parts: bool,
}

/// The text of a checkpoint's chat template, if it has one.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn find_template(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(CHAT_TEMPLATE);
    if path.symlink_metadata().is_ok() {
        return crate::text::read(&path).map(Some);
    }
    let path = folder.join(CONFIG);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let config: serde_json::Value = crate::text::json(&path, &crate::text::read_at_most(&path, LARGEST_FILE)?)?;
    Ok(match &config["chat_template"] {
        serde_json::Value::String(text) => Some(text.clone()),
        // Some checkpoints have several by name.
        serde_json::Value::Array(list) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            default.and_then(|entry| entry["template"].as_str()).map(String::from)
        }
        _ => None,
    })
}

impl Chat {
    /// Parses a template; `place` is for messages.
    ///
    /// # Errors
    /// A template that is no Jinja template, by file and line.
    pub fn parse(place: &Path, text: String, specials: Specials) -> Result<Self> {
        let template = Template::new(place.to_path_buf(), text, &specials)?;
        Ok(Chat { specials, template })
    }

    /// The prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// The template fails, by file and line.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.template.render(messages, &self.specials)
    }
}

impl Template {
    fn new(path: PathBuf, text: String, specials: &Specials) -> Result<Self> {
        let mut environment = environment();
        environment
            .add_template_owned(CHAT_TEMPLATE, text)
            .map_err(|error| template_error(&path, &error, "is no chat template"))?;
        let mut made = Template { path, environment, takes_parts: true };
        // A template that was written for plain text prints the list of parts itself: its keys, and the text in quotes.
        let probe = made.render(&[Message::new(Role::User, 0, "probe")], specials).unwrap_or_default();
        let printed = |quote| ["type", "probe"].iter().all(|word| probe.contains(&format!("{word}{quote}")));
        made.takes_parts = !['"', '\''].into_iter().any(printed);
        Ok(made)
    }

    fn render(&self, messages: &[Message], specials: &Specials) -> Result<String> {
        let message = |message: &Message| match self.takes_parts {
            true => Value::from_serialize(message),
            false => context! { role => message.role, content => message.flat(&specials.image) },
        };
        let values = context! {
            messages => messages.iter().map(message).collect::<Vec<_>>(),
            add_generation_prompt => true,
            bos_token => specials.bos,
            eos_token => specials.eos,
        };
        let mut text = Limited(Vec::new());
        let work = || self.environment.get_template(CHAT_TEMPLATE)?.render_captured_to(values, &mut text).map(drop);
        contain(work)
            .map_err(|panic| Error::input(self.path.display(), format!("the chat template fails: {panic}")))?
            .map_err(|error| template_error(&self.path, &error, "the chat template fails"))?;
        String::from_utf8(text.0).map_err(|error| Error::internal(self.path.display(), error))
    }
}

/// What templates find in transformers: its whitespace rules, its functions, methods of Python's strings and lists.
fn environment() -> Environment<'static> {
    let mut made = Environment::new();
    made.set_trim_blocks(true);
    made.set_lstrip_blocks(true);
    made.set_auto_escape_callback(|_| AutoEscape::None);
    made.set_fuel(Some(MOST_STEPS));
    made.set_unknown_method_callback(unknown_method_callback);
    made.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    // Unlike the engine's own, this one leaves `<` and `&` as they are.
    made.add_filter("tojson", |value: Value, _: Kwargs| {
        serde_json::to_string(&value)
            .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
    });
    made
}

fn template_error(path: &Path, error: &minijinja::Error, what: &str) -> Error {
    let place = match error.line() {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    };
    let detail = error.detail().map(String::from).unwrap_or_else(|| error.kind().to_string());
    Error::input(place, format!("{what}: {detail}"))
        .help("the template is the checkpoint's chat_template.jinja, or chat_template in its tokenizer_config.json")
}

/// Text that ends in an error where it becomes too long.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_TEXT {
            return Err(std::io::Error::other(format!("more than {MOST_TEXT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, messages: &[Message]) -> Result<String> {
        let specials = Specials { bos: "<s>".into(), eos: "</s>".into(), image: "<image>".into() };
        let template = Template::new("t.jinja".into(), template.into(), &specials)?;
        Chat { specials, template }.render(messages)
    }

    fn talk() -> Vec<Message> {
        vec![
            Message::new(Role::System, 0, "Be <brief>."),
            Message::new(Role::User, 2, "Which lamp?"),
            Message::new(Role::Assistant, 0, "None."),
        ]
    }

    #[test]
    fn templates_see_parts_or_text() {
        let parts = "{{ bos_token }}{% for m in messages %}\n[{{ m.role }}]\n\
            {%- for part in m['content'] %}\n    {% if part['type'] == 'image' %}<image>{% else %}{{ part.text }}\
            {% endif %}\n{% endfor %}\n{% endfor %}\n{% if add_generation_prompt %}[assistant]{% endif %}";
        let wanted = "<s>[system]Be <brief>.[user]<image><image>Which lamp?[assistant]None.[assistant]";
        assert_eq!(render(parts, &talk()).unwrap().replace(['\n', ' '], ""), wanted.replace(' ', ""));
        let text = "{{- bos_token -}}{%- for m in messages -%}{%- set content = m['content'] -%}\
            {%- if content is not string -%}{%- set content = content | tojson -%}{%- endif -%}\
            [{{ m['role'] }}]{{ content.strip() }}{%- endfor -%}[assistant]";
        assert_eq!(render(text, &talk()).unwrap(), wanted);
    }

    /// Constructs that templates of published vision-language checkpoints use.
    #[test]
    fn the_language_of_published_templates_is_understood() {
        let template = r#"{{- bos_token -}}
{%- set keep_past_thinking = keep_past_thinking | default(false) -%}
{%- set ns = namespace(system_prompt="", last=-1) -%}
{%- if messages[0]["role"] == "system" -%}
    {%- set ns.system_prompt = messages[0]["content"][0]["text"] -%}
    {%- set messages = messages[1:] -%}
{%- endif -%}
{%- if tools is defined and tools -%}{{- tools | map("tojson") | join(", ") -}}{%- endif -%}
{%- if ns.system_prompt -%}{{- "<|im_start|>system\n" + ns.system_prompt.strip() + "<|im_end|>\n" -}}{%- endif -%}
{%- for message in messages -%}
    {%- if message["role"] == "assistant" -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
    {{- "<|im_start|>" + message["role"] + "\n" -}}
    {%- set content = message["content"] -%}
    {%- if content is not string -%}
        {%- set parts = namespace(text="") -%}
        {%- for item in content -%}
            {%- if item["type"] == "image" -%}{%- set parts.text = parts.text + "<image>" -%}
            {%- elif item["type"] == "text" -%}{%- set parts.text = parts.text + item["text"] -%}
            {%- else -%}{%- set parts.text = parts.text + item | tojson -%}{%- endif -%}
        {%- endfor -%}
        {%- set content = parts.text -%}
    {%- endif -%}
    {%- if message["role"] == "assistant" and not keep_past_thinking and loop.index0 != ns.last -%}
        {%- if "</think>" in content -%}{%- set content = content.split("</think>")[-1] | trim -%}{%- endif -%}
    {%- endif -%}
    {{- content + "<|im_end|>\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\n" -}}{%- endif -%}"#;
        let mut messages = talk();
        messages.push(Message::new(Role::User, 0, "Sure?"));
        let wanted = "<s><|im_start|>system\nBe <brief>.<|im_end|>\n<|im_start|>user\n<image><image>Which lamp?<|im_end|>\n\
            <|im_start|>assistant\nNone.<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(render(template, &messages).unwrap(), wanted);
    }

    #[test]
    fn failures_name_the_line() {
        let place = |template: &str| {
            let error = render(template, &talk()).unwrap_err();
            (error.place, error.message)
        };
        assert_eq!(place("a\n{% if %}").0, "t.jinja:2");
        let (at, message) = place("a\nb\n{{ raise_exception('roles must alternate') }}");
        assert_eq!((at.as_str(), message.contains("roles must alternate")), ("t.jinja:3", true));
        for endless in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
            "{% include '/etc/passwd' %}",
        ] {
            assert!(place(endless).0.starts_with("t.jinja"), "{endless}");
        }
    }
}
