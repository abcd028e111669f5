//! Paths for libraries that take them as text.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::error::{Error, IoContext, Result};

/// A path as text. One that is no UTF-8 goes by way of its folder, which stays open as long as this value lives.
pub struct Utf8Path {
    text: String,
    _folder: Option<File>,
}

impl Utf8Path {
    /// Of a file that need not be there, in a folder that is.
    ///
    /// # Errors
    /// The folder cannot be opened, or the file's own name is no UTF-8.
    pub fn of(path: &Path) -> Result<Self> {
        if let Some(text) = path.to_str() {
            return Ok(Utf8Path { text: text.into(), _folder: None });
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::input(path.display(), "has a name that is no UTF-8"));
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(parent).at(parent)?;
        Ok(Utf8Path { text: format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()), _folder: Some(folder) })
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn the_same_file_by_another_way() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Utf8Path::of(Path::new("a/b")).unwrap().as_str(), "a/b");
        let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
        std::fs::create_dir(&odd).unwrap();
        let path = Utf8Path::of(&odd.join("x")).unwrap();
        std::fs::write(path.as_str(), "here").unwrap();
        assert_eq!(std::fs::read_to_string(odd.join("x")).unwrap(), "here");
        assert!(Utf8Path::of(&odd).is_err());
    }
}
