//! A safetensors file of arrays.

use std::collections::BTreeMap;
use std::path::Path;

use ::safetensors::tensor::{Dtype, SafeTensors};

use super::element::Kind;
use super::file::{About, ArrayFile, part_bytes};
use autoneural_base::error::{Error, Result};
use autoneural_base::map::Map;
use autoneural_base::text::is_lfs_pointer;

/// A file of named arrays.
pub(crate) struct Tensors {
    place: String,
    map: Map,
    abouts: BTreeMap<String, About>,
}

impl Tensors {
    /// Reads the header.
    ///
    /// # Errors
    /// Another kind of file, another element type.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (place, map) = (path.display().to_string(), Map::open(path)?);
        if is_lfs_pointer(&map) {
            return Err(Error::input(&place, "is a git-lfs pointer: the file itself was not fetched")
                .help("run `git lfs pull`, or download the file"));
        }
        let mut abouts = BTreeMap::new();
        for (name, view) in parse(&place, &map)?.tensors() {
            let numpy = match view.dtype() {
                Dtype::BOOL => "|b1",
                Dtype::F16 => "<f2",
                Dtype::F32 => "<f4",
                Dtype::F64 => "<f8",
                Dtype::I8 => "|i1",
                Dtype::I16 => "<i2",
                Dtype::I32 => "<i4",
                Dtype::I64 => "<i8",
                Dtype::U8 => "|u1",
                Dtype::U16 => "<u2",
                Dtype::U32 => "<u4",
                Dtype::U64 => "<u8",
                _ => "",
            };
            let Some(kind) = Kind::of_numpy(numpy) else {
                let message = format!("is {:?}; F16 to F64, integers and BOOL are read", view.dtype());
                return Err(Error::input(format!("{place}: `{name}`"), message));
            };
            abouts.insert(name, About { kind, shape: view.shape().to_vec() });
        }
        Ok(Tensors { place, map, abouts })
    }
}

fn parse<'a>(place: &str, map: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(map).map_err(|error| {
        Error::input(place, format!("is no safetensors file: {error}"))
            .help("a sample is a .safetensors, .npz or .npy file with one array for each input of a graph")
    })
}

impl ArrayFile for Tensors {
    fn abouts(&self) -> &BTreeMap<String, About> {
        &self.abouts
    }

    fn read(&mut self, name: &str, row: Option<(usize, usize)>) -> Result<Vec<u8>> {
        let place = format!("{}: `{name}`", self.place);
        let damaged = || Error::input(&place, "is not what it was when the file was opened");
        let file = parse(&self.place, &self.map)?;
        let (view, about) = (file.tensor(name).map_err(|_| damaged())?, self.abouts.get(name).ok_or_else(damaged)?);
        let bytes = part_bytes(&place, about, row)?;
        let from = row.map_or(0, |(_, at)| at * bytes);
        let part = view.data().get(from..from + bytes).ok_or_else(damaged)?;
        Ok(part.to_vec())
    }
}
