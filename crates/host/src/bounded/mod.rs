//! Foreign code on foreign files, in bounds.
//!
//! A chat template is a program, and a tokenizer is one nearly as much: a few bytes of either can ask for all memory,
//! for all time, or for a stack without an end, and none of that can be caught in the process that it happens in. So
//! both run in a process of their own, which is this program with a hidden command. It gets the file's bytes through a
//! pipe, may take so much memory, time and stack ([`Work`]), and may call the system for nothing but that
//! ([`seccomp`]). What goes beyond ends that process, and is an ordinary error in this one.
//!
//! [`Tokenizer`](super::Tokenizer) and [`Chat`] are handles on such a process.

mod chat;
mod child;
mod limits;
mod seccomp;
mod serve;
mod vocabulary;
mod wire;

use std::path::PathBuf;
use std::sync::OnceLock;

pub use chat::Chat;
pub use child::Child;
pub use limits::Work;
pub use serve::serve;
pub use vocabulary::{Added, Facts, Opening};
pub use wire::{Request, bytes_of, tokens_of};

/// Name of the hidden command, which takes the name of what it is for.
pub const COMMAND: &str = "serve-foreign";

/// The program that is running, whatever its file was replaced by since.
const THIS_PROGRAM: &str = "/proc/self/exe";

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the `autoneural` program that serves, for programs that use this library and are not it. The first call
/// counts.
pub fn serve_with(program: impl Into<PathBuf>) {
    PROGRAM.get_or_init(|| program.into());
}

fn program() -> PathBuf {
    PROGRAM.get().cloned().unwrap_or_else(|| PathBuf::from(THIS_PROGRAM))
}
