//! What goes through the pipe between this program and its process for foreign code: a head in JSON and a body of
//! bytes, each behind its length.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::vocabulary::Opening;
use crate::{Message, Specials};
use autoneural_base::error::{Error as Fault, Kind};

/// Largest head.
const LARGEST_HEAD: u32 = 32 << 20;
/// Largest body. The largest one that is of use is a tokenizer's file.
const LARGEST_BODY: u32 = 128 << 20;

/// What the process is asked for. The first request opens, and says what the others are about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A tokenizer, whose file is the body. Gives [`super::Facts`].
    Tokenizer(Opening),
    /// Tokens of the text that is the body. The body of the reply is tokens, four bytes each.
    Encode,
    /// Text of the tokens that are the body.
    Decode,
    /// Numbers of tokens by their texts, where there are such.
    Find(Vec<String>),
    /// The tokenizer's file with the tokens that were added to it.
    Write,
    /// A chat template, which is the body. Gives nothing.
    Template {
        /// Its file, for messages.
        place: String,
        /// What it may write.
        specials: Specials,
    },
    /// What the template is given for a conversation, as JSON: [`crate::Given`].
    Given(Vec<Message>),
    /// The text of a conversation, or why there is none, as JSON.
    Render(Vec<Message>),
}

impl Request {
    /// The file that it opens, if it does.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Request::Tokenizer(opening) => Some(opening.place.clone()),
            Request::Template { place, .. } => Some(place.clone()),
            _ => None,
        }
    }

    /// Seconds of processor time that it may take. A tokenizer of 262,144 tokens takes two until it is read.
    pub(crate) fn seconds(&self) -> u64 {
        match self {
            Request::Tokenizer(_) | Request::Write => 6,
            Request::Template { .. } | Request::Given(_) | Request::Render(_) | Request::Decode => 2,
            _ => 4,
        }
    }
}

/// The head of a reply: a value, or an error.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply<T> {
    /// It was done.
    Done(T),
    /// It cannot be done.
    Failed(Failure),
}

/// An error on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    is_input: bool,
    place: String,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// The failure that stands for an error.
    pub(crate) fn of(error: Fault) -> Self {
        Failure { is_input: error.kind == Kind::Input, place: error.place, message: error.message, help: error.help }
    }

    /// The error again.
    pub(crate) fn into_error(self) -> Fault {
        let Failure { is_input, place, message, help } = self;
        let mut made = if is_input { Fault::input(place, message) } else { Fault::internal(place, message) };
        made.help = help.or(made.help);
        made
    }
}

/// Writes a head and a body.
///
/// # Errors
/// The other side is gone, or head or body are too long.
pub(crate) fn write(to: &mut impl Write, head: &impl Serialize, body: &[u8]) -> Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: &[u8], most: u32| match u32::try_from(bytes.len()) {
        Ok(length) if length <= most => Ok(length.to_le_bytes()),
        _ => Err(Error::new(ErrorKind::InvalidInput, "too long")),
    };
    // A short body goes in one piece with its head, so that the reader wakes up only once.
    let mut first = [length(&head, LARGEST_HEAD)?, length(body, LARGEST_BODY)?].concat();
    first.extend_from_slice(&head);
    if body.len() <= 1 << 16 {
        first.extend_from_slice(body);
        to.write_all(&first)?;
    } else {
        to.write_all(&first)?;
        to.write_all(body)?;
    }
    to.flush()
}

/// Reads a head and a body; `None` if the other side is gone.
///
/// # Errors
/// The other side stops in the middle, or states lengths that are too large, or the head is not the expected JSON.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<(T, Vec<u8>)>> {
    let mut lengths = [0; 8];
    match from.read_exact(&mut lengths) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let (lengths, _) = lengths.as_chunks::<4>();
    let mut part = |at: usize, most: u32| -> Result<Vec<u8>> {
        let length = u32::from_le_bytes(lengths[at]);
        if length > most {
            return Err(Error::new(ErrorKind::InvalidData, "too long"));
        }
        // Memory is taken as bytes arrive, and not for the length that the other side states.
        let mut bytes = Vec::with_capacity(length.min(1 << 16) as usize);
        match from.by_ref().take(length.into()).read_to_end(&mut bytes)? {
            read if read == length as usize => Ok(bytes),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    };
    let (head, body) = (part(0, LARGEST_HEAD)?, part(1, LARGEST_BODY)?);
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

/// Tokens as bytes.
pub(crate) fn bytes_of(tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.to_le_bytes()).collect()
}

/// Bytes as tokens.
pub(crate) fn tokens_of(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|&token| u32::from_le_bytes(token)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for body in [vec![], vec![7], vec![1; 1 << 20]] {
            let mut pipe = Vec::new();
            write(&mut pipe, &Reply::Done("ä".to_string()), &body).unwrap();
            let (head, read) = read::<Reply<String>>(&mut pipe.as_slice()).unwrap().unwrap();
            assert!(matches!(head, Reply::Done(text) if text == "ä") && read == body);
        }
        assert!(read::<u32>(&mut [].as_slice()).unwrap().is_none());
        assert_eq!(tokens_of(&bytes_of(&[1, u32::MAX])), [1, u32::MAX]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let mut pipe = Vec::new();
        write(&mut pipe, &1, b"body").unwrap();
        for cut in 1..pipe.len() {
            assert!(read::<u32>(&mut &pipe[..cut]).is_ok_and(|read| read.is_none()) == (cut < 8), "{cut}");
        }
        pipe[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read::<u32>(&mut pipe.as_slice()).is_err());
    }
}
