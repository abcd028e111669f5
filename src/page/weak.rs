//! Where a conversion is weak and what may help: layers that add noise, by what they have in common.

use super::Subject;
use super::layers::{Layer, Part};
use super::table::{Cell, Table};
use crate::encoding::IntegerType;
use crate::ir::{Node, Op};
use crate::partition::Partition;
use crate::quantize::{Sources, Table as Encodings, weight};

/// Least noise that a layer adds to be named, in percent of its signal: less is not what an output suffers from.
const LEAST_PERCENT: f64 = 0.5;
/// Share of elements outside the range that counts as saturation, in percent.
const SATURATED_PERCENT: f64 = 0.1;
/// Share of a range, in percent, that is so little that what is left of its integers makes [`LEAST_PERCENT`] of noise: of 8 bits.
const UNUSED_OF_8_BITS: f64 = 12.5;
/// The same of 16 bits.
const UNUSED_OF_16_BITS: f64 = 0.5;
/// How far the NPU must be below the simulation for the noise to be its own, in dB.
const OWN_DB: f64 = 3.0;

/// What layers that add noise have in common. The first that fits a layer is its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Numbers lie outside the range that calibration saw.
    Saturated,
    /// The range is far wider than the numbers are.
    Unused,
    /// Weights in 4 bits.
    FewBits,
    /// An activation in 8 bits.
    EightBits,
    /// A product of two activations of 16 bits, which the NPU does not compute to 16 bits.
    Product,
    /// The NPU's arithmetic, for another reason.
    Npu,
    /// Rounding of 8-bit weights and 16-bit activations.
    Rounding,
}

/// The layers of a partition that have a cause in common.
#[derive(Debug, Clone)]
pub struct Weakness {
    cause: Cause,
    /// The layer that adds most.
    layer: String,
    db: f64,
    added: f64,
    /// Layers of the same cause beside it.
    others: usize,
    help: String,
}

/// The causes of the noise in a partition whose layers were measured, the worst first.
pub fn weaknesses(partition: &Partition, encodings: &Encodings, sources: &Sources, layers: &[Layer]) -> Vec<Weakness> {
    let nodes = partition.graph.nodes().iter().flat_map(|node| node.outputs.iter().map(move |_| node));
    let mut made: Vec<Weakness> = Vec::new();
    for (layer, node) in layers.iter().zip(nodes) {
        let (Some(db), Some(added)) = (layer.db(), layer.added) else { continue };
        if added < LEAST_PERCENT || layer.moves {
            continue;
        }
        let (cause, help) = cause(partition, encodings, sources, layer, node);
        let found = Weakness { cause, layer: layer.name.clone(), db, added, others: 0, help };
        match made.iter_mut().find(|known| known.cause == cause) {
            Some(known) => {
                let others = known.others + 1;
                if added > known.added {
                    *known = found;
                }
                known.others = others;
            }
            None => made.push(found),
        }
    }
    made.sort_by(|a, b| b.added.total_cmp(&a.added));
    made
}

fn cause(
    partition: &Partition,
    encodings: &Encodings,
    sources: &Sources,
    layer: &Layer,
    node: &Node,
) -> (Cause, String) {
    let exception = |tensor: &str, integer: &str| format!("[[override]] tensor = \"{tensor}\" type = \"{integer}\"");
    if layer.saturation.is_some_and(|percent| percent >= SATURATED_PERCENT) {
        return (Cause::Saturated, "samples in the recipe's calibration that reach as far".into());
    }
    let of = |name: &String| Some((name.clone(), encodings.activations.get(name)?.integer));
    let own = of(&layer.name);
    let unused = match own {
        Some((_, IntegerType::Uint8)) => UNUSED_OF_8_BITS,
        _ => UNUSED_OF_16_BITS,
    };
    if layer.range_use.is_some_and(|percent| percent < unused) {
        return (Cause::Unused, "no single calibration sample that reaches far beyond the others".into());
    }
    if let Some(weight) = weight(&partition.graph, node)
        && encodings.params.get(&weight.name).is_some_and(|encoding| encoding.integer == IntegerType::Int4)
    {
        let more = crate::text::bytes(weight.shape.iter().product::<usize>() as u64 / 2);
        let given = sources.file_of_param(&weight.name).map_or("", |_| ", and no entry for it in --encodings");
        return (Cause::FewBits, format!("{}, {more} more{given}", exception(&weight.name, "int8")));
    }
    let inputs: Vec<(String, IntegerType)> =
        node.inputs.iter().filter_map(|&id| of(&partition.graph.value(id).name)).collect();
    if let Some((name, _)) = inputs.iter().chain(&own).find(|(_, integer)| *integer == IntegerType::Uint8) {
        let help = exception(name, "uint16");
        return (Cause::EightBits, format!("{help}, or kv_cache = \"uint16\" where it is a key or a value"));
    }
    let is_below = layer.npu.zip(layer.sim).is_some_and(|(npu, simulated)| npu < simulated - OWN_DB);
    if is_below && node.op == Op::MatMul && inputs.len() == 2 {
        return (Cause::Product, "nothing in the recipe: the chip has no wider product".into());
    }
    match is_below {
        true => (Cause::Npu, "nothing in the recipe".into()),
        false => (Cause::Rounding, "encodings from quantization-aware training (--encodings)".into()),
    }
}

