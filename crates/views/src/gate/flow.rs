//! What follows from what: the tensors of all partitions in an order in which they can be made, each with those that it
//! is made from. Read from the graphs of a bundle; without those, layers follow each other as the report lists them.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use autoneural_app::report::PartitionReport;
use autoneural_base::error::Result;
use autoneural_base::json::LARGEST_JSON;
use autoneural_bundle::Bundle;
use autoneural_core::program::Group;

/// Tensors and what they are made from. It is of a bundle, and no part of a baseline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flow {
    cells: Vec<Cell>,
    partitions: Vec<String>,
    names: Vec<HashMap<String, usize>>,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its partition, by position.
    pub partition: usize,
    /// Tensors of the same partition that it is made from; their noise comes with them.
    pub reads: Vec<usize>,
    /// Tensors of partitions before that hold the same numbers, or the same weights: a partition is measured alone, so
    /// that their noise does not come with them.
    pub same: Vec<usize>,
}

/// As much of `model/*.json` as tells what reads what.
#[derive(Deserialize)]
struct Graph {
    inputs: Vec<Port>,
    nodes: Vec<Node>,
    outputs: Vec<Port>,
}

#[derive(Deserialize)]
struct Port {
    name: String,
    #[serde(default)]
    encoding_key: String,
}

#[derive(Deserialize)]
struct Node {
    name: String,
    inputs: Vec<String>,
}

impl Flow {
    /// Reads the graphs of the partitions of a report.
    ///
    /// # Errors
    /// A graph that is damaged.
    pub fn of(bundle: &Bundle, partitions: &[PartitionReport]) -> Result<Self> {
        let mut flow = Flow::default();
        // Tensors that leave a partition, by the key of their encoding.
        let mut handed: HashMap<String, usize> = HashMap::new();
        for partition in partitions {
            let file = format!("model/{}.json", partition.name);
            flow.partitions.push(partition.name.clone());
            flow.names.push(HashMap::new());
            if bundle.has_file(&file) {
                let graph: Graph =
                    autoneural_base::text::json(&bundle.path(&file), &bundle.read(&file, LARGEST_JSON)?)?;
                flow.graph(&graph, &mut handed);
            } else {
                flow.list(partition);
            }
        }
        Ok(flow)
    }

    fn graph(&mut self, graph: &Graph, handed: &mut HashMap<String, usize>) {
        for input in &graph.inputs {
            let from = handed.get(&input.encoding_key).copied().filter(|_| !input.encoding_key.is_empty());
            self.push(&input.name, vec![], from);
        }
        let mut made = HashSet::new();
        for node in &graph.nodes {
            let reads = node.inputs.iter().map(|name| self.read(name, &made)).collect();
            self.push(&node.name, reads, None);
            made.insert(node.name.as_str());
        }
        for output in graph.outputs.iter().filter(|output| !output.encoding_key.is_empty()) {
            let cell = self.read(&output.name, &made);
            handed.entry(output.encoding_key.clone()).or_insert(cell);
        }
    }

    /// A tensor that is read: one that came in, the first output of a node, which has its name, a later output, which
    /// has its number behind that, else a constant.
    fn read(&mut self, name: &str, made: &HashSet<&str>) -> usize {
        if let Some(known) = self.find_here(name) {
            return known;
        }
        let numbered = name.rsplit_once('.').filter(|(_, number)| number.parse::<usize>().is_ok());
        let whole = numbered.map(|(whole, _)| whole).filter(|whole| made.contains(whole));
        let reads = whole.and_then(|whole| self.find_here(whole)).into_iter().collect();
        self.push(name, reads, None)
    }

    /// Without a graph each layer comes from the one before, and the outputs from the last.
    fn list(&mut self, partition: &PartitionReport) {
        let mut last = None;
        for layer in &partition.layers {
            last = Some(self.push(&layer.name, last.into_iter().collect(), None));
        }
        for output in &partition.outputs {
            if self.find_here(&output.name).is_none() {
                self.push(&output.name, last.into_iter().collect(), None);
            }
        }
    }

    fn find_here(&self, name: &str) -> Option<usize> {
        self.names.last()?.get(name).copied()
    }

    fn push(&mut self, name: &str, reads: Vec<usize>, from: Option<usize>) -> usize {
        let (at, partition) = (self.cells.len(), self.partitions.len() - 1);
        let twin = self.twin(partition, name);
        self.cells.push(Cell { partition, reads, same: from.into_iter().chain(twin).collect() });
        self.names[partition].entry(name.to_string()).or_insert(at);
        at
    }

    /// The tensor of the same name in a partition before that is of the same group.
    fn twin(&self, partition: usize, name: &str) -> Option<usize> {
        let group = |partition: usize| Group::of_graph(&self.partitions[partition]).ok();
        let own = group(partition)?;
        let before = (0..partition).find(|&before| group(before).as_ref() == Some(&own))?;
        self.names[before].get(name).copied()
    }

    /// All tensors, each behind those that it is made from.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// A tensor by its place.
    pub fn find(&self, partition: &str, name: &str) -> Option<usize> {
        self.names.get(self.partition(partition)?)?.get(name).copied()
    }

    /// A partition by its name.
    pub fn partition(&self, name: &str) -> Option<usize> {
        self.partitions.iter().position(|one| one == name)
    }
}
