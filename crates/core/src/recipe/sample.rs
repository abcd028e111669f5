//! Samples of a recipe: what the model runs on while ranges are observed and results are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::paths::one_or_many;
use super::windows::{Window, Windows};
use autoneural_base::error::{Error, Result};

/// The first schema in which a sample can be a conversation; before it, a prompt was raw text.
pub(crate) const CONVERSATIONS: u32 = 2;

/// Help for a sample that is none of these, or several.
const FORMS: &str = "a sample has one of: `prompt`, a user's question; `messages`, a conversation; `text`, which is \
                     taken as it stands, special tokens and all; `file`, a text file; and of a model that takes no \
                     words: `tensors`, a file of arrays; `inputs`, a file for each input";
/// Help for a text file without windows.
const WINDOWED: &str = "a text file is cut into windows of `window` tokens, of which `windows` are samples: \
                        { file = \"prose.txt\", window = 512, windows = \"100..112\" }";
/// Most samples that one file gives.
const MOST_WINDOWS: usize = 4096;

/// Who wrote a message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the model.
    System,
    /// The user, who asks.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Its name in chat templates.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One sample, with or without images.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// All its image files, relative to the recipe, in the order in which the model sees them. In TOML `image` is one
    /// path or a list of paths, beside a `prompt` or a `text`, or inside the message that shows it.
    #[serde(default, rename = "image", deserialize_with = "one_or_many")]
    pub images: Vec<PathBuf>,
    prompt: Option<String>,
    messages: Option<Vec<Turn>>,
    text: Option<String>,
    /// A text file, of whose windows each is a sample.
    file: Option<PathBuf>,
    /// Tokens of a window of `file`.
    window: Option<usize>,
    /// Which windows of `file`.
    windows: Option<Windows>,
    /// A file of arrays, one for each input of a graph, relative to the recipe: for a model that takes no text.
    tensors: Option<PathBuf>,
    /// Which of the samples that are stacked in `tensors`, from 0.
    row: Option<usize>,
    /// A file for each input of a graph, by the input's name: a picture, an array or raw numbers.
    inputs: Option<BTreeMap<String, PathBuf>>,
    /// The right answer. Its tokens follow the prompt, as if the model had generated them.
    pub answer: Option<String>,
    /// A text is cut off or repeated to this many tokens; if not given, it stays as it is. So a place in the context is
    /// reached without a text of that length.
    pub tokens: Option<usize>,
    /// The place of the sample in its recipe, for messages.
    #[serde(skip)]
    pub place: String,
    /// The folder that its paths are relative to.
    #[serde(skip)]
    folder: PathBuf,
    /// Name of a sample without text.
    #[serde(skip)]
    name: String,
    /// Whether a prompt is raw text, as in schema 1.
    #[serde(skip)]
    raw_prompt: bool,
}

/// A message as it is written in a recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    role: Role,
    #[serde(default, rename = "image", deserialize_with = "one_or_many")]
    images: Vec<PathBuf>,
    content: String,
}

