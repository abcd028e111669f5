//! A tokenizer as transformers sets it up. Only a process in bounds opens one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tokenizers::{AddedToken, PaddingStrategy, Tokenizer};

use autoneural_base::contain::contain;
use autoneural_base::error::{Error, Result};

/// More tokens than any padding or cut is for; a file that asks for more is damaged.
const LONGEST: usize = 1 << 24;

/// Longest text in bytes; far beyond any context.
const LONGEST_TEXT: usize = 4 << 20;

/// Characters that the first text has, which shows what a tokenizer does to texts: those of ASCII and some of others.
const PROBE: &str = "\t\n \
    !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ \
    \u{e4}\u{df}\u{e9} \u{3b1}\u{436}\u{5d0}\u{62a} \u{4eca}\u{c624}\u{3042} \u{1f697} the  lamp\n\n";

/// A token that is added to a vocabulary, with what Python's AddedToken takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    /// Its text.
    pub content: String,
    /// Whether it is left out of words.
    pub single_word: bool,
    /// Whether it takes the blanks before it.
    pub lstrip: bool,
    /// Whether it takes the blanks behind it.
    pub rstrip: bool,
    /// Whether it is looked for in the normalized text.
    pub normalized: bool,
    /// Whether it is no text.
    pub special: bool,
}

/// What a tokenizer is opened with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// Its file, for messages.
    pub place: String,
    /// How many tokens the model knows.
    pub vocabulary: usize,
    /// Numbers of the tokens that begin, end, and stand for an image, as far as the model has them.
    pub named: [Option<u32>; 3],
    /// Tokens that the files beside it list; they take the place of its own.
    pub listed: Vec<Added>,
    /// Tokens that those files list by number, which are added if no added token has it.
    pub numbered: Vec<(u32, Added)>,
    /// Tokens that those files name, which are added where it does not have them.
    pub others: Vec<Added>,
}

/// What is known of an open tokenizer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Texts of the named tokens; empty where it has none of that number.
    pub named: [String; 3],
    /// Texts that are read as special tokens wherever they stand, in order.
    pub special: Vec<String>,
    /// Whether listed or named tokens changed it.
    pub changed: bool,
    /// Texts of tokens that were not added, as the model has no row for them.
    pub left_out: Vec<String>,
}

/// An open tokenizer.
pub(crate) struct Vocabulary {
    place: String,
    inner: Tokenizer,
    facts: Facts,
}

impl Vocabulary {
    /// Opens `tokenizer.json`. Its padding and its truncation are for batches, and are left out as transformers does.
    ///
    /// # Errors
    /// Another content, a token beyond the model's vocabulary, a panic of the library on the file or on a short text.
    pub(crate) fn open(opening: Opening, file: &[u8]) -> Result<Self> {
        let Opening { place, vocabulary, named, mut listed, numbered, others } = opening;
        let fail = |error: &dyn std::fmt::Display| Error::input(&place, format!("is no tokenizer: {error}"));
        // The library panics on some malformed parts.
        let mut inner = contain(|| Tokenizer::from_bytes(autoneural_base::text::without_mark(file)))
            .map_err(|panic| fail(&panic))?
            .map_err(|error| fail(&error))?;
        refuse_batches(&mut inner).map_err(|error| fail(&error))?;
        let tokens = inner.get_vocab(true);
        if let Some((text, largest)) = tokens.iter().max_by_key(|(_, number)| **number)
            && *largest as usize >= vocabulary
        {
            let size = tokens.len();
            let message = format!("has {size} tokens up to number {largest}; the model knows {vocabulary}");
            let help = format!("the tokenizer belongs to another model; its token {largest} is `{text}`");
            return Err(Error::input(&place, message).help(help));
        }
        drop(tokens);
        let before = inner.get_added_tokens_decoder();
        let free = numbered.into_iter().filter(|(number, _)| !before.contains_key(number));
        listed.extend(free.map(|(_, token)| token));
        let left_out = add(&mut inner, &listed, &others, vocabulary).map_err(|error| fail(&error))?;
        let added = inner.get_added_tokens_decoder();
        // A word may be special, too, and is a word to whoever asks a question with it.
        let is_word = |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || letter.is_whitespace());
        let is_special = |(number, token): &(&u32, &AddedToken)| {
            (token.special && !is_word(&token.content) || named.contains(&Some(**number))) && !token.content.is_empty()
        };
        let mut special: Vec<String> =
            added.iter().filter(is_special).map(|(_, token)| token.content.clone()).collect();
        special.sort();
        let named = named.map(|number| number.and_then(|number| inner.id_to_token(number)).unwrap_or_default());
        let changed = before != added;
        let made = Vocabulary { place, inner, facts: Facts { named, special, changed, left_out } };
        made.probe()?;
        Ok(made)
    }

    /// The file.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// What is known.
    pub(crate) fn facts(&self) -> Facts {
        self.facts.clone()
    }

    /// The tokens of a text, without tokens that a template would add.
    ///
    /// # Errors
    /// The text is too long, or the tokenizer fails.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if text.len() > LONGEST_TEXT {
            return Err(Error::input("prompt", format!("has {} bytes; at most {LONGEST_TEXT} are read", text.len())));
        }
        let encoded = self.inner.encode(text, false);
        let encoded = encoded.map_err(|error| Error::input("prompt", format!("cannot be tokenized: {error}")))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The text of tokens, without special ones.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String> {
        let text = self.inner.decode(tokens, true);
        text.map_err(|error| Error::input(&self.place, format!("makes no text of tokens: {error}")))
    }

    /// The numbers of tokens by their texts, as a JSON list; `null` for texts that are not tokens.
    ///
    /// # Errors
    /// The numbers are no JSON, which is a defect.
    pub(crate) fn find(&self, texts: &[String]) -> Result<Vec<u8>> {
        let numbers: Vec<Option<u32>> = texts.iter().map(|text| self.inner.token_to_id(text)).collect();
        serde_json::to_vec(&numbers).map_err(|error| Error::internal(&self.place, error))
    }

    /// The tokenizer's file, with the tokens that were added.
    ///
    /// # Errors
    /// The tokenizer cannot be written as JSON.
    pub(crate) fn write(&self) -> Result<String> {
        self.inner.to_string(false).map_err(|error| Error::input(&self.place, format!("cannot be written: {error}")))
    }

    /// Tries the tokenizer on a short text, there and back: what no text survives is better told now. That this one
    /// cannot be tokenized is no fault: a small vocabulary does not have all characters.
    fn probe(&self) -> Result<()> {
        let text = format!("{PROBE}{}", self.facts.named.join(" "));
        let there_and_back = || self.encode(&text).and_then(|tokens| self.decode(&tokens));
        match contain(there_and_back) {
            Ok(_) => Ok(()),
            Err(panic) => Err(Error::input(&self.place, format!("cannot be used: it fails on a text: {panic}"))),
        }
    }
}

