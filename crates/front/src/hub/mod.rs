//! What stands around a model's weights where people keep them: folders as hubs and their caches lay them out, files of
//! other kinds, the configuration.

mod config;
mod contradictions;
mod files;
mod kinds;

pub(crate) use contradictions::{Holds, contradictions};
pub(crate) use files::{Files, INDEX};
pub use kinds::kind_of_file;
pub(crate) use kinds::other_kind;
