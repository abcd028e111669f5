//! What the files beside a tokenizer add to it, as transformers reads them: tokens that `tokenizer_config.json` lists
//! or names, and those of the older `special_tokens_map.json` and `added_tokens.json`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::bounded::Added;
use autoneural_base::error::{Error, Result};
use autoneural_base::text;

/// Name of the tokenizer's file in a checkpoint and in a bundle.
pub const TOKENIZER: &str = "tokenizer.json";
/// The files beside it, which may all be missing.
pub const BESIDE_TOKENIZER: [&str; 3] = [CONFIG, SPECIALS, ADDED];
const CONFIG: &str = "tokenizer_config.json";
const SPECIALS: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";
/// Largest file that is read.
const LARGEST_FILE: u64 = 16 << 20;
/// Keys of tokens that every tokenizer has, in the order in which they are added.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Tokens that are added to a tokenizer.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// Tokens that take the place of the tokenizer's own, in order.
    pub listed: Vec<Added>,
    /// Tokens by the number that they should have, which are added if no token that was added has it.
    pub numbered: Vec<(u32, Added)>,
    /// Tokens that are added where the tokenizer does not have them as added ones, in order.
    pub others: Vec<Added>,
    /// Texts of tokens by what they are for, such as `eos_token`, and the file that says so.
    pub roles: Vec<(String, String, PathBuf)>,
}

impl Additions {
    /// Reads the files of a folder.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or in which a token is no token.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut made = Additions::default();
        let config = read_object(&folder.join(CONFIG))?.unwrap_or_default();
        let path = folder.join(CONFIG);
        if config.get("split_special_tokens") == Some(&Value::Bool(true)) {
            return Err(Error::input(
                path.display(),
                "split_special_tokens: special tokens would be read as plain text",
            )
            .help("set it to false: a conversation needs them"));
        }
        let mut named = Named::default();
        named.read(&config, &path, false)?;
        match config.get("added_tokens_decoder") {
            Some(list) => made.listed = listed(list, &path)?,
            None => {
                let path = folder.join(SPECIALS);
                named.read(&read_object(&path)?.unwrap_or_default(), &path, true)?;
                made.numbered = numbered(folder, &named)?;
            }
        }
        let listed = made.listed.iter_mut().chain(made.numbered.iter_mut().map(|(_, token)| token));
        for token in listed {
            token.special |= named.roles.iter().any(|(_, named, _)| named.content == token.content);
        }
        made.roles =
            named.roles.iter().map(|(key, token, path)| (key.clone(), token.content.clone(), path.clone())).collect();
        let rank = |key: &str| ROLES.iter().position(|role| *role == key).unwrap_or(ROLES.len());
        named.roles.sort_by_key(|(key, ..)| rank(key));
        made.others = named.roles.into_iter().map(|(_, token, _)| token).chain(named.extra).collect();
        Ok(made)
    }
}

/// Tokens that files name.
#[derive(Default)]
struct Named {
    roles: Vec<(String, Added, PathBuf)>,
    extra: Vec<Added>,
}

impl Named {
    /// Takes in what a file names; `is_map` for `special_tokens_map.json`, which is read after the other.
    fn read(&mut self, file: &Map<String, Value>, path: &Path, is_map: bool) -> Result<()> {
        let empty = |value: &&Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let extra = file.get("extra_special_tokens").filter(|value| !empty(value));
        // An older name, for where the newer one says nothing.
        let older = file.get("additional_special_tokens").filter(|value| self.extra.is_empty() && !empty(value));
        let extra = extra.or(older);
        let roles = file.iter().filter(|(key, value)| key.ends_with("_token") && is_token(value));
        let of_extra = extra.and_then(Value::as_object).into_iter().flatten();
        for (key, value) in roles.chain(of_extra) {
            let mut token = token(value, &format!("{}: {key}", path.display()), is_map)?;
            token.special = true;
            self.roles.retain(|(known, ..)| known != key);
            self.roles.push((key.clone(), token, path.to_path_buf()));
        }
        for (at, value) in extra.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let token = token(value, &format!("{}: extra_special_tokens[{at}]", path.display()), is_map)?;
            if !self.extra.contains(&token) {
                self.extra.push(token);
            }
        }
        Ok(())
    }
}

fn is_token(value: &Value) -> bool {
    value.is_string() || value["content"].is_string()
}

