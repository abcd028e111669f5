//! Where weights lie, as a command line says it, and the part of a model that they are for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Component;

/// A folder or a file of weights: of whatever parts of a model it holds, or of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsPlace {
    /// The part that is taken from here, and from nowhere else.
    pub part: Option<Component>,
    /// The folder, the file, or the repository in a hub cache.
    pub path: PathBuf,
}

impl WeightsPlace {
    /// From an argument: a path, or `vision=`, `projector=` or `language=` and a path. A folder whose own name begins
    /// so is written as `./vision=…`.
    pub fn parse(argument: OsString) -> Self {
        let path_for = |part: Component| {
            let rest = argument.as_bytes().strip_prefix(part.name().as_bytes())?.strip_prefix(b"=")?;
            Some(WeightsPlace { part: Some(part), path: OsStr::from_bytes(rest).into() })
        };
        Component::ALL.into_iter().find_map(path_for).unwrap_or_else(|| Path::new(&argument).into())
    }
}

impl WeightsPlace {
    /// The argument that says it.
    pub fn argument(&self) -> PathBuf {
        let Some(part) = self.part else { return self.path.clone() };
        let mut made = OsString::from(format!("{}=", part.name()));
        made.push(&self.path);
        made.into()
    }
}

impl From<&Path> for WeightsPlace {
    fn from(path: &Path) -> Self {
        WeightsPlace { part: None, path: path.to_path_buf() }
    }
}

/// A tensor's name behind a mark of the part that it was given for, as on the command line.
pub(crate) fn marked(part: Option<Component>, name: &str) -> String {
    part.map_or_else(|| name.to_string(), |part| format!("{}={name}", part.name()))
}

/// A name without such a mark, and the part.
pub(crate) fn split(name: &str) -> (Option<Component>, &str) {
    let of = |part: Component| Some((Some(part), name.strip_prefix(part.name())?.strip_prefix('=')?));
    Component::ALL.into_iter().find_map(of).unwrap_or((None, name))
}

/// The name in the file.
pub(crate) fn unmarked(name: &str) -> &str {
    split(name).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_before_paths() {
        for (argument, part, path) in [
            ("weights", None, "weights"),
            ("vision=weights", Some(Component::Vision), "weights"),
            ("language=/a/b=c", Some(Component::Language), "/a/b=c"),
            ("a=b", None, "a=b"),
            ("visions=b", None, "visions=b"),
            ("./vision=b", None, "./vision=b"),
        ] {
            let made = WeightsPlace::parse(argument.into());
            assert_eq!(made, WeightsPlace { part, path: path.into() }, "{argument}");
            assert_eq!(made.argument(), Path::new(argument));
        }
    }

    #[test]
    fn marks_come_off_as_they_were_put_on() {
        assert_eq!(split(&marked(Some(Component::Projector), "a.b")), (Some(Component::Projector), "a.b"));
        assert_eq!(split(&marked(None, "vision.a")), (None, "vision.a"));
    }
}
