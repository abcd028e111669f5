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
mod program;
mod seccomp;
mod serve;
mod vocabulary;
mod wire;

pub use chat::Chat;
pub use child::Child;
pub use limits::Work;
pub use program::{COMMAND, serve_with};
pub use serve::serve;
pub use vocabulary::{Added, Facts, Opening};
pub use wire::{Request, bytes_of, tokens_of};
