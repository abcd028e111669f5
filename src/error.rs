//! The one error type: what is wrong, where, and what to do about it.

use std::fmt;
use std::path::Path;

use crate::shown::in_line;

/// What kind of failure it is; decides the exit status, which is part of the public interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file the user gave is wrong: checkpoint, definition, recipe, image, bundle. Exit status 3.
    Input,
    /// The operating system refused: missing file, full disk, permissions. Exit status 4.
    Io,
    /// The vendor toolkit is missing or refuses the model. Exit status 5.
    Toolkit,
    /// The work was done and its result is not good enough. Exit status 6.
    Verification,
    /// A promise inside the program was broken; please report it. Exit status 70.
    Internal,
}

impl Kind {
    /// Process exit status of this kind. 0 is success, 2 is a usage error (given by the argument parser).
    pub fn exit_status(self) -> u8 {
        match self {
            Kind::Input => 3,
            Kind::Io => 4,
            Kind::Toolkit => 5,
            Kind::Verification => 6,
            Kind::Internal => 70,
        }
    }
}

/// An error with its place (file, tensor, line or node), its message and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    /// Where it happened: a file, a tensor in a file, a node. Empty when there is no such place.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What other people's files say stands for itself, in the line that it is told in.
        if !self.place.is_empty() {
            write!(f, "{}: ", in_line(&self.place))?;
        }
        write!(f, "{}", in_line(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", in_line(help))?;
        }
        Ok(())
    }
}

impl Error {
    fn new(kind: Kind, place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Error { kind, place: place.to_string(), message: message.to_string(), help: None }
    }

    /// Something the user gave is wrong.
    pub fn input(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Kind::Input, place, message)
    }

    /// The operating system refused something about `path`.
    pub fn io(path: &Path, error: &std::io::Error) -> Self {
        let mut made = Self::new(Kind::Io, path.display(), error);
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
            made.help = Some("free some space, or choose another output folder with --out".into());
        }
        made
    }

    /// The vendor toolkit is missing or refuses something.
    pub fn toolkit(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Kind::Toolkit, place, message)
    }

    /// The result is not good enough.
    pub fn verification(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Kind::Verification, place, message)
    }

    /// A promise inside the program was broken.
    pub fn internal(place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(Kind::Internal, place, message)
            .help("this is a defect of autoneural; please report it with the command and the files")
    }

    /// Puts the place into a larger one, say a sample into its recipe.
    pub fn within(mut self, outer: impl fmt::Display) -> Self {
        self.place = if self.place.is_empty() { outer.to_string() } else { format!("{outer}: {}", self.place) };
        self
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Turns an I/O result into one that names the path.
pub trait IoContext<T> {
    /// Names `path` in the error.
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(path, &error))
    }
}