/// Takes out truncation and padding, and refuses those that cannot be meant.
fn refuse_batches(inner: &mut Tokenizer) -> Result<(), String> {
    if let Some(truncation) = inner.get_truncation().cloned() {
        let (stride, most) = (truncation.stride, truncation.max_length);
        if stride >= most {
            return Err(format!("truncation: pieces of {most} tokens cannot share {stride}"));
        }
    }
    let padding = inner.get_padding();
    let lengths = padding.map(|padding| match padding.strategy {
        PaddingStrategy::Fixed(length) => [Some(length), padding.pad_to_multiple_of],
        PaddingStrategy::BatchLongest => [None, padding.pad_to_multiple_of],
    });
    if let Some(length) = lengths.into_iter().flatten().flatten().find(|&length| length > LONGEST) {
        return Err(format!("padding: {length} tokens are more than any text has; {LONGEST} are the most"));
    }
    inner.with_padding(None);
    inner.with_truncation(None).map(drop).map_err(|error| error.to_string())
}

/// Adds tokens in the order in which transformers does: those that are listed, then those that are named and not there.
/// Gives the texts of those that would be beyond `vocabulary`, and leaves them out.
fn add(inner: &mut Tokenizer, listed: &[Added], others: &[Added], vocabulary: usize) -> Result<Vec<String>, String> {
    let known = inner.get_added_vocabulary().get_vocab();
    let mut seen: BTreeSet<&str> = listed.iter().map(|token| token.content.as_str()).collect();
    let others = others.iter().filter(|token| !known.contains_key(&token.content) && seen.insert(&token.content));
    let wanted: Vec<&Added> = listed.iter().chain(others).collect();
    let size = inner.get_vocab_size(false);
    let last = known.values().max().map_or(0, |&last| last as usize + 1);
    let mut room = vocabulary.saturating_sub(size.max(last));
    let own = inner.get_added_tokens_decoder();
    let mut new = BTreeSet::new();
    let (mut added, mut left_out) = (Vec::new(), Vec::new());
    for token in wanted {
        let is_new = inner.token_to_id(&token.content).is_none() && !new.contains(token.content.as_str());
        if is_new && room == 0 {
            left_out.push(token.content.clone());
            continue;
        }
        if is_new {
            new.insert(token.content.as_str());
            room -= 1;
        }
        let Added { content, single_word, lstrip, rstrip, normalized, special } = token.clone();
        // In the library a special token stays one.
        let own = known.get(&content).and_then(|number| own.get(number));
        let special = special || own.is_some_and(|own| own.special);
        added.push(AddedToken { content, single_word, lstrip, rstrip, normalized, special });
    }
    inner.add_tokens(added).map_err(|error| format!("tokens cannot be added to it: {error}"))?;
    Ok(left_out)
}
