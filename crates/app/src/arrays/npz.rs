//! NumPy's archive of arrays: a zip file of `.npy` files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::file::{About, ArrayFile};
use super::npy::Header;
use autoneural_base::contain::contain;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;

/// Largest array that is inflated. A small file may stand for a very large one, and all that is before a sample is
/// inflated to reach it.
const LARGEST_DEFLATED: u64 = 4 << 30;
/// Most arrays in a file.
const MOST_ARRAYS: usize = 1024;

/// An archive of arrays.
pub(crate) struct Npz {
    place: String,
    archive: ZipArchive<BufReader<File>>,
    abouts: BTreeMap<String, About>,
}

impl Npz {
    /// Reads what the archive says of its arrays.
    ///
    /// # Errors
    /// No such archive, or an array whose size is not what its header says.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let file = files::open(path)?;
        let length = file.metadata().at(path)?.len();
        let file = BufReader::new(file);
        let damaged = |what: String| {
            Error::input(&place, format!("is no archive of arrays: {what}")).help("write it with `numpy.savez`")
        };
        let archive = contain(|| ZipArchive::new(file));
        let mut archive =
            archive.map_err(|panic| damaged(panic.to_string()))?.map_err(|error| damaged(error.to_string()))?;
        if archive.len() > MOST_ARRAYS {
            return Err(damaged(format!("it has {} entries, at most {MOST_ARRAYS} are read", archive.len())));
        }
        let names: Vec<String> = archive.file_names().map(String::from).collect();
        let mut abouts = BTreeMap::new();
        for name in names {
            let Some(array) = name.strip_suffix(".npy") else {
                return Err(damaged(format!("its entry `{name}` is no .npy file")));
            };
            let header = entry(&mut archive, &place, array, |mut entry, place| {
                let header = Header::read(&mut entry, place)?;
                let is_deflated = entry.compression() != CompressionMethod::Stored;
                if is_deflated && entry.size() > LARGEST_DEFLATED {
                    let message = format!("would have {} bytes inflated, at most {LARGEST_DEFLATED} are", entry.size());
                    return Err(Error::input(place, message).help("save fewer samples, or write it with `numpy.savez`"));
                }
                if !is_deflated && entry.size() > length {
                    return Err(Error::input(place, format!("has {} bytes, in a file of {length}", entry.size())));
                }
                header.refuse_other_size(entry.size(), place).map(|()| header)
            })?;
            abouts.insert(array.to_string(), header.about);
        }
        Ok(Npz { place, archive, abouts })
    }
}

/// Works on an entry.
fn entry<T>(
    archive: &mut ZipArchive<BufReader<File>>,
    place: &str,
    array: &str,
    work: impl FnOnce(zip::read::ZipFile<'_, BufReader<File>>, &str) -> Result<T>,
) -> Result<T> {
    let place = format!("{place}: `{array}`");
    let damaged = |what: String| Error::input(&place, format!("cannot be read: {what}"));
    let done = contain(|| {
        let entry = archive.by_name(&file_of(array)).map_err(|error| damaged(error.to_string()))?;
        work(entry, &place)
    });
    done.map_err(|panic| damaged(panic.to_string()))?
}

/// The name of the entry of an array.
fn file_of(array: &str) -> String {
    format!("{array}.npy")
}

impl ArrayFile for Npz {
    fn abouts(&self) -> &BTreeMap<String, About> {
        &self.abouts
    }

    fn read(&mut self, name: &str, row: Option<(usize, usize)>) -> Result<Vec<u8>> {
        // What is not compressed is read from where the sample begins, and not from the start of the array.
        let seekable = |archive: &mut ZipArchive<BufReader<File>>| {
            let mut entry = archive.by_name_seek(&file_of(name)).ok()?;
            let header = Header::read(&mut entry, &self.place).ok()?;
            let seek = |entry: &mut zip::read::ZipFileSeek<'_, _>, bytes: u64| {
                entry.seek(SeekFrom::Current(bytes as i64)).map(drop)
            };
            header.elements(&mut entry, seek, row, &self.place).ok()
        };
        if row.is_some()
            && let Ok(Some(found)) = contain(|| seekable(&mut self.archive))
        {
            return Ok(found);
        }
        entry(&mut self.archive, &self.place, name, |mut entry, place| {
            let header = Header::read(&mut entry, place)?;
            header.elements(&mut entry, skip, row, place)
        })
    }
}

fn skip(from: &mut impl Read, bytes: u64) -> std::io::Result<()> {
    match std::io::copy(&mut from.take(bytes), &mut std::io::sink())? {
        found if found == bytes => Ok(()),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}
