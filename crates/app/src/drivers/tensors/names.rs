//! Finds the inputs and outputs of graphs for named arrays.

use std::collections::BTreeMap;

use super::arrays::{Arrays, Wanted};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{ElementType, ValueId};
use autoneural_core::partition::{Partition, Port};
use autoneural_engines::engine::{Data, Tensor};

/// The names that arrays may have: `graph/port`, or the port's alone where it is that of one graph.
pub(crate) struct Names<'a> {
    /// The graphs, in order.
    pub partitions: &'a [Partition],
}

impl<'a> Names<'a> {
    /// Those of graphs.
    pub(crate) fn new(partitions: &'a [Partition]) -> Self {
        Names { partitions }
    }

    /// The input of a name: its whole name, and what it takes.
    ///
    /// # Errors
    /// It is the input of no graph.
    pub(crate) fn input(&self, name: &str, place: &str) -> Result<(String, Wanted<'a>)> {
        let all = self
            .partitions
            .iter()
            .flat_map(|graph| graph.inputs.iter().zip(graph.graph.inputs()).map(move |(port, id)| (graph, port, id)));
        let of = |is: &dyn Fn(&Partition, &Port) -> bool| {
            all.clone().filter(|(graph, port, _)| is(graph, port)).collect::<Vec<_>>()
        };
        let whole = of(&|graph, port| {
            name.strip_prefix(graph.name.as_str()).and_then(|rest| rest.strip_prefix('/')) == Some(&port.name)
        });
        let found = if whole.is_empty() { of(&|_, port| port.name == name) } else { whole };
        match found.as_slice() {
            [(graph, port, id)] => {
                let value = graph.graph.value(**id);
                let wanted = Wanted { graph: &graph.name, shape: &value.shape, element: value.element };
                Ok((format!("{}/{}", graph.name, port.name), wanted))
            }
            [] => Err(Error::input(place, "is the input of no graph").help(format!("inputs are {}", self.listed()))),
            _ => Err(Error::input(place, "is an input of several graphs")
                .help(format!("write `graph/input`; inputs are {}", self.listed()))),
        }
    }

    /// The inputs that samples have to fill: those that no graph before hands over.
    pub(crate) fn open_inputs(&self) -> Vec<(String, Wanted<'a>)> {
        let mut made = Vec::new();
        for (at, partition) in self.partitions.iter().enumerate() {
            let before = &self.partitions[..at];
            let is_handed = |port: &Port| {
                let outputs = before.iter().flat_map(|graph| &graph.outputs);
                !port.encoding_key.is_empty() && outputs.clone().any(|one| one.encoding_key == port.encoding_key)
            };
            for (port, &id) in partition.inputs.iter().zip(partition.graph.inputs()) {
                if !is_handed(port) {
                    let value = partition.graph.value(id);
                    let wanted = Wanted { graph: &partition.name, shape: &value.shape, element: value.element };
                    made.push((format!("{}/{}", partition.name, port.name), wanted));
                }
            }
        }
        made
    }

    fn listed(&self) -> String {
        let all = self.partitions.iter().flat_map(|graph| graph.inputs.iter().map(move |port| (graph, port)));
        all.map(|(graph, port)| format!("`{}/{}`", graph.name, port.name)).collect::<Vec<_>>().join(", ")
    }

    /// The elements of the input or output that an array is named after, by `graph/port` or by the port alone.
    pub(crate) fn element(&self, name: &str) -> Option<ElementType> {
        let of = |graph: &'a Partition| {
            let inputs = graph.inputs.iter().zip(graph.graph.inputs());
            inputs.chain(graph.outputs.iter().zip(graph.graph.outputs())).map(move |(port, id)| (graph, port, *id))
        };
        let mut all = self.partitions.iter().flat_map(of);
        let is = |graph: &Partition, port: &Port| {
            let whole = name.strip_prefix(graph.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
            port.name == name || whole == Some(&port.name)
        };
        all.find(|(graph, port, _)| is(graph, port)).map(|(graph, _, id)| graph.graph.value(id).element)
    }

