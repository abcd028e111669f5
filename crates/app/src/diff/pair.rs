//! Which value of the quantized model is which of the float model: by the names that a value has on its way through
//! its conversions, else by what it is computed from.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::net::Net;
use super::units::{Unit, dequantizes};
use autoneural_base::error::{Error, Result};

/// Most nodes of the float model that one operator of the quantized model may stand for.
const MOST_FUSED: usize = 64;
/// Share of operators that must have counterparts.
const ENOUGH: f64 = 0.5;

/// Values of the float model by those of the quantized model: by what passes between units, and by what operators make.
#[derive(Default)]
pub(crate) struct Pairing {
    names: HashMap<String, String>,
}

impl Pairing {
    /// Pairs two models.
    ///
    /// # Errors
    /// They are not the same network: says which input or output has no counterpart.
    pub(crate) fn of(float: &Net, quantized: &Net, units: &[Unit]) -> Result<Self> {
        let mut made = Pairing::default();
        made.inputs(float, quantized)?;
        let mut taken: HashSet<String> = HashSet::new();
        let mut found = 0;
        let is_live = |name: &str| float.maker(name).is_some() && !float.is_constant(name);
        for unit in units {
            if unit.is_conversion {
                // A change of encoding may have a name of its own in the float model, where it changes nothing.
                let own = unit.makes[0].names.iter().find(|name| is_live(name)).cloned();
                let source = unit.reads.first().and_then(|read| made.names.get(&read.border)).cloned();
                own.or(source).into_iter().for_each(|name| made.put(&unit.makes[0].names, &name));
                continue;
            }
            let by_name = |name: &String| is_live(name).then(|| name.clone());
            let named: Vec<Option<String>> = unit.makes.iter().map(|one| one.names.iter().find_map(by_name)).collect();
            let outputs = match named.iter().all(Option::is_some) {
                true => named,
                false => made.by_structure(float, quantized, unit, &taken).unwrap_or(named),
            };
            found += usize::from(outputs.iter().any(Option::is_some));
            for (one, name) in unit.makes.iter().zip(outputs) {
                if let Some(name) = name {
                    made.put(&one.names, &name);
                    taken.insert(name);
                }
            }
        }
        let operators = units.iter().filter(|unit| !unit.is_conversion).count();
        made.outputs(float, quantized)?;
        if (found as f64) < ENOUGH * operators as f64 {
            let message = format!("only {found} of its {operators} operators are in {}", float.path.display());
            return Err(unlike(quantized, message));
        }
        Ok(made)
    }

    fn put(&mut self, names: &[String], float: &str) {
        for name in names {
            self.names.insert(name.clone(), float.to_string());
        }
    }

    /// The float model's value for one of the quantized model: what an operator makes, its integers, or their float.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    fn inputs(&mut self, float: &Net, quantized: &Net) -> Result<()> {
        if float.inputs.len() != quantized.inputs.len() {
            let (a, b) = (float.inputs.len(), quantized.inputs.len());
            return Err(unlike(quantized, format!("it has {b} inputs, {} has {a}", float.path.display())));
        }
        let same_names = quantized.inputs.iter().all(|one| float.inputs.iter().any(|other| other.name == one.name));
        for (at, one) in quantized.inputs.iter().enumerate() {
            let name = if same_names { &one.name } else { &float.inputs[at].name };
            let codes = quantized.readers(&one.name).iter().filter(|&&at| dequantizes(&quantized.nodes[at]));
            let all: Vec<String> = std::iter::once(one.name.clone())
                .chain(codes.map(|&at| quantized.nodes[at].output[0].clone()))
                .collect();
            self.put(&all, name);
        }
        Ok(())
    }

    fn outputs(&self, float: &Net, quantized: &Net) -> Result<()> {
        let made: HashSet<&str> = quantized.outputs.iter().filter_map(|name| self.get(name)).collect();
        match float.outputs.iter().find(|name| !made.contains(name.as_str()) && !float.is_constant(name)) {
            Some(name) => {
                let message = format!("nothing in it is the output `{name}` of {}", float.path.display());
                Err(unlike(quantized, message))
            }
            None => Ok(()),
        }
    }

    /// The outputs of the float model's node that computes the same of the same.
    fn by_structure(
        &self,
        float: &Net,
        quantized: &Net,
        unit: &Unit,
        taken: &HashSet<String>,
    ) -> Option<Vec<Option<String>>> {
        let reads: Vec<&str> =
            quantized.live_inputs(unit.node).map(|name| self.get(name)).collect::<Option<Vec<_>>>()?;
        let node = float.readers(reads.first()?).iter().find(|&&at| {
            let node = &float.nodes[at];
            let live: Vec<&str> = float.live_inputs(at).map(String::as_str).collect();
            let is_free = node.output.iter().all(|name| !taken.contains(name));
            node.op_type == unit.op && live == reads && is_free
        })?;
        let last = match unit.activation {
            None => *node,
            Some(at) => {
                let op = &quantized.nodes[at].op_type;
                let made = float.nodes[*node].output.first()?;
                *float.readers(made).iter().find(|&&reader| float.nodes[reader].op_type == *op)?
            }
        };
        let outputs = float.nodes[last].output.iter().filter(|name| !name.is_empty());
        let outputs: Vec<Option<String>> = outputs.cloned().map(Some).collect();
        (outputs.len() == unit.makes.len()).then_some(outputs)
    }

    /// The nodes of the float model that compute what a unit makes of what it reads, in order; `None` if they need
    /// something else.
    pub(crate) fn region(&self, float: &Net, unit: &Unit) -> Option<Vec<usize>> {
        let reads: HashSet<&str> = unit.reads.iter().map(|read| self.get(&read.border)).collect::<Option<_>>()?;
        let mut wanted: Vec<&str> = unit.makes.iter().map(|made| self.get(&made.border)).collect::<Option<_>>()?;
        let mut nodes = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if float.is_constant(name) || (reads.contains(name) && !nodes.is_empty()) {
                continue;
            }
            let at = float.maker(name)?;
            if nodes.insert(at) {
                wanted.extend(float.live_inputs(at).map(String::as_str));
            }
            if nodes.len() > MOST_FUSED {
                return None;
            }
        }
        Some(nodes.into_iter().collect())
    }
}

fn unlike(quantized: &Net, message: String) -> Error {
    Error::input(quantized.path.display(), format!("is not the same network as the float model: {message}"))
        .help("give the float model that was quantized, as the quantizer read it")
}
