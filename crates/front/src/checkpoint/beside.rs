//! The other files of a checkpoint, where its weights lie in several folders: tokenizer, chat template, configurations.

use std::path::{Path, PathBuf};

use super::opened::Checkpoint;
use super::place::WeightsPlace;
use crate::Component;
use crate::{Definition, Weights, names};
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_base::warning::Warning;

/// Name of the tokenizer's file.
const TOKENIZER: &str = "tokenizer.json";
/// Largest tokenizer that is compared.
const LARGEST_TOKENIZER: u64 = 96 << 20;
/// The stage that takes these files.
const STAGE: &str = "export";

/// The folders in which a checkpoint's weights lie.
#[derive(Debug, Clone)]
pub struct Beside {
    /// All of them, each once: that of the language model, then the others in the order in which they were given.
    pub folders: Vec<PathBuf>,
    /// The one that the tokenizer is taken from.
    pub words: PathBuf,
    /// Where the vision encoder's weights lie, as far as they are there.
    pub vision: Option<PathBuf>,
    /// Warnings about these folders.
    pub warnings: Vec<Warning>,
}

impl Beside {
    /// All folders, that of the tokenizer first.
    pub fn words_first(&self) -> Vec<PathBuf> {
        let others = self.folders.iter().filter(|folder| **folder != self.words);
        std::iter::once(&self.words).chain(others).cloned().collect()
    }

    /// A file of the language model: in its folder, or else in the first that has it.
    pub fn file(&self, name: &str) -> PathBuf {
        let mut all = self.folders.iter().map(|folder| folder.join(name));
        all.find(|path| path.symlink_metadata().is_ok()).unwrap_or_else(|| self.language().join(name))
    }

    /// The folder of the language model's weights.
    pub fn language(&self) -> &Path {
        self.folders.first().unwrap_or(&self.words)
    }

    /// A text in which paths in the folders begin where the folders' ways part: a bundle does not depend on where its
    /// checkpoint lies.
    pub fn inside(&self, text: &str) -> String {
        let mut common = self.language();
        while let (false, Some(parent)) =
            (self.folders.iter().all(|folder| folder.starts_with(common)), common.parent())
        {
            common = parent;
        }
        let mut folders: Vec<&PathBuf> = self.folders.iter().collect();
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.as_os_str().len()));
        let mut made = text.to_string();
        for folder in folders {
            let path = folder.display().to_string();
            let name = folder.strip_prefix(common).unwrap_or(folder).display().to_string();
            let with = |end: &str| if name.is_empty() { String::new() } else { format!("{name}{end}") };
            made = made.replace(&format!("{path}/"), &with("/")).replace(&format!("{path}: "), &with(": "));
            if let Some(start) = made.strip_suffix(&path).filter(|_| !name.is_empty()) {
                made = format!("{start}{name}");
            }
        }
        made
    }
}

impl Checkpoint {
    /// The folders in which the weights lie, each once, in the order in which they were given.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut made: Vec<PathBuf> = Vec::new();
        for source in &self.sources {
            if !made.contains(&source.files.folder) {
                made.push(source.files.folder.clone());
            }
        }
        made
    }

    /// Folders for the other files of a model, whose definition tells which weights are the language model's.
    ///
    /// # Errors
    /// Tokenizers in several folders that differ, of which none is the language model's; neither a tokenizer nor a
    /// language model.
    pub fn beside(&self, definition: &Definition) -> Result<Beside> {
        let mut folders = self.folders();
        if let Some(language) = self.folder_of(Component::Language, definition) {
            folders.retain(|folder| folder != language);
            folders.insert(0, language.clone());
        }
        let vision = self.folder_of(Component::Vision, definition).cloned();
        let with_tokenizer: Vec<&PathBuf> =
            folders.iter().filter(|folder| folder.join(TOKENIZER).symlink_metadata().is_ok()).collect();
        if with_tokenizer.is_empty() && self.sources.len() > 1 {
            // Without the language model's folder its tokenizer is missing, too, and that is the smaller part of it.
            let resolved = names::resolved(definition, &self.given());
            let firsts: Vec<_> = names::first_tensor(Component::Language, definition).into_iter().collect();
            Weights::new(self, Component::Language.name(), &resolved.weights.language, &firsts)?;
        }
        let words = with_tokenizer.first().copied().unwrap_or(&folders[0]).clone();
        let mut warnings = Vec::new();
        for other in with_tokenizer.iter().skip(1) {
            let (taken, other) = (words.join(TOKENIZER), other.join(TOKENIZER));
            if same(&taken, &other)? {
                continue;
            }
            let message = format!("is another tokenizer than {}", taken.display());
            if words != folders[0] {
                return Err(Error::input(other.display(), message).help(
                    "keep the one that is meant, best beside the weights of the language model, and move the other \
                     away",
                ));
            }
            let message = format!("{message}, which is the one that is taken: it lies beside the language model");
            warnings.push(Warning::new(STAGE, other.display(), message).help("remove the one that is not meant"));
        }
        Ok(Beside { folders, words, vision, warnings })
    }

    /// The folder that the weights of a part are taken from, if they are there.
    fn folder_of(&self, part: Component, definition: &Definition) -> Option<&PathBuf> {
        let is_given = |place: &WeightsPlace| place.part == Some(part);
        if let Some(source) = self.sources.iter().find(|source| is_given(&source.place)) {
            return Some(&source.files.folder);
        }
        let resolved = names::resolved(definition, &self.given());
        let name = names::first_tensor(part, definition)?;
        let mut prefixes = resolved.weights.prefixes(part).iter();
        let info = prefixes.find_map(|prefix| Some(self.find(&format!("{prefix}{name}"))?.1))?;
        Some(&self.sources[info.source].files.folder)
    }
}

/// Whether two files hold the same.
fn same(one: &Path, other: &Path) -> Result<bool> {
    let read = |path: &Path| text::read_at_most(path, LARGEST_TOKENIZER);
    Ok(read(one)? == read(other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(folders: &[&str]) -> Beside {
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        Beside { words: folders[0].clone(), folders, vision: None, warnings: vec![] }
    }

    #[test]
    fn places_begin_where_the_ways_of_the_folders_part() {
        for (folders, text, wanted) in [
            (&["/a/b"][..], "/a/b/x.json: key", "x.json: key"),
            (&["/a/b"], "/a/b: `tensor`", "`tensor`"),
            (&["/a/b/w", "/a/c/w"], "/a/b/w/x is another than /a/c/w/x", "b/w/x is another than c/w/x"),
            (&["/a/b", "/a"], "/a/b/x, not /a/x", "b/x, not x"),
            (&["b", "."], "b/x, not ./x", "b/x, not ./x"),
            (&["/a/b", "/a/c"], "is in /a/c", "is in c"),
        ] {
            assert_eq!(beside(folders).inside(text), wanted, "{folders:?}");
        }
    }
}