    /// The array of an output.
    fn find_output<'t>(&self, arrays: &'t Arrays, at: usize, port: &Port) -> Option<(String, &'t Tensor)> {
        let whole = format!("{}/{}", self.partitions[at].name, port.name);
        let with = |partition: &&Partition| partition.outputs.iter().any(|other| other.name == port.name);
        let is_only = self.partitions.iter().filter(with).count() == 1;
        let found = arrays.tensors.get(&whole).map(|found| (whole, found));
        found.or_else(|| Some((port.name.clone(), arrays.tensors.get(&port.name).filter(|_| is_only)?)))
    }

    /// The array of an input.
    fn find_input<'t>(&self, arrays: &'t Arrays, at: usize, port: &Port) -> Option<(String, &'t Tensor)> {
        let whole = format!("{}/{}", self.partitions[at].name, port.name);
        let with = |partition: &&Partition| partition.inputs.iter().any(|other| other.name == port.name);
        let is_only = self.partitions.iter().filter(with).count() == 1;
        let found = arrays.tensors.get(&whole).map(|found| (whole, found));
        found.or_else(|| Some((port.name.clone(), arrays.tensors.get(&port.name).filter(|_| is_only)?)))
    }

    /// An array in the shape and of the elements of a port.
    fn fitting(&self, (name, found): (String, &Tensor), arrays: &Arrays, at: usize, id: ValueId) -> Result<Tensor> {
        let value = self.partitions[at].graph.value(id);
        let fits = match found.data {
            Data::F32(_) => value.element == ElementType::F32,
            _ => value.element != ElementType::F32,
        };
        match fits && found.shape == value.shape {
            true => Ok(found.clone()),
            false => {
                let wanted = Wanted { graph: &self.partitions[at].name, shape: &value.shape, element: value.element };
                Err(wanted.refused(&format!("{}: `{name}`", arrays.place), found.data.kind(), &found.shape))
            }
        }
    }

    /// The inputs of a graph: those of the arrays, and what was handed over by encoding key. `None` if the arrays have
    /// none of them and not all are handed over.
    ///
    /// # Errors
    /// An array of another shape, an input that is missing beside others.
    pub(crate) fn inputs(
        &self,
        arrays: &Arrays,
        at: usize,
        handed: &BTreeMap<String, Tensor>,
    ) -> Result<Option<Vec<Tensor>>> {
        let partition = &self.partitions[at];
        let (mut made, mut missing, mut given) = (Vec::new(), Vec::new(), 0);
        for (port, &id) in partition.inputs.iter().zip(partition.graph.inputs()) {
            match (self.find_input(arrays, at, port), handed.get(&port.encoding_key)) {
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
    pub(crate) fn output(&self, arrays: &Arrays, at: usize, place: usize) -> Result<Option<(String, Tensor)>> {
        let partition = &self.partitions[at];
        let Some(found) = self.find_output(arrays, at, &partition.outputs[place]) else { return Ok(None) };
        let name = found.0.clone();
        Ok(Some((name, self.fitting(found, arrays, at, partition.graph.outputs()[place])?)))
    }

    /// Keeps what later graphs take.
    pub(crate) fn hand_over(&self, at: usize, outputs: Vec<Tensor>, handed: &mut BTreeMap<String, Tensor>) {
        let later = &self.partitions[at + 1..];
        for (port, output) in self.partitions[at].outputs.iter().zip(outputs) {
            let is_taken =
                later.iter().flat_map(|graph| &graph.inputs).any(|one| one.encoding_key == port.encoding_key);
            if is_taken && !port.encoding_key.is_empty() {
                handed.insert(port.encoding_key.clone(), output);
            }
        }
    }

    /// Checks that the arrays are the inputs of at least one graph.
    ///
    /// # Errors
    /// Names what is missing.
    pub(crate) fn check(&self, arrays: &Arrays) -> Result<()> {
        let (mut handed, mut runs) = (BTreeMap::new(), 0);
        for (at, partition) in self.partitions.iter().enumerate() {
            if self.inputs(arrays, at, &handed)?.is_some() {
                runs += 1;
                let nothing = Tensor::f32(vec![], vec![]);
                self.hand_over(at, vec![nothing; partition.outputs.len()], &mut handed);
            }
        }
        match runs {
            0 => Err(Error::input(&arrays.place, "holds no input of any graph")
                .help(format!("inputs are {}", self.listed()))),
            _ => Ok(()),
        }
    }
}
