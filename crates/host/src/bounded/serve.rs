//! The side of the pipe on which foreign code runs.

use std::path::Path;

use super::limits::{self, STACK, Work};
use super::vocabulary::Vocabulary;
use super::wire::{self, Failure, Reply, Request, bytes_of, tokens_of};
use super::{Facts, seccomp};
use crate::chat::{Chat, TemplateSource};
use autoneural_base::contain::contain;
use autoneural_base::error::{Error, Result};

/// Answers what comes on standard input until it ends: the hidden command.
///
/// # Errors
/// Limits that the system does not grant, or a message that is none.
pub fn serve(work: &str) -> Result<()> {
    let work = Work::named(work).ok_or_else(|| Error::internal(work, "is no work"))?;
    limits::enter(work)?;
    // Of a thread the stack is known, whatever the shell grants to the first one.
    let thread = std::thread::Builder::new().name(work.name().into()).stack_size(STACK).spawn(answer_all);
    let thread = thread.map_err(|error| Error::internal("thread", error))?;
    thread.join().unwrap_or_else(|_| Err(Error::internal("thread", "it panicked")))
}

fn answer_all() -> Result<()> {
    seccomp::enter();
    let failed = |error: std::io::Error| Error::io(Path::new("pipe"), &error);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut opened = Opened::Nothing;
    while let Some((request, body)) = wire::read::<Request>(&mut input).map_err(failed)? {
        limits::grant(request.seconds());
        // Not every panic of the libraries is one of a defect; most are about the file.
        let place = request.place().unwrap_or_else(|| opened.place().to_string());
        let done = contain(|| opened.answer(request, body));
        let done = done.unwrap_or_else(|panic| Err(Error::input(&place, format!("cannot be used: {panic}"))));
        let written = match done {
            Ok(Answer { facts, body }) => wire::write(&mut output, &Reply::Done(facts), &body),
            Err(error) => wire::write(&mut output, &Reply::<()>::Failed(Failure::of(error)), &[]),
        };
        written
            .or_else(|error| {
                let error = Error::input(&place, format!("makes more of a text than is taken: {error}"));
                wire::write(&mut output, &Reply::<()>::Failed(Failure::of(error)), &[])
            })
            .map_err(failed)?;
    }
    Ok(())
}

/// What was opened.
enum Opened {
    Nothing,
    Tokenizer(Box<Vocabulary>),
    Template { place: String, chat: Box<Chat> },
}

/// What a reply holds.
#[derive(Default)]
struct Answer {
    facts: Option<Facts>,
    body: Vec<u8>,
}

impl Answer {
    fn of(body: impl Into<Vec<u8>>) -> Self {
        Answer { facts: None, body: body.into() }
    }
}

impl Opened {
    fn place(&self) -> &str {
        match self {
            Opened::Nothing => "",
            Opened::Tokenizer(vocabulary) => vocabulary.place(),
            Opened::Template { place, .. } => place,
        }
    }

    fn answer(&mut self, request: Request, body: Vec<u8>) -> Result<Answer> {
        let text = |body: Vec<u8>| String::from_utf8(body).map_err(|error| Error::internal("request", error));
        match (request, &*self) {
            (Request::Tokenizer(opening), _) => {
                let vocabulary = Vocabulary::open(opening, &body)?;
                let facts = Some(vocabulary.facts());
                *self = Opened::Tokenizer(Box::new(vocabulary));
                Ok(Answer { facts, body: vec![] })
            }
            (Request::Template { place, specials }, _) => {
                let chat = Chat::new(TemplateSource { place: place.clone(), text: text(body)? }, specials)?;
                *self = Opened::Template { place, chat: Box::new(chat) };
                Ok(Answer::default())
            }
            (Request::Encode, Opened::Tokenizer(tokenizer)) => {
                Ok(Answer::of(bytes_of(&tokenizer.encode(&text(body)?)?)))
            }
            (Request::Decode, Opened::Tokenizer(tokenizer)) => Ok(Answer::of(tokenizer.decode(&tokens_of(&body))?)),
            (Request::Find(texts), Opened::Tokenizer(tokenizer)) => Ok(Answer::of(tokenizer.find(&texts)?)),
            (Request::Write, Opened::Tokenizer(tokenizer)) => Ok(Answer::of(tokenizer.write()?)),
            (Request::Render(messages), Opened::Template { place, chat }) => {
                let made = serde_json::to_vec(&chat.render(&messages));
                Ok(Answer::of(made.map_err(|error| Error::internal(place, error))?))
            }
            (Request::Given(messages), Opened::Template { place, chat }) => {
                let made = serde_json::to_vec(&chat.given(&messages));
                Ok(Answer::of(made.map_err(|error| Error::internal(place, error))?))
            }
            (request, _) => Err(Error::internal("request", format!("nothing was opened for {request:?}"))),
        }
    }
}
