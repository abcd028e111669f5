//! Tokens that end an answer. A definition names one; the checkpoint's files may name more, and all of them end it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Tokenizer;
use super::additions::{Additions, read_object};
use autoneural_base::error::{Error, Result};
use autoneural_base::warning::Warning;
use autoneural_front::{Beside, Definition};

/// The files that name them by number.
pub const NAME_ENDS: [&str; 2] = ["generation_config.json", "config.json"];
/// Parts of `config.json` that describe the language model.
const PARTS: [&str; 3] = ["", "text_config", "llm_config"];

/// What a bundle keeps of a checkpoint beside its definition, in a file that is left out where there is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Tokens that end an answer, beside the definition's.
    pub ends: Vec<u32>,
}

impl HostFacts {
    /// Name of the file.
    pub const FILE: &str = "host.json";

    /// Reads the checkpoint's files, and says where they contradict the definition; `stage` is what warnings name.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or an end token that is no number.
    pub fn find(
        beside: &Beside,
        definition: &Definition,
        tokenizer: &Tokenizer,
        stage: &str,
    ) -> Result<(Self, Vec<Warning>)> {
        let folder = &beside.words;
        let (tokens, vocabulary) = (&definition.language.tokens, definition.language.vocabulary);
        let mut warnings = Vec::new();
        let mut warn = |place: &dyn std::fmt::Display, message: String, help: &str| {
            warnings.push(Warning::new(stage, place, message).help(help));
        };
        let mut ends = BTreeSet::new();
        let mut sources = Vec::new();
        for (place, token) in numbered(beside)? {
            if token as usize >= vocabulary {
                warn(&place, format!("token {token} cannot end an answer: the model knows {vocabulary}"), NO_ROW);
                continue;
            }
            ends.insert(token);
            sources.push((place, token));
        }
        let Additions { roles, .. } = Additions::read(folder)?;
        let texts: Vec<String> = roles.iter().map(|(_, text, _)| text.clone()).collect();
        for ((role, text, path), number) in roles.into_iter().zip(tokenizer.find(&texts)?) {
            let Some(number) = number.filter(|&number| (number as usize) < vocabulary) else { continue };
            let place = place(&path, &role);
            let said = match role.as_str() {
                "eos_token" => {
                    ends.insert(number);
                    sources.push((place, number));
                    continue;
                }
                "bos_token" => ("bos", tokens.bos),
                "image_token" | "context_image_token" => ("image", tokens.image),
                _ => continue,
            };
            let (key, Some(token)) = said else { continue };
            if token != number {
                let message = format!("is `{text}`, token {number}; the definition's {key} is {token}");
                warn(&place, message, CONTRADICTION);
            }
        }
        if let Some((place, token)) = sources.first().filter(|_| !ends.contains(&tokens.eos)) {
            let message = format!("token {token} ends an answer; the definition's eos is {}", tokens.eos);
            warn(place, format!("{message}; both are taken"), CONTRADICTION);
        }
        ends.remove(&tokens.eos);
        let left_out = &tokenizer.facts().left_out;
        if !left_out.is_empty() {
            let (count, place) = (left_out.len(), folder.join(super::TOKENIZER));
            let message =
                format!("the model has no row for {count} tokens that files beside it add: {}", shown(left_out));
            warn(&place.display(), message, "they are left out, and their texts are read as plain text");
        }
        Ok((HostFacts { ends: ends.into_iter().collect() }, warnings))
    }
}

const CONTRADICTION: &str = "one of the two is wrong: language.tokens of the definition, or the checkpoint's file";
const NO_ROW: &str = "it is left out; the definition may be of another model";

/// End tokens that are given by number, with their places.
fn numbered(beside: &Beside) -> Result<Vec<(String, u32)>> {
    let mut found = Vec::new();
    for name in NAME_ENDS {
        let path = beside.file(name);
        let Some(file) = read_object(&path)? else { continue };
        let file = Value::Object(file);
        for part in PARTS.into_iter().filter(|part| part.is_empty() || name == "config.json") {
            let (values, key) = match part {
                "" => (&file["eos_token_id"], "eos_token_id".to_string()),
                part => (&file[part]["eos_token_id"], format!("{part}.eos_token_id")),
            };
            let place = place(&path, &key);
            let list = match values {
                Value::Null => &[],
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in list {
                // transformers writes whole numbers as such; some tools do not. Below zero none is meant.
                let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number <= f64::from(u32::MAX));
                let number = number.ok_or_else(|| Error::input(&place, format!("{value} is no number of a token")))?;
                if number >= 0.0 {
                    found.push((place.clone(), number as u32));
                }
            }
        }
    }
    Ok(found)
}

fn place(path: &Path, key: &str) -> String {
    format!("{}: {key}", path.display())
}

/// The first few of a list.
fn shown(texts: &[String]) -> String {
    let few: Vec<String> = texts.iter().take(5).map(|text| format!("`{text}`")).collect();
    let rest = if texts.len() > few.len() { ", ..." } else { "" };
    few.join(", ") + rest
}
