//! The one error type: what is wrong, where, and what to do about it.

use std::fmt;
use std::path::Path;

use crate::shown::in_line;

/// What kind of failure it is; decides the exit status, which is part of the public interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file the user gave is wrong, is not there or cannot be read: checkpoint, definition, recipe, image, bundle.
    /// Exit status 3.
    Input,
    /// The operating system refused while the program worked: full disk, no memory, a result that cannot be written.
    /// Exit status 4.
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
        let (message, help) = words(error);
        Error { help: help.map(String::from), ..Self::new(Kind::Io, path.display(), message) }
    }

    /// The operating system refused to read `path`, which the user gave: wrong input where the path is what is wrong
    /// (nothing is there, a folder or a link in a circle is, it is not for this user to read), else as [`Error::io`].
    pub fn reading(path: &Path, error: &std::io::Error) -> Self {
        let kind = if is_of_path(error) { Kind::Input } else { Kind::Io };
        Error { kind, ..Error::io(path, error) }
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

/// Whether an error says that a path leads to nothing that can be read, and not that the system has trouble.
fn is_of_path(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Of;
    let known = [
        Of::NotFound,
        Of::PermissionDenied,
        Of::NotADirectory,
        Of::IsADirectory,
        Of::InvalidFilename,
        // A name with a NUL byte in it, from a file.
        Of::InvalidInput,
    ];
    known.contains(&error.kind())
        || error.raw_os_error().is_some_and(|code| [libc::ELOOP, libc::ENODEV, libc::ENXIO].contains(&code))
}

/// What an error of the system means, in plain words, and what to do about it. One that this program or a library made
/// keeps its own.
fn words(error: &std::io::Error) -> (String, Option<&'static str>) {
    use std::io::ErrorKind as Of;
    let help = match error.kind() {
        Of::StorageFull | Of::QuotaExceeded => Some("free some space, or choose another output folder with --out"),
        Of::FileTooLarge => {
            Some("free some space, raise the limit (`ulimit -f`), or choose another output folder with --out")
        }
        _ => None,
    };
    let code = match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => code,
        (None, Of::OutOfMemory) if error.get_ref().is_none() => libc::ENOMEM,
        (None, _) => return (error.to_string(), help),
    };
    let (message, help) = match code {
        libc::ENOTDIR => ("a part of the path is a file, where a folder is wanted", None),
        libc::ENAMETOOLONG => ("the name is too long", None),
        libc::EROFS => ("the file system is read-only", None),
        libc::EXDEV => ("lies on another file system, and cannot be moved there", None),
        libc::ETXTBSY => ("is a program that runs", None),
        libc::ENODEV => ("is no file whose contents can be mapped, as a folder or a device is none", None),
        libc::ENXIO => ("is a device or socket that nothing stands behind", None),
        libc::ELOOP => ("is a link that leads in a circle", None),
        libc::EIO => ("the disk or network behind it failed", None),
        libc::EFBIG => ("File too large: larger than this process may write, or than the file system takes", help),
        libc::ENOMEM => ("memory ran out", Some("end other programs, or raise the limit (`ulimit -v`)")),
        libc::EMFILE => ("this process may open no more files", Some("raise the limit of open files (`ulimit -n`)")),
        libc::ENFILE => ("the system can open no more files", None),
        libc::EAGAIN => (
            "the system starts no more threads or processes",
            Some("raise the limit of processes (`ulimit -u`), or of memory"),
        ),
        _ => {
            let said = error.to_string();
            let plain = said.strip_suffix(&format!(" (os error {code})"));
            return (plain.unwrap_or(&said).to_string(), help);
        }
    };
    (message.to_string(), help)
}

/// Turns an I/O result into one that names the path.
pub trait IoContext<T> {
    /// Names `path` in the error.
    fn at(self, path: &Path) -> Result<T>;
    /// Names `path`, which the user gave and which is read (see [`Error::reading`]).
    fn reading(self, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(path, &error))
    }

    fn reading(self, path: &Path) -> Result<T> {
        self.map_err(|error| Error::reading(path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_read_is_wrong_input_and_a_system_in_trouble_is_not() {
        let kind = |code| Error::reading(Path::new("x"), &std::io::Error::from_raw_os_error(code)).kind;
        let of_path = [libc::ENOENT, libc::EACCES, libc::EPERM, libc::ENOTDIR, libc::EISDIR, libc::ENAMETOOLONG];
        for code in of_path.into_iter().chain([libc::ELOOP, libc::ENXIO, libc::ENODEV]) {
            assert_eq!(kind(code), Kind::Input, "{}", std::io::Error::from_raw_os_error(code));
        }
        for code in [libc::EIO, libc::ENOSPC, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ESTALE, libc::EROFS] {
            assert_eq!(kind(code), Kind::Io, "{}", std::io::Error::from_raw_os_error(code));
        }
        assert_eq!(kind(libc::EINVAL), Kind::Input);
    }

    #[test]
    fn what_the_system_refuses_is_told_in_plain_words() {
        for (code, word) in [
            (libc::ENODEV, "is no file whose contents can be mapped"),
            (libc::EISDIR, "Is a directory"),
            (libc::ENOTDIR, "a folder is wanted"),
            (libc::ELOOP, "in a circle"),
            (libc::ENAMETOOLONG, "too long"),
            (libc::EXDEV, "another file system"),
            (libc::EMFILE, "no more files"),
            (libc::EFBIG, "File too large"),
            (libc::ENOSPC, "No space left on device"),
            (libc::ENOENT, "No such file or directory"),
            (libc::EACCES, "Permission denied"),
        ] {
            let error = Error::io(Path::new("x"), &std::io::Error::from_raw_os_error(code));
            assert!(error.message.contains(word) && !error.message.contains("os error"), "{error}");
        }
        let own = std::io::Error::new(std::io::ErrorKind::OutOfMemory, "the model is too large");
        assert_eq!(Error::io(Path::new("x"), &own).message, "the model is too large");
    }
}
