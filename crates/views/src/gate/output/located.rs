//! Where a file is in its repository: what shows results in the code takes paths from there, whatever folder the gate
//! ran in.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file with the root of the repository that it is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The root, if the file is in a repository.
    pub root: Option<PathBuf>,
    /// The path from there; the file as it was named where there is no root.
    pub path: PathBuf,
}

impl Located {
    /// Finds the nearest folder above the file that holds `.git` (a folder, or the file of a worktree or submodule),
    /// else takes `workspace` if the file is in it: the folder into which a system of CI puts a repository.
    pub fn find(file: &Path, workspace: Option<&Path>) -> Self {
        let none = Located { root: None, path: file.to_path_buf() };
        let (Some(name), Ok(absolute)) = (file.file_name(), std::path::absolute(file)) else { return none };
        // The file itself may be a link; it is its own name that stands in the repository.
        let Some(folder) = absolute.parent() else { return none };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let repository = folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_path_buf);
        let workspace = workspace.and_then(|path| path.canonicalize().ok()).filter(|root| folder.starts_with(root));
        let Some(root) = repository.or(workspace) else { return none };
        match folder.strip_prefix(&root) {
            Ok(inside) => Located { path: inside.join(name), root: Some(root) },
            Err(_) => none,
        }
    }

    /// The path as a URI reference (RFC 3986): from the root where there is one, else a `file` URI if it is absolute.
    pub fn uri(&self) -> String {
        match self.root.is_none() && self.path.is_absolute() {
            true => format!("file://{}", uri(&self.path)),
            false => uri(&self.path),
        }
    }

    /// The root as a URI, which ends with a slash.
    pub fn root_uri(&self) -> Option<String> {
        let uri = uri(self.root.as_ref()?);
        Some(format!("file://{}/", uri.trim_end_matches('/')))
    }
}

/// A path with what may not stand in a URI as its bytes.
fn uri(path: &Path) -> String {
    let mut made = String::new();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => made.push(byte.into()),
            byte => made.push_str(&format!("%{byte:02X}")),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_root_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a b/sub")).unwrap();
        let file = root.join("a b/sub/base.json");
        let find = |workspace: Option<&Path>| Located::find(&file, workspace);
        assert_eq!(find(None), Located { root: None, path: file.clone() });
        assert_eq!(find(None).uri(), format!("file://{}/a%20b/sub/base.json", root.display()));
        let elsewhere = root.join("a b/other");
        assert_eq!(find(Some(&elsewhere)).root, None);
        assert_eq!(find(Some(&root)).uri(), "a%20b/sub/base.json");
        assert_eq!(find(Some(&root)).root_uri().unwrap(), format!("file://{}/", root.display()));
        // A worktree's or submodule's root holds a file; the nearest root is that of the file's repository.
        std::fs::write(root.join("a b/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(find(Some(&root)).uri(), "sub/base.json");
    }
}
