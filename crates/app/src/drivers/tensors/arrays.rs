//! The arrays of a sample, whatever kind of file they are read from.

use std::collections::BTreeMap;
use std::path::Path;

use crate::arrays::{About, ArrayFile, Rows, convert, open};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ElementType;
use autoneural_engines::engine::Tensor;

/// Named arrays.
pub(crate) struct Arrays {
    /// Where they are from, for messages.
    pub place: String,
    /// The arrays.
    pub tensors: BTreeMap<String, Tensor>,
}

/// What an input takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted<'a> {
    /// The graph that takes it, for messages.
    pub graph: &'a str,
    /// Sizes of the axes.
    pub shape: &'a [usize],
    /// The elements.
    pub element: ElementType,
}

impl Wanted<'_> {
    /// What is wrong with an array of another shape or of other elements.
    pub(crate) fn refused(&self, place: &str, kind: &str, shape: &[usize]) -> Error {
        let (graph, wanted) = (self.graph, if self.element == ElementType::F32 { "float32" } else { "int32" });
        Error::input(place, format!("is {kind} {shape:?}; {graph} takes {wanted} {:?}", self.shape))
    }

    /// How an array holds it.
    ///
    /// # Errors
    /// It is of another shape.
    pub(crate) fn rows(&self, place: &str, about: &About) -> Result<Rows> {
        let rows = Rows::of(&about.shape, self.shape);
        rows.ok_or_else(|| {
            let error = self.refused(place, &about.kind.name(), &about.shape);
            error.help("one sample has the input's shape; several are stacked on a new first axis")
        })
    }
}

impl Arrays {
    /// What a file holds of the inputs and outputs of graphs, in the elements that they have there, which `element` says
    /// of a name: a model that is exported counts tokens and truths in other types than its graphs. What is no port is
    /// left unread.
    ///
    /// # Errors
    /// A file that cannot be read, a number that the port's elements cannot be.
    pub(crate) fn of_ports(path: &Path, element: &dyn Fn(&str) -> Option<ElementType>) -> Result<Self> {
        let (place, mut file) = (path.display().to_string(), open(path)?);
        let mut tensors = BTreeMap::new();
        for (name, about) in file.abouts().clone() {
            let Some(element) = element(&name) else { continue };
            let bytes = file.read(&name, None)?;
            let tensor = convert(&format!("{place}: `{name}`"), about.kind, &bytes, about.shape, element)?;
            tensors.insert(name, tensor);
        }
        Ok(Arrays { place, tensors })
    }
}

/// Reads the array of a sample as an input takes it; `at` is the sample's place where several are stacked.
///
/// # Errors
/// An array of another shape, a place that is not in it, numbers that the input cannot take.
pub(crate) fn part(
    file: &mut dyn ArrayFile,
    (name, place): (&str, &str),
    at: Option<usize>,
    wanted: &Wanted,
) -> Result<Tensor> {
    let about = file.abouts().get(name).cloned().ok_or_else(|| Error::internal(place, "is not in the file"))?;
    let row = match (wanted.rows(place, &about)?, at) {
        (Rows::One, None | Some(0)) => None,
        (Rows::Stacked(rows), Some(at)) if at < rows => Some((rows, at)),
        (Rows::Stacked(1), None) => Some((1, 0)),
        (Rows::Stacked(rows), None) => {
            return Err(Error::input(place, format!("holds {rows} samples")).help("say which one it is: `row = 0`"));
        }
        (rows, Some(at)) => {
            return Err(Error::input(place, format!("has no row {at}: it holds {} samples", rows.count())));
        }
    };
    let bytes = file.read(name, row)?;
    convert(place, about.kind, &bytes, wanted.shape.to_vec(), wanted.element)
}
