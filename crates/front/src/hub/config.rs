//! `config.json`: what the checkpoint's makers say of the model.

use std::path::{Path, PathBuf};

use serde_json::Value;

use autoneural_base::error::Result;
use autoneural_base::text;

/// Name of the file.
const FILE: &str = "config.json";
/// Where the language model is described, if not at the top.
const TEXT: [&str; 3] = ["text_config", "llm_config", "language_config"];
/// Where the vision encoder is described.
const VISION: &str = "vision_config";

/// A part of a configuration.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    /// What messages put before its keys, with a dot; empty at the top.
    pub path: &'a str,
    /// The section itself.
    pub value: &'a Value,
}

impl<'a> Section<'a> {
    /// The first of these keys that says something.
    pub(crate) fn first(&self, keys: &[&'a str]) -> Option<(&'a str, &'a Value)> {
        keys.iter().find_map(|&key| Some((key, self.value.get(key).filter(|value| !value.is_null())?)))
    }
}

/// A configuration that was read.
pub(crate) struct Config {
    /// The file.
    pub path: PathBuf,
    value: Value,
}

impl Config {
    /// Reads the configuration of a checkpoint's folder; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be read or is no JSON.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let value = text::json(&path, text::read(&path)?.as_bytes())?;
        Ok(Some(Config { path, value }))
    }

    /// What stands at the top.
    pub(crate) fn top(&self) -> Section<'_> {
        Section { path: "", value: &self.value }
    }

    /// What is said of the language model.
    pub(crate) fn text(&self) -> Section<'_> {
        let paths = ["text_config.", "llm_config.", "language_config."];
        let nested = TEXT.iter().zip(paths).find_map(|(key, path)| {
            let value = self.value.get(key).filter(|value| value.is_object())?;
            Some(Section { path, value })
        });
        nested.unwrap_or(self.top())
    }

    /// What is said of the vision encoder; perhaps nothing.
    pub(crate) fn vision(&self) -> Section<'_> {
        Section { path: "vision_config.", value: self.value.get(VISION).unwrap_or(&Value::Null) }
    }

    /// Sizes of blocks of quantized weights that share a scale, for their last axes; empty where nothing is said of it.
    pub(crate) fn block_size(&self) -> Vec<usize> {
        let quantization = &self.value["quantization_config"];
        let of_list = |value: &Value| -> Option<Vec<usize>> {
            value.as_array()?.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect()
        };
        // compressed-tensors writes it once for each group of layers, as a list or as `128x128`.
        let groups = quantization["config_groups"].as_object();
        let of_group = |group: &Value| {
            let stated = &group["weights"]["block_structure"];
            let words = stated.as_str().map(|text| text.split('x').map(|size| size.parse().ok()).collect());
            words.unwrap_or_else(|| of_list(stated))
        };
        let stated = of_list(&quantization["weight_block_size"]);
        stated.or_else(|| groups?.values().find_map(of_group)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_blocks_are_read_as_their_makers_write_them() {
        for (text, wanted) in [
            (r#"{"quantization_config": {"weight_block_size": [128, 64]}}"#, vec![128, 64]),
            (
                r#"{"quantization_config": {"config_groups": {"group_0": {"weights": {"block_structure": "96x32"}}}}}"#,
                vec![96, 32],
            ),
            (
                r#"{"quantization_config": {"config_groups": {"group_0": {"weights": {"block_structure": [8, 4]}}}}}"#,
                vec![8, 4],
            ),
            (r#"{"quantization_config": {"weight_block_size": null}}"#, vec![]),
            ("{}", vec![]),
            ("[]", vec![]),
        ] {
            let config = Config { path: PathBuf::new(), value: serde_json::from_str(text).unwrap() };
            assert_eq!(config.block_size(), wanted, "{text}");
        }
    }
}
