//! Why a picture is not read.

use std::fmt::Display;

/// Why a file is not read, and what to do.
pub(crate) struct Fault {
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Fault {
    /// A reason, and what to do.
    pub(crate) fn new(why: impl Display, help: &str) -> Self {
        Fault { message: format!("cannot be read as an image: {why}"), help: help.into() }
    }

    /// A part of the file is missing or wrong: what "it" has or does.
    pub(crate) fn damaged(what: impl Display) -> Self {
        Self::broken(format!("it {what}"))
    }

    /// A decoder finds fault with it.
    pub(crate) fn broken(error: impl Display) -> Self {
        Self::new(error, "copy or download it again, or save it anew in a program that still opens it")
    }

    /// The file is of a kind that is not read: what "it" is.
    pub(crate) fn kind(what: impl Display) -> Self {
        Self::new(
            format!("it {what}"),
            "PNG and JPEG images are read; convert it, say with `magick PICTURE picture.png`",
        )
    }
}