impl Cause {
    fn text(self) -> &'static str {
        match self {
            Cause::Saturated => "numbers outside the range that calibration saw",
            Cause::Unused => "a range far wider than the numbers",
            Cause::FewBits => "weights in 4 bits",
            Cause::EightBits => "an activation in 8 bits",
            Cause::Product => "a product of two 16-bit activations on the NPU",
            Cause::Npu => "the NPU's own arithmetic",
            Cause::Rounding => "rounding to the integers chosen",
        }
    }
}

/// A line per partition and cause; empty where no layer that was measured adds so much.
pub fn table(subject: &Subject) -> Table {
    let mut table = Table::new(&["partition", "noise from", "worst layer", "SQNR", "adds", "other layers", "what may help"]);
    for (at, Part { name, weak, .. }) in subject.parts.iter().enumerate() {
        for found in weak {
            table.row(vec![
                Cell::text(name),
                Cell::text(found.cause.text()),
                Cell::Link(found.layer.clone(), subject.layer_link(at, &found.layer)),
                Cell::figure(Some(found.db), 1, " dB"),
                Cell::figure(Some(found.added), 1, " %"),
                Cell::Number(found.others.to_string()),
                Cell::text(&found.help),
            ]);
        }
    }
    table
}

/// The layer behind an output that adds most noise, by its place in the partition.
fn behind(part: &Part, output: &str) -> Option<usize> {
    let mut seen = vec![false; part.layers.len()];
    let mut left = vec![part.layers.iter().position(|layer| layer.name == output)?];
    let mut worst: Option<(usize, f64)> = None;
    while let Some(at) = left.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let layer = &part.layers[at];
        left.extend(&layer.reads);
        if let Some(added) = layer.added.filter(|added| !layer.moves && *added >= LEAST_PERCENT)
            && worst.is_none_or(|(_, most)| added > most)
        {
            worst = Some((at, added));
        }
    }
    worst.map(|(at, _)| at)
}

/// Where in the page the cause of an output's noise stands; none where layers were not measured or none stands out.
pub fn cause_link(subject: &Subject, partition: &str, output: &str) -> Option<String> {
    let at = subject.parts.iter().position(|part| part.name == partition)?;
    Some(format!("layer-{at}-{}", behind(&subject.parts[at], output)?))
}

/// The layer behind an output that adds most noise, as a cell that leads to it.
pub fn link(subject: &Subject, partition: &str, output: &str) -> Cell {
    let part = subject.parts.iter().find(|part| part.name == partition).filter(|part| part.measured);
    let Some(part) = part else { return Cell::text("layers were not measured") };
    match (behind(part, output), cause_link(subject, partition, output)) {
        (Some(at), Some(to)) => {
            let layer = &part.layers[at];
            Cell::Link(format!("{} adds {:.1} %", layer.name, layer.added.unwrap_or_default()), to)
        }
        _ => Cell::text("none stands out"),
    }
}

/// What the table is, or why there is none.
pub fn explanation(subject: &Subject) -> String {
    match (subject.parts.iter().any(|part| part.measured), subject.parts.iter().all(|part| part.weak.is_empty())) {
        (false, _) => "Layers were not measured. `autoneural verify --layers npu` shows where noise comes from.".into(),
        (true, true) => format!("No layer adds noise of {LEAST_PERCENT} % of its signal or more."),
        (true, false) => format!(
            "Layers that add noise of at least {LEAST_PERCENT} % of their signal, grouped by cause. Only a new compilation shows \
             whether a change of the recipe helps."
        ),
    }
}
