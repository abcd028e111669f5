//! Runs a quantized model in parts, each on the outputs of those before it, so that every value can be looked at.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::net::Net;
use super::units::Unit;
use autoneural_base::error::{Kind, Result};
use autoneural_engines::back::onnx::pb::NodeProto;
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::Array;

/// A model's run on one engine.
pub(crate) struct Chain<'a> {
    /// The model.
    pub net: &'a Net,
    /// ONNX Runtime.
    pub runtime: &'a Runtime,
    /// The engine.
    pub place: Place<'a>,
    /// What was made so far and is still read.
    pub known: HashMap<String, Array>,
    /// Nodes that the engine does not take, with what it says; they ran on the CPU.
    pub refused: BTreeMap<String, String>,
}

impl<'a> Chain<'a> {
    /// Begins with the model's inputs.
    pub(crate) fn new(net: &'a Net, runtime: &'a Runtime, place: Place<'a>, inputs: HashMap<String, Array>) -> Self {
        Chain { net, runtime, place, known: inputs, refused: BTreeMap::new() }
    }

    /// Runs the next units, and gives all that they make.
    ///
    /// # Errors
    /// The CPU does not run them.
    pub(crate) fn run(&mut self, units: &[&Unit]) -> Result<HashMap<String, Array>> {
        // An input's conversion is the host's work.
        let (first, rest): (Vec<&Unit>, Vec<&Unit>) = units.iter().partition(|unit| is_of_input(unit));
        let mut made = self.run_on(Place::Cpu, &first)?;
        made.extend(self.run_on(self.place, &rest)?);
        Ok(made)
    }

    /// Runs units as one model of which only some values are outputs, as a network is compiled. What an input becomes is
    /// the host's work here, too.
    ///
    /// # Errors
    /// The engine does not take the model as it is.
    pub(crate) fn run_as_one(&mut self, units: &[&Unit], wanted: &HashSet<&str>) -> Result<HashMap<String, Array>> {
        let (first, rest): (Vec<&Unit>, Vec<&Unit>) = units.iter().partition(|unit| is_of_input(unit));
        self.run_on(Place::Cpu, &first)?;
        let part = part(self.net, &rest, Some(wanted));
        let found = |name: &String| self.known.get(name).map(|array| (name.clone(), array));
        let inputs: Vec<(String, &Array)> = part.inputs.iter().filter_map(found).collect();
        let model = self.net.model(part.nodes, vec![], &inputs, &part.outputs)?;
        let name = format!("{}: {}", self.net.path.display(), span(&rest));
        let arrays = self.runtime.run_model(&name, (&model, self.place), &inputs, &part.outputs)?;
        Ok(part.names.into_iter().zip(arrays).collect())
    }

    fn run_on(&mut self, place: Place, units: &[&Unit]) -> Result<HashMap<String, Array>> {
        if units.is_empty() {
            return Ok(HashMap::new());
        }
        let part = part(self.net, units, None);
        let found = |name: &String| self.known.get(name).map(|array| (name.clone(), array));
        let inputs: Vec<(String, &Array)> = part.inputs.iter().filter_map(found).collect();
        let model = self.net.model(part.nodes, vec![], &inputs, &part.outputs)?;
        let name = format!("{}: {}", self.net.path.display(), span(units));
        match (self.runtime.run_model(&name, (&model, place), &inputs, &part.outputs), place, units) {
            (Ok(arrays), ..) => {
                let made: HashMap<String, Array> = part.names.into_iter().zip(arrays).collect();
                self.known.extend(made.clone());
                Ok(made)
            }
            (Err(error), Place::Npu(_), units) if error.kind == Kind::Toolkit => match units {
                [unit] => {
                    self.refused.insert(unit.name.clone(), error.message);
                    self.run_on(Place::Cpu, units)
                }
                _ => {
                    let (first, second) = units.split_at(units.len() / 2);
                    let mut made = self.run_on(place, first)?;
                    made.extend(self.run_on(place, second)?);
                    Ok(made)
                }
            },
            (Err(error), ..) => Err(error),
        }
    }

    /// Frees the values that none of these units reads.
    pub(crate) fn forget(&mut self, later: &[&Unit]) {
        let read: HashSet<&str> = later.iter().flat_map(|unit| &unit.reads).map(|read| read.border.as_str()).collect();
        self.known.retain(|name, _| read.contains(name.as_str()));
    }
}

/// Whether a unit only makes integers of an input.
pub(crate) fn is_of_input(unit: &Unit) -> bool {
    unit.is_conversion && unit.reads.iter().all(|read| read.dequantizer.is_none())
}

/// The nodes in words.
pub(crate) fn span(units: &[&Unit]) -> String {
    match units {
        [] => "no node".into(),
        [unit] => format!("node `{}`", unit.name),
        [first, .., last] => format!("nodes `{}` to `{}`", first.name, last.name),
    }
}

/// Units as one model.
struct Part {
    nodes: Vec<NodeProto>,
    inputs: Vec<String>,
    /// Names of the outputs in the part, and in the whole.
    outputs: Vec<String>,
    names: Vec<String>,
}

/// Units as a model; of `wanted` values, or of all that they make.
fn part(net: &Net, units: &[&Unit], wanted: Option<&HashSet<&str>>) -> Part {
    let is_output = |name: &str| wanted.is_none_or(|wanted| wanted.contains(name));
    let mut made = Part { nodes: vec![], inputs: vec![], outputs: vec![], names: vec![] };
    let (mut inside, mut taken): (HashSet<&str>, HashSet<usize>) = (HashSet::new(), HashSet::new());
    let read: HashSet<&str> = units.iter().flat_map(|unit| &unit.reads).map(|read| read.border.as_str()).collect();
    for unit in units {
        for one in &unit.reads {
            if !inside.contains(one.border.as_str()) && !made.inputs.contains(&one.border) {
                made.inputs.push(one.border.clone());
            }
            if let Some(at) = one.dequantizer.filter(|at| taken.insert(*at)) {
                made.nodes.push(net.nodes[at].clone());
            }
        }
        made.nodes.extend(unit.nodes().map(|at| net.nodes[at].clone()));
        for one in &unit.makes {
            let quantizers = one.quantizers.iter().filter(|_| !unit.is_conversion);
            for node in quantizers.map(|&at| &net.nodes[at]) {
                made.nodes.push(node.clone());
                let codes = &node.output[0];
                inside.insert(codes);
                if !is_output(codes) {
                    continue;
                }
                // onnxruntime-qnn 2.7.0 refuses some graphs in which an operator reads an output.
                let output = match read.contains(codes.as_str()) {
                    true => {
                        let output = format!("{codes}/output");
                        made.nodes.push(NodeProto {
                            name: format!("{output}/node"),
                            output: vec![output.clone()],
                            ..node.clone()
                        });
                        output
                    }
                    false => codes.clone(),
                };
                made.outputs.push(output);
                made.names.push(codes.clone());
            }
            if one.is_read_as_is || unit.is_conversion {
                inside.insert(&one.value);
                if !is_output(&one.value) {
                    continue;
                }
                made.outputs.push(one.value.clone());
                made.names.push(one.value.clone());
            }
        }
    }
    made
}
