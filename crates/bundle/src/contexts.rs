//! What context models refer to.

use std::path::Path;

use super::Bundle;
use crate::back::qnn::Runtime;
use crate::error::{Error, Result};

impl Bundle {
    /// Refuses context models that refer to a binary which the manifest does not list: nobody checked its contents.
    ///
    /// # Errors
    /// Such a model, or one that refers to no file beside it.
    pub fn check_contexts(&self) -> Result<()> {
        for file in &self.manifest.files {
            let path = Path::new(&file.path);
            if !path.starts_with("context") || path.extension().is_none_or(|extension| extension != "onnx") {
                continue;
            }
            for binary in Runtime::binaries_of(&self.path(path))? {
                let binary = path.with_file_name(binary);
                if self.manifest.files.iter().all(|listed| Path::new(&listed.path) != binary) {
                    let message = format!("refers to {}, which the manifest does not list", binary.display());
                    return Err(
                        Error::input(self.path(path).display(), message).help("the bundle is damaged; make it again")
                    );
                }
            }
        }
        Ok(())
    }

    /// What a file of the bundle that is being replaced holds, if it was made here and nobody changed it since.
    pub fn made_here_before(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        let before = self.work().ok()?.before.as_ref()?;
        let bytes = before.folder.read(path, most).ok()?;
        let noted = self.state().ok()?.before.products.noted(path)? == super::hash_bytes(&bytes);
        noted.then_some(bytes)
    }

    /// What a file of the bundle that is being replaced holds, whoever wrote it.
    pub fn before_text(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        self.work().ok()?.before.as_ref()?.folder.read(path, most).ok()
    }
}