/// Tokens of `added_tokens_decoder`, by their numbers. The numbers only order them.
fn listed(list: &Value, path: &Path) -> Result<Vec<Added>> {
    let place = format!("{}: added_tokens_decoder", path.display());
    let list = list.as_object().ok_or_else(|| Error::input(&place, "is no object"))?;
    let mut made = Vec::new();
    for (number, value) in list {
        let place = format!("{place}: {number}");
        let number: u32 = number.trim().parse().map_err(|_| Error::input(&place, "is no number of a token"))?;
        made.push((number, token(value, &place, false)?));
    }
    made.sort_by_key(|(number, _)| *number);
    Ok(made.into_iter().map(|(_, token)| token).collect())
}

/// Tokens of `added_tokens.json`.
fn numbered(folder: &Path, named: &Named) -> Result<Vec<(u32, Added)>> {
    let path = folder.join(ADDED);
    let mut made = Vec::new();
    for (content, number) in read_object(&path)?.unwrap_or_default() {
        let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| Error::input(format!("{}: {content}", path.display()), "has no number"))?;
        let known = named.roles.iter().filter(|(key, ..)| ROLES.contains(&key.as_str())).map(|(_, token, _)| token);
        let special = known.chain(&named.extra).any(|token| token.content == content);
        made.push((
            number,
            Added { content, single_word: false, lstrip: false, rstrip: false, normalized: !special, special },
        ));
    }
    made.sort_by_key(|(number, _)| *number);
    Ok(made)
}

/// A token: its text alone, which is then special, or with what Python's AddedToken takes.
fn token(value: &Value, place: &str, special: bool) -> Result<Added> {
    let flag = |key: &str| match &value[key] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(Error::input(place, format!("{key}: {other} is neither true nor false"))),
    };
    let content = value.as_str().or_else(|| value["content"].as_str());
    let content = content.ok_or_else(|| Error::input(place, "is no token: it has no content"))?.to_string();
    let special = special || value.is_string() || flag("special")?.unwrap_or(false);
    Ok(Added {
        content,
        single_word: flag("single_word")?.unwrap_or(false),
        lstrip: flag("lstrip")?.unwrap_or(false),
        rstrip: flag("rstrip")?.unwrap_or(false),
        normalized: flag("normalized")?.unwrap_or(!special),
        special,
    })
}

/// A JSON object from a file, if it is there.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub(crate) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    match text::json(path, &text::read_at_most(path, LARGEST_FILE)?)? {
        Value::Object(object) => Ok(Some(object)),
        _ => Err(Error::input(path.display(), "is no JSON object")),
    }
}

/// The error of a folder without `tokenizer.json`, which names what there is in its place.
pub(crate) fn missing(folder: &Path) -> Error {
    let path = folder.join(TOKENIZER);
    let is_there = |name: &&str| folder.join(name).is_file();
    let known = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model"];
    let (name, what) = if let Some(name) = known.iter().find(|name| is_there(name)) {
        (name.to_string(), "a SentencePiece model")
    } else if let Some(name) = ["tekken.json"].iter().find(|name| is_there(name)) {
        (name.to_string(), "Mistral's own format")
    } else if let Some(name) = with_ending(folder, "tiktoken") {
        (name, "a tiktoken vocabulary")
    } else if let Some(name) = ["vocab.json", "vocab.txt"].iter().find(|name| is_there(name)) {
        (name.to_string(), "a vocabulary of the slow tokenizers of transformers")
    } else {
        let missing = std::io::Error::from_raw_os_error(libc::ENOENT);
        return Error::reading(&path, &missing).help(FORMAT);
    };
    let place = folder.display();
    let message = format!("is missing; {name} is {what}, which is not read");
    Error::input(path.display(), message).help(format!(
        "transformers converts it, where sentencepiece and tiktoken are installed: python3 -c \"from transformers \
         import AutoTokenizer; AutoTokenizer.from_pretrained('{place}').save_pretrained('{place}')\""
    ))
}

/// What is wanted, where nothing is there.
pub(crate) const FORMAT: &str = "the checkpoint's tokenizer.json is wanted, in the format of Hugging Face tokenizers";

fn with_ending(folder: &Path, ending: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(std::result::Result::ok);
    let mut names =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|found| found == ending));
    Some(names.next()?.file_name()?.to_string_lossy().into_owned())
}
