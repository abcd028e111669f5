//! What the program is called, and its version.

/// Its name, as files and messages have it.
pub const PROGRAM: &str = "autoneural";

/// Its version, which all crates of the workspace share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
