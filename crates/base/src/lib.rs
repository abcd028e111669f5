//! What every floor stands on: errors with place and remedy, warnings, files through one door, texts, memory.

pub mod contain;
pub mod cut_off;
pub mod error;
pub mod files;
pub mod folder;
pub mod json;
pub mod limits;
pub mod machine;
pub mod map;
pub mod mistakes;
pub mod progress;
pub mod shown;
pub mod text;
pub mod utf8_path;
pub mod version;
pub mod warning;

pub use error::{Error, Result};
