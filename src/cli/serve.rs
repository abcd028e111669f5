//! Foreign code in a process of its own: a hidden command that the library runs ([`autoneural::host::serve`]).

use autoneural::Result;
use clap::Args;

/// Name of the hidden command.
pub const COMMAND: &str = autoneural::host::SERVE;

/// Arguments of the hidden command.
#[derive(Args)]
pub struct Serve {
    /// What it is for.
    work: String,
}

impl Serve {
    /// Runs the command.
    ///
    /// # Errors
    /// The other process is gone or breaks the protocol.
    pub fn run(&self) -> Result<()> {
        autoneural::host::serve(&self.work)
    }
}
