//! What context models refer to.

use std::path::Path;

use super::bundle::Bundle;
use autoneural_base::error::{Error, Result};
use autoneural_engines::back::qnn::Runtime;

impl Bundle {
    /// Refuses context models that refer to a binary which the manifest does not list, because its contents are not
    /// checked.
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
}
