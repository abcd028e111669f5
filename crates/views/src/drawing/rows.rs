//! What stands in the picture of a bundle: in come partitions with their encodings, out go bands of rows, one row for
//! each tensor that the host gives or takes and for each that is state, and the tensors that partitions hand to each
//! other.

use super::subject::{DrawnPartition, Subject};
use super::svg::{LONGEST, shorten};
use super::tensor::{Tensor, Tensors};
use autoneural_app::drivers::Work;
use autoneural_base::error::Result;
use autoneural_base::text::bytes;
use autoneural_core::ir::ValueId;
use autoneural_core::partition::Port;

/// One tensor, or the same of several layers, at a partition's side.
pub struct Row {
    pub name: String,
    pub whole: String,
    pub detail: String,
    pub inward: bool,
    pub host: Work,
}

/// A partition with its rows.
pub struct Band {
    pub name: String,
    pub whole_name: String,
    pub class: &'static str,
    pub facts: Vec<(&'static str, String)>,
    /// Inputs first, then outputs.
    pub host: Vec<Row>,
    pub state: Vec<Row>,
    /// What it hands to the next partition as it is.
    pub handed: Vec<Tensor>,
}

/// The bands of all partitions, in order.
pub fn bands(subject: &Subject, tensors: Tensors) -> Result<Vec<Band>> {
    let mut bands: Vec<Band> = Vec::new();
    for (at, part) in subject.parts.iter().enumerate() {
        let (partition, graph) = (&part.partition, &part.partition.graph);
        let next = subject.parts.get(at + 1);
        let before = at.checked_sub(1).map(|before| &subject.parts[before]);
        let mut band = Band {
            name: shorten(&partition.name, LONGEST),
            whole_name: partition.name.clone(),
            class: if part.npu_nodes.is_some() { "npu" } else { "plain" },
            facts: subject.facts(at),
            host: vec![],
            state: vec![],
            handed: vec![],
        };
        for (ports, ids, inward) in
            [(&partition.inputs, graph.inputs(), true), (&partition.outputs, graph.outputs(), false)]
        {
            let mut state: Vec<(&str, Tensor)> = Vec::new();
            for (port, &id) in ports.iter().zip(ids) {
                let tensor = Tensor::new(part, id)?;
                let work = subject.driver.work(port, subject.sizes.device.embedding_bytes);
                let same = |ports: &[Port], ids: &[ValueId], other: &DrawnPartition| {
                    let alike = |(theirs, &their_id): (&Port, &ValueId)| {
                        is_handed(port, &work)
                            && theirs.encoding_key == port.encoding_key
                            && other.partition.graph.value(their_id).shape == tensor.shape
                    };
                    ports.iter().zip(ids).any(alike)
                };
                let is_taken = match inward {
                    true => before.is_some_and(|p| same(&p.partition.outputs, p.partition.graph.outputs(), p)),
                    false => next.is_some_and(|p| same(&p.partition.inputs, p.partition.graph.inputs(), p)),
                };
                match (port.meaning.state, is_taken) {
                    (Some(_), _) => state.push((&port.role, tensor)),
                    (None, false) => band.host.push(row(&[&tensor], inward, work)),
                    (None, true) if !inward => band.handed.push(tensor),
                    (None, true) => {}
                }
            }
            band.state.extend(state_rows(&state, inward, tensors));
        }
        bands.push(band);
    }
    Ok(bands)
}

/// Whether a tensor can go from a partition to the next as it is.
fn is_handed(port: &Port, work: &Work) -> bool {
    port.meaning.state.is_none() && work.is_handed && !port.encoding_key.is_empty()
}

/// Rows of state: one per tensor, or one for those of all layers that are alike.
fn state_rows(state: &[(&str, Tensor)], inward: bool, tensors: Tensors) -> Vec<Row> {
    let mut groups: Vec<(&str, Vec<&Tensor>)> = Vec::new();
    for (role, tensor) in state {
        let alike = groups
            .iter_mut()
            .find(|(other, group)| tensors == Tensors::Border && other == role && group[0].kind() == tensor.kind());
        match alike {
            Some((_, group)) => group.push(tensor),
            None => groups.push((*role, vec![tensor])),
        }
    }
    groups.iter().map(|(_, group)| row(group, inward, Work::copy())).collect()
}

/// The row of tensors that are alike.
fn row(group: &[&Tensor], inward: bool, host: Work) -> Row {
    let first = group[0];
    let names: Vec<&str> = group.iter().map(|tensor| tensor.name.as_str()).collect();
    let total = bytes(group.iter().map(|tensor| tensor.bytes()).sum());
    let (name, detail) = match names.len() {
        1 => (first.name.clone(), first.detail()),
        count => (format!("{count} × {}", pattern(&names)), format!("{}, in all {total}", first.kind())),
    };
    let whole = if names.len() == 1 { name.clone() } else { names.join(", ") };
    Row { name: shorten(&name, LONGEST), whole, detail, inward, host }
}

/// What several names have in common, `*` for the parts of the path in which they differ.
fn pattern(names: &[&str]) -> String {
    let mut common: Vec<&str> = names[0].split('.').collect();
    for name in &names[1..] {
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() != common.len() {
            return format!("{}, …", names[0]);
        }
        for (known, part) in common.iter_mut().zip(parts) {
            if *known != part {
                *known = "*";
            }
        }
    }
    common.join(".")
}
