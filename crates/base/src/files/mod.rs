//! Files: one door for reading, one for writing.
//!
//! - What a user names ([`open`]) may be reached through links, but it is a regular file: a pipe or a device has no
//!   end.
//! - What a bundle holds is reached through its [`Folder`]: regular files alone, and no link is followed, neither the
//!   file nor a folder on the way. A bundle may come from elsewhere, and a link in it would lead to the reader's own
//!   files.
//! - What is written has a fresh name until it is whole and on the disk; then it takes its name at once ([`replace`],
//!   [`Folder::replace`]). A file that is there is replaced and never written into: it may have other names.
//! - What a user asks a result to be written to ([`output`]) may also be a link, a pipe or a device.

mod create;
mod flusher;
mod folder;
mod output;
mod read;
mod stem;
mod write;

pub use create::create;
pub use flusher::Flusher;
pub use folder::Folder;
pub use output::{descriptor, output, target};
pub use read::{kind, open, read, refuse_irregular};
pub use stem::stem;
pub use write::{flush, replace, write};
