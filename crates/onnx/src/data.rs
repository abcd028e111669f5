//! Tensors whose bytes stand in a file beside the model: looked at where they are, and only when they are asked for.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoneural_base::files::Folder;
use autoneural_base::map::Map;
use autoneural_base::text;

use crate::{StringStringEntryProto, TensorProto};

/// Where a tensor says that its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside<'a> {
    /// The file, relative to the folder of the model.
    pub location: &'a str,
    /// First byte.
    pub offset: usize,
    /// Number of bytes; to the end of the file where it is not said.
    pub length: Option<usize>,
}

impl<'a> Outside<'a> {
    /// The place of a tensor's bytes, if it is in another file.
    ///
    /// # Errors
    /// Says in words what of the place cannot be.
    pub fn of(tensor: &'a TensorProto) -> Result<Option<Self>, String> {
        // Writers that say where the data is do not always say that it is outside.
        if tensor.external_data.is_empty() && tensor.data_location() != crate::tensor_proto::DataLocation::External {
            return Ok(None);
        }
        let location = entry(&tensor.external_data, "location").filter(|location| !location.is_empty());
        let location = location.ok_or("does not say in which file its data is")?;
        let number = |key: &str| match entry(&tensor.external_data, key) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("says `{text}` for the {key} of its data, which is no number of bytes")),
            },
        };
        Ok(Some(Outside { location, offset: number("offset")?.unwrap_or(0), length: number("length")? }))
    }
}

fn entry<'a>(entries: &'a [StringStringEntryProto], key: &str) -> Option<&'a str> {
    entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

/// A range of a mapped data file.
#[derive(Clone)]
pub struct Bytes {
    /// The whole file.
    pub map: Arc<Map>,
    /// First byte of the range.
    pub start: usize,
    /// Bytes of the range, which lie in the file.
    pub length: usize,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.start..self.start + self.length]
    }
}

/// Data files beside a model file, each mapped once and not before a tensor of it is asked for.
pub struct DataFiles {
    folder: PathBuf,
    maps: HashMap<String, Arc<Map>>,
}

impl DataFiles {
    /// The data files of models in this folder.
    pub fn beside(folder: &Path) -> Self {
        // A file that is named without a folder is in the working one.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        DataFiles { folder: folder.to_path_buf(), maps: HashMap::new() }
    }

    /// The bytes of a tensor that is in another file; none of one that is in the model itself.
    ///
    /// # Errors
    /// Says in words what of the place cannot be: a file that is missing, that is a link, or that is not below the
    /// folder of the model; a range that is not in it.
    pub fn bytes(&mut self, tensor: &TensorProto) -> Result<Option<Bytes>, String> {
        let Some(outside) = Outside::of(tensor)? else { return Ok(None) };
        let map = self.map(outside.location)?;
        let Some(left) = map.len().checked_sub(outside.offset) else {
            return Err(format!("begins beyond the end of its data file `{}`", outside.location));
        };
        let length = outside.length.unwrap_or(left);
        if length > left {
            return Err(format!("reaches beyond the end of its data file `{}`", outside.location));
        }
        Ok(Some(Bytes { map, start: outside.offset, length }))
    }

    fn map(&mut self, location: &str) -> Result<Arc<Map>, String> {
        if let Some(map) = self.maps.get(location) {
            return Ok(Arc::clone(map));
        }
        let opened = Folder::open(&self.folder).and_then(|folder| folder.file(location));
        let map = opened.and_then(|file| Map::of(file, &self.folder.join(location)));
        let map = map.map_err(|error| format!("its data file: {}: {}", error.place, error.message))?;
        if text::is_lfs_pointer(&map) {
            return Err(format!("its data file: `{location}` is a git-lfs pointer: run `git lfs pull` for the file"));
        }
        let map = Arc::new(map);
        self.maps.insert(location.to_string(), Arc::clone(&map));
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
        TensorProto { external_data: entries.iter().map(entry).collect(), ..TensorProto::default() }
    }

    #[test]
    fn a_tensor_is_a_range_of_its_file_which_is_mapped_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/d"), b"0123456789").unwrap();
        let mut files = DataFiles::beside(folder.path());
        let all = files.bytes(&tensor(&[("location", "sub/d")])).unwrap().unwrap();
        let some = files.bytes(&tensor(&[("location", "sub/d"), ("offset", "2"), ("length", "3")])).unwrap().unwrap();
        assert_eq!((&all[..], &some[..]), (&b"0123456789"[..], &b"234"[..]));
        assert!(Arc::ptr_eq(&all.map, &some.map));
        let none = files.bytes(&tensor(&[("location", "sub/d"), ("offset", "10")])).unwrap().unwrap();
        assert!(none.is_empty() && files.bytes(&TensorProto::default()).unwrap().is_none());
    }

    #[test]
    fn what_is_not_beside_the_model_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("secret"), b"secret").unwrap();
        std::fs::write(inside.join("d"), b"0123456789").unwrap();
        std::fs::write(inside.join("lfs"), "version https://git-lfs.github.com/spec/v1\nsize 1\n").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        let absolute = folder.path().join("secret");
        let mut files = DataFiles::beside(&inside);
        for (entries, word) in [
            (&[("location", "../secret")][..], "leaves the folder"),
            (&[("location", absolute.to_str().unwrap())], "leaves the folder"),
            (&[("location", "link")], "is a link"),
            (&[("location", "none")], "No such file"),
            (&[("location", "lfs")], "git-lfs pointer"),
            (&[("location", ".")], "is a folder"),
            (&[("location", "")], "does not say in which file"),
            (&[("offset", "1")], "does not say in which file"),
            (&[("location", "d"), ("offset", "11")], "begins beyond the end"),
            (&[("location", "d"), ("offset", "9"), ("length", "2")], "reaches beyond the end"),
            (&[("location", "d"), ("offset", "1"), ("length", "18446744073709551615")], "reaches beyond the end"),
            (&[("location", "d"), ("offset", "-1")], "no number of bytes"),
            (&[("location", "d"), ("length", "18446744073709551616")], "no number of bytes"),
        ] {
            let error = files.bytes(&tensor(entries)).err().unwrap();
            assert!(error.contains(word), "{entries:?}: {error}");
        }
    }
}
