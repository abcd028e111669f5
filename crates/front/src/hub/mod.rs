//! What stands around a model's weights where people keep them: folders as hubs and their caches lay them out, files of
//! other kinds, the configuration.

mod config;
mod contradictions;
mod files;
mod kinds;

pub use contradictions::{Holds, contradictions};
pub use files::{Files, INDEX};
pub use kinds::{kind_of_file, other_kind};
