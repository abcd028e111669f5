//! Named arrays, and which inputs and outputs of graphs they are.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{ElementType, ValueId};
use autoneural_core::partition::{Partition, Port};
use autoneural_engines::engine::{Data, Tensor};

/// Largest file that is read.
const LARGEST: u64 = 1 << 30;

/// The arrays of a file, by name.
pub struct Arrays {
    place: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Arrays {
    /// Reads a safetensors file of `F32` and `I32` arrays.
    ///
    /// # Errors
    /// Another kind of file, one of more than 1 GiB, another element type, a number that is not finite.
    pub fn read(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let bytes = autoneural_base::text::read_at_most(path, LARGEST)?;
        let read = SafeTensors::deserialize(&bytes).map_err(|error| {
            Error::input(&place, format!("is no safetensors file: {error}"))
                .help("a sample is a safetensors file with one array for each input of a graph")
        })?;
        let mut tensors = BTreeMap::new();
        for (name, view) in read.tensors() {
            let (chunks, _) = view.data().as_chunks::<4>();
            let data = match view.dtype() {
                Dtype::F32 => Data::F32(chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()),
                Dtype::I32 => Data::I32(chunks.iter().map(|&chunk| i32::from_le_bytes(chunk)).collect()),
                other => {
                    return Err(Error::input(
                        format!("{place}: `{name}`"),
                        format!("is {other:?}; F32 and I32 are read"),
                    ));
                }
            };
            if let Data::F32(values) = &data
                && let Some(at) = values.iter().position(|value| !value.is_finite())
            {
                return Err(Error::input(format!("{place}: `{name}`"), format!("element {at} is {}", values[at])));
            }
            tensors.insert(name, Tensor { shape: view.shape().to_vec(), data });
        }
        Ok(Arrays { place, tensors })
    }
}

/// The names that arrays may have: `graph/port`, or the port's alone where it is that of one graph.
pub struct Names<'a> {
    partitions: &'a [Partition],
}

impl<'a> Names<'a> {
    /// Those of graphs.
    pub fn new(partitions: &'a [Partition]) -> Self {
        Names { partitions }
    }

