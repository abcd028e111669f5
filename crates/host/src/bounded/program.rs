//! The program that serves, and its hidden command.

use std::path::PathBuf;
use std::sync::OnceLock;

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

/// The program that serves.
pub fn program() -> PathBuf {
    PROGRAM.get().cloned().unwrap_or_else(|| PathBuf::from(THIS_PROGRAM))
}