/// The files of a sample without text; paths are relative to its folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrays<'a> {
    /// A file with one array for each input, and which of the samples that are stacked in it.
    File(&'a Path, Option<usize>),
    /// A file for each input.
    Each(&'a BTreeMap<String, PathBuf>),
}

/// The text of a sample.
#[derive(Debug, PartialEq)]
pub enum Words<'a> {
    /// Messages for the chat template, the last of which is a user's.
    Conversation(Vec<Said<'a>>),
    /// Text that is tokenized as it is, including special tokens that are written in it.
    Text(&'a str),
    /// A stretch of a text file's tokens, before which nothing stands.
    Window(Window<'a>),
}

/// A message: some images, followed by a text.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Said<'a> {
    /// Who wrote it.
    pub role: Role,
    /// How many of the sample's images it shows.
    pub images: usize,
    /// The text.
    pub content: &'a str,
}

impl Turn {
    fn said(&self) -> Said<'_> {
        Said { role: self.role, images: self.images.len(), content: &self.content }
    }
}

impl Sample {
    /// Its text: a conversation, or raw text. Empty raw text for a sample without text.
    pub fn words(&self) -> Words<'_> {
        if let (Some(file), Some(tokens), Some(windows)) = (&self.file, self.window, self.windows) {
            return Words::Window(Window { file, tokens, number: windows.start });
        }
        match (&self.messages, &self.prompt, &self.text) {
            (Some(messages), ..) => Words::Conversation(messages.iter().map(Turn::said).collect()),
            (None, Some(prompt), _) if !self.raw_prompt => {
                Words::Conversation(vec![Said { role: Role::User, images: self.images.len(), content: prompt }])
            }
            (None, prompt, text) => Words::Text(prompt.as_ref().or(text.as_ref()).map_or("", String::as_str)),
        }
    }

    /// Whether its text is tokenized as it is, without the chat template.
    pub fn is_raw(&self) -> bool {
        matches!(self.words(), Words::Text(_) | Words::Window(_))
    }

    /// Whether another sample asks the same, about images of the same names.
    pub(crate) fn asks_as(&self, other: &Sample) -> bool {
        let all = |sample: &Sample| (sample.images.clone(), sample.answer.clone(), sample.tokens);
        self.words() == other.words() && self.arrays() == other.arrays() && all(self) == all(other)
    }

    /// Its files, if it is a sample without text.
    pub fn arrays(&self) -> Option<Arrays<'_>> {
        let file = self.tensors.as_deref().map(|path| Arrays::File(path, self.row));
        file.or_else(|| self.inputs.as_ref().map(Arrays::Each))
    }

    /// The files that it names beside images, by their paths in the recipe.
    pub fn files(&self) -> Vec<&Path> {
        match self.arrays() {
            Some(Arrays::File(path, _)) => vec![path],
            Some(Arrays::Each(files)) => files.values().map(PathBuf::as_path).collect(),
            None => self.file.iter().map(PathBuf::as_path).collect(),
        }
    }

    /// Path of a file that it names, joined to the folder that it is relative to.
    pub fn beside(&self, name: &Path) -> PathBuf {
        self.folder.join(name)
    }

    /// The last question, as a name for the sample; the names of its files if it has no text.
    pub fn title(&self) -> &str {
        match self.words() {
            _ if self.arrays().is_some() => &self.name,
            Words::Window(_) => &self.name,
            Words::Conversation(said) => said.last().map_or("", |said| said.content),
            Words::Text(text) => text,
        }
    }

    /// The whole text for a person to read, with the right answer if there is one; the names of its files if it has no
    /// text.
    pub fn shown(&self) -> String {
        if self.arrays().is_some() {
            return self.name.clone();
        }
        let mut lines: Vec<String> = match self.words() {
            Words::Text(text) => return text.to_string(),
            Words::Window(_) => return self.name.clone(),
            Words::Conversation(said) if said.len() == 1 => vec![said[0].content.to_string()],
            Words::Conversation(said) => {
                said.iter().map(|said| format!("{}: {}", said.role.name(), said.content)).collect()
            }
        };
        lines.extend(self.answer.iter().map(|answer| format!("answer: {answer}")));
        lines.join("\n")
    }

    /// Checks a sample that was read from a recipe of this schema, and collects the images of its messages.
    ///
    /// # Errors
    /// The sample is none of the possible forms, or several; it has a key that the schema does not know; or the path of
    /// a file leaves the folder.
    pub(super) fn settle(&mut self, schema: u32, folder: &Path, place: String) -> Result<()> {
        (self.place, self.folder) = (place, folder.to_path_buf());
        self.raw_prompt = schema < CONVERSATIONS;
        match self.raw_prompt {
            true => self.check_raw()?,
            false => self.check()?,
        }
        if self.tokens == Some(0) {
            return Err(Error::input(format!("{}.tokens", self.place), "0 tokens are no prompt"));
        }
        if let Some(path) = self.files().into_iter().find(|path| !autoneural_base::text::stays_inside(path)) {
            return Err(self.error("", format!("`{}` leaves the folder of the recipe", path.display())));
        }
        self.name = self.files().iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        if let Some(row) = self.row {
            self.name.push_str(&format!("[{row}]"));
        }
        self.images.extend(self.messages.iter().flatten().flat_map(|turn| turn.images.iter().cloned()));
        match self.images.iter().find(|image| !autoneural_base::text::stays_inside(image)) {
            Some(image) => Err(self.error("", format!("image `{}` leaves the folder of the recipe", image.display()))),
            None => Ok(()),
        }
    }

    fn error(&self, key: &str, message: impl fmt::Display) -> Error {
        Error::input(format!("{}{key}", self.place), message)
    }

    /// The keys that the sample has, of those that exclude each other.
    fn given(&self) -> Vec<&'static str> {
        let all = [
            ("prompt", self.prompt.is_some()),
            ("messages", self.messages.is_some()),
            ("text", self.text.is_some()),
            ("file", self.file.is_some()),
            ("tensors", self.tensors.is_some()),
            ("inputs", self.inputs.is_some()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    fn check_raw(&self) -> Result<()> {
        let later = self.given().into_iter().find(|key| *key != "prompt").or(self.answer.as_ref().map(|_| "answer"));
        if let Some(key) = later {
            let message = format!("`{key}` is known from schema {CONVERSATIONS} on; the recipe says schema 1");
            let help = format!("set `schema = {CONVERSATIONS}`; there a `prompt` goes through the chat template");
            return Err(self.error("", message).help(help));
        }
        match self.prompt.as_deref() {
            None => Err(self.error("", "has no `prompt`")),
            Some("") => Err(self.error("", "the prompt is empty")),
            Some(_) => Ok(()),
        }
    }

    fn check(&self) -> Result<()> {
        let given = self.given();
        if given.len() != 1 {
            let message = match given.as_slice() {
                [] => "asks nothing: it has no `prompt`, `messages`, `text`, `file`, `tensors` or `inputs`".to_string(),
                several => format!("has `{}`; one of them is wanted", several.join("` and `")),
            };
            return Err(self.error("", message).help(FORMS));
        }
        if self.row.is_some() && self.tensors.is_none() {
            return Err(self.error(".row", "is one of the samples in `tensors`, of which there are none"));
        }
        if self.arrays().is_some() {
            if !self.images.is_empty() || self.answer.is_some() || self.tokens.is_some() {
                return Err(self.error("", format!("has `{}`, beside which nothing else stands", given[0])));
            }
            return match &self.inputs {
                Some(files) if files.is_empty() => Err(self.error(".inputs", "names no file")),
                _ => Ok(()),
            };
        }
        match (&self.file, self.window, self.windows) {
            (None, None, None) => {}
            (Some(_), Some(_), Some(_)) => return self.check_file(),
            _ => return Err(self.error("", "has not all of `file`, `window` and `windows`").help(WINDOWED)),
        }
        let is_text = self.text.is_some();
        if self.tokens.is_some() && !is_text {
            let message = format!("cuts or repeats a `text`; `{}` goes through the chat template whole", given[0]);
            return Err(self.error(".tokens", message).help("write the sample as `text`, or leave out `tokens`"));
        }
        if self.answer.is_some() && is_text {
            return Err(self.error(".answer", "follows a `prompt` or `messages`; a `text` holds its answer itself"));
        }
        let (prompt, text, answer) = (self.prompt.as_deref(), self.text.as_deref(), self.answer.as_deref());
        for (what, said) in [("prompt", prompt), ("text", text), ("answer", answer)] {
            if said.is_some_and(|said| said.trim().is_empty()) {
                return Err(self.error("", format!("the {what} is empty")));
            }
        }
        match &self.messages {
            Some(messages) => self.check_messages(messages),
            None => Ok(()),
        }
    }

    fn check_file(&self) -> Result<()> {
        if !self.images.is_empty() || self.answer.is_some() || self.tokens.is_some() {
            return Err(self.error("", "has `file`, beside which only `window` and `windows` stand"));
        }
        let count = self.windows.map_or(0, |windows| windows.end - windows.start);
        match (self.window, count) {
            (Some(0), _) => Err(self.error(".window", "0 tokens are no window")),
            (_, count) if count > MOST_WINDOWS => {
                Err(self.error(".windows", format!("are {count}; at most {MOST_WINDOWS} are samples")))
            }
            _ => Ok(()),
        }
    }

    /// The samples that it stands for: one for each window of its file, or itself.
    fn apart(self) -> Vec<Sample> {
        let Some(Windows { start, end }) = self.windows else { return vec![self] };
        let one = |number| Sample {
            windows: Some(Windows { start: number, end: number + 1 }),
            name: format!("{}, window {number}", self.name),
            ..self.clone()
        };
        (start..end).map(one).collect()
    }

    fn check_messages(&self, messages: &[Turn]) -> Result<()> {
        if let Some(image) = self.images.first() {
            let message = format!("image `{}` stands beside `messages`, where no message shows it", image.display());
            let help = "put it into the message that shows it: { role = \"user\", image = \"…\", content = \"…\" }";
            return Err(self.error("", message).help(help));
        }
        for (at, turn) in messages.iter().enumerate() {
            let fault = match turn.role {
                _ if turn.content.trim().is_empty() => "has no content",
                Role::System if at > 0 => "is a system message, which only begins a conversation",
                Role::System | Role::Assistant if !turn.images.is_empty() => {
                    "shows an image; only a user's message does"
                }
                _ => continue,
            };
            return Err(self.error(&format!(".messages[{at}]"), fault));
        }
        match messages.last().map(|turn| turn.role) {
            Some(Role::User) => Ok(()),
            Some(_) => Err(self
                .error(&format!(".messages[{}]", messages.len() - 1), "is not a user's, and so asks for no answer")
                .help("end with a user's message; what the model should say to it is the sample's `answer`")),
            None => Err(self.error(".messages", "is empty").help(FORMS)),
        }
    }
}

/// Checks the samples of a list.
pub(super) fn settle(samples: &mut Vec<Sample>, schema: u32, origin: &Origin, list: &str) -> Result<()> {
    for (index, mut sample) in std::mem::take(samples).into_iter().enumerate() {
        sample.settle(schema, &origin.folder, format!("{}: {list}[{index}]", origin.place.display()))?;
        samples.extend(sample.apart());
    }
    Ok(())
}
