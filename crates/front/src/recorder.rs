//! The tensors that a model definition asks for, found by letting the builders of the front end ask.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::MmapMut;

use super::{Definition, Tensors};
use autoneural_base::error::{Error, Result};
use autoneural_base::map::Map;
use autoneural_core::ir::{Constant, Shape, StoredType, View};

/// Most elements of one tensor; the graph takes no larger value either.
const MOST_ELEMENTS: usize = 1 << 30;
const STORED: StoredType = StoredType::Bf16;

/// Pretends to have every tensor that a builder takes, full of zeros, and remembers name and shape. All are views on
/// one map that is never touched, so a model of any size costs no memory; each begins at a place of its own, which
/// tells them apart.
pub struct Recorder {
    path: PathBuf,
    /// Tensors that a checkpoint of this model leaves out, such as the head where embeddings are tied.
    absent: Vec<String>,
    asked: RefCell<Asked>,
}

#[derive(Default)]
struct Asked {
    zeros: Option<Arc<Map>>,
    places: BTreeMap<String, (usize, Shape)>,
}

impl Recorder {
    /// A recorder for a definition that was read from `path`.
    pub fn new(definition: &Definition, path: &Path) -> Self {
        let absent = if definition.language.tied_embeddings { definition.weights.head.clone() } else { vec![] };
        Self::without(path, absent)
    }

    /// A recorder that lacks these tensors.
    pub fn without(path: &Path, absent: Vec<String>) -> Self {
        Recorder { path: path.to_path_buf(), absent, asked: RefCell::default() }
    }

    /// The tensors by name, with the place that [`Constant::start`] tells of their constants.
    pub fn into_tensors(self) -> BTreeMap<String, (usize, Shape)> {
        self.asked.into_inner().places
    }
}

impl Tensors for Recorder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn contains(&self, name: &str) -> bool {
        !self.absent.iter().any(|absent| absent == name)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let Some(elements) = elements.filter(|&elements| (1..=MOST_ELEMENTS).contains(&elements)) else {
            let message = format!("would have the shape {shape:?}; a tensor has 1 to {MOST_ELEMENTS} elements");
            return Err(
                Error::input(format!("`{name}`"), message).help("a dimension in the model definition is impossible")
            );
        };
        let asked = &mut *self.asked.borrow_mut();
        let next = asked.places.len() * STORED.bytes();
        let (start, known) = asked.places.entry(name.to_string()).or_insert_with(|| (next, shape.to_vec()));
        if known != shape {
            return Err(Error::internal(name, format!("is asked for as {known:?} and as {shape:?}")));
        }
        let end = *start + elements * STORED.bytes();
        let zeros = match &asked.zeros {
            Some(zeros) if zeros.len() >= end => Arc::clone(zeros),
            _ => {
                let map = MmapMut::map_anon(2 * end).and_then(MmapMut::make_read_only);
                let map = map.map_err(|error| Error::io(&self.path, &error))?;
                Arc::clone(asked.zeros.insert(Arc::new(Map::anonymous(map))))
            }
        };
        let view =
            View::new(zeros, *start, elements, STORED).ok_or_else(|| Error::internal(name, "the map is short"))?;
        Ok(Constant::from_view(view, shape.to_vec()))
    }
}