    /// The array of a port.
    fn find<'t>(&self, arrays: &'t Arrays, at: usize, port: &Port, of: Side) -> Option<(String, &'t Tensor)> {
        let whole = format!("{}/{}", self.partitions[at].name, port.name);
        let with = |partition: &&Partition| of.ports(partition).0.iter().any(|other| other.name == port.name);
        let is_only = self.partitions.iter().filter(with).count() == 1;
        let found = arrays.tensors.get(&whole).map(|found| (whole, found));
        found.or_else(|| Some((port.name.clone(), arrays.tensors.get(&port.name).filter(|_| is_only)?)))
    }

    /// An array in the shape and of the elements of a port.
    fn fitting(&self, (name, found): (String, &Tensor), arrays: &Arrays, at: usize, id: ValueId) -> Result<Tensor> {
        let value = self.partitions[at].graph.value(id);
        let fits = match found.data {
            Data::F32(_) => value.element == ElementType::F32,
            _ => value.element == ElementType::I32,
        };
        match fits && found.shape == value.shape {
            true => Ok(found.clone()),
            false => {
                let (kind, shape) = (found.data.kind(), &found.shape);
                let wanted = if value.element == ElementType::F32 { "float32" } else { "int32" };
                let message =
                    format!("is {kind} {shape:?}; {} takes {wanted} {:?}", self.partitions[at].name, value.shape);
                Err(Error::input(format!("{}: `{name}`", arrays.place), message))
            }
        }
    }

    /// The inputs of a graph: those of the arrays, and what was handed over by encoding key. None where the arrays hold
    /// nothing of it and not all is handed over.
    ///
    /// # Errors
    /// An array of another shape, an input that is missing beside others.
    pub fn inputs(&self, arrays: &Arrays, at: usize, handed: &BTreeMap<String, Tensor>) -> Result<Option<Vec<Tensor>>> {
        let partition = &self.partitions[at];
        let (mut made, mut missing, mut given) = (Vec::new(), Vec::new(), 0);
        for (port, &id) in partition.inputs.iter().zip(partition.graph.inputs()) {
            match (self.find(arrays, at, port, Side::In), handed.get(&port.encoding_key)) {
                (Some(found), _) => {
                    given += 1;
                    made.push(self.fitting(found, arrays, at, id)?);
                }
                (None, Some(tensor)) if !port.encoding_key.is_empty() => made.push(tensor.clone()),
                (None, _) => missing.push(format!("`{}`", port.name)),
            }
        }
        match missing.is_empty() {
            true => Ok(Some(made)),
            false if given == 0 => Ok(None),
            false => {
                Err(Error::input(&arrays.place, format!("holds no {} for {}", missing.join(", "), partition.name)))
            }
        }
    }

    /// A recorded output of a graph with its name, if there is one.
    ///
    /// # Errors
    /// An array of another shape.
    pub fn output(&self, arrays: &Arrays, at: usize, place: usize) -> Result<Option<(String, Tensor)>> {
        let partition = &self.partitions[at];
        let Some(found) = self.find(arrays, at, &partition.outputs[place], Side::Out) else { return Ok(None) };
        let name = found.0.clone();
        Ok(Some((name, self.fitting(found, arrays, at, partition.graph.outputs()[place])?)))
    }

    /// Keeps what later graphs take.
    pub fn hand_over(&self, at: usize, outputs: Vec<Tensor>, handed: &mut BTreeMap<String, Tensor>) {
        let later = &self.partitions[at + 1..];
        for (port, output) in self.partitions[at].outputs.iter().zip(outputs) {
            let is_taken =
                later.iter().flat_map(|graph| &graph.inputs).any(|one| one.encoding_key == port.encoding_key);
            if is_taken && !port.encoding_key.is_empty() {
                handed.insert(port.encoding_key.clone(), output);
            }
        }
    }

    /// Checks that arrays are inputs of graphs, and run one at least.
    ///
    /// # Errors
    /// Names the array that is none, or what is missing.
    pub fn check(&self, arrays: &Arrays) -> Result<()> {
        let (mut known, mut handed, mut runs) = (Vec::new(), BTreeMap::new(), 0);
        for (at, partition) in self.partitions.iter().enumerate() {
            known.extend(partition.inputs.iter().filter_map(|port| Some(self.find(arrays, at, port, Side::In)?.0)));
            if self.inputs(arrays, at, &handed)?.is_some() {
                runs += 1;
                let nothing = Tensor::f32(vec![], vec![]);
                self.hand_over(at, vec![nothing; partition.outputs.len()], &mut handed);
            }
        }
        let inputs = || {
            let all = self.partitions.iter().flat_map(|graph| graph.inputs.iter().map(move |port| (graph, port)));
            all.map(|(graph, port)| format!("`{}/{}`", graph.name, port.name)).collect::<Vec<_>>().join(", ")
        };
        if let Some(name) = arrays.tensors.keys().find(|name| !known.contains(name)) {
            return Err(Error::input(format!("{}: `{name}`", arrays.place), "is the input of no graph")
                .help(format!("inputs are {}", inputs())));
        }
        match runs {
            0 => {
                Err(Error::input(&arrays.place, "holds no input of any graph").help(format!("inputs are {}", inputs())))
            }
            _ => Ok(()),
        }
    }
}

/// The ports of one side of a graph.
#[derive(Clone, Copy)]
enum Side {
    In,
    Out,
}

impl Side {
    fn ports(self, partition: &Partition) -> (&[Port], &[ValueId]) {
        match self {
            Side::In => (&partition.inputs, partition.graph.inputs()),
            Side::Out => (&partition.outputs, partition.graph.outputs()),
        }
    }
}
