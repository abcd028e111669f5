//! What the weights of a layer may be encoded as on a target.

use crate::encoding::{Encoding, IntegerType};
use crate::ir::Node;
use crate::partition::Partition;
use crate::quantize::{Layer, Table, can_be_cut, case, computed_in, readers};
use crate::recipe::WeightBits;
use crate::target::{Activations, Case, Granularity, Target, Weights};
use autoneural_base::error::Result;

use super::size::weight_bytes;

/// All that recipes can say of the weights of a layer and that the target computes in integers, by bytes. `tables` are
/// encodings of the partitions, of which those of activations count; where activations may have 8 bits, it must be taken
/// with these, too. Nothing, where the target takes none: the layer is left to the CPU.
///
/// # Errors
/// A table belongs to another graph.
pub fn choices(
    layer: &Layer,
    partitions: &[Partition],
    tables: &[Table],
    (target, has_widths): (&Target, bool),
) -> Result<Vec<WeightBits>> {
    let mut made: Option<Vec<WeightBits>> = None;
    for (partition, table) in partitions.iter().zip(tables).filter(|(partition, _)| partition.group == layer.group) {
        for node in readers(&partition.graph, &layer.name) {
            let taken = of_node(layer, (partition, node), table, (target, has_widths))?;
            match &mut made {
                None => made = Some(taken),
                Some(made) => made.retain(|bits| taken.contains(bits)),
            }
        }
    }
    let mut made = made.unwrap_or_default();
    made.sort_by_key(|bits| (weight_bytes(*bits, &layer.shape, layer.axes), bits.block));
    Ok(made)
}

/// The choices that one node leaves.
fn of_node(
    layer: &Layer,
    (partition, node): (&Partition, &Node),
    table: &Table,
    (target, has_widths): (&Target, bool),
) -> Result<Vec<WeightBits>> {
    let Some(operator) = target.operator(node.op.name()) else { return Ok(vec![]) };
    let mut case = case(&partition.graph, node, table)?;
    let narrow = Activations::Same(IntegerType::Uint8);
    let has_widths = has_widths && operator.activations.contains(&narrow);
    let in_integers = |case: &Case| {
        let case = computed_in(operator, case.clone());
        operator.takes(&case) && !operator.is_in_fp16(&case)
    };
    let mut made: Vec<WeightBits> = Vec::new();
    for stated in operator.all_weights().filter(|stated| is_of_weights(stated.integer)) {
        let (bits, wanted) = match stated.granularity {
            Granularity::Block(size) if !can_be_cut(&layer.shape, layer.axes, size) => continue,
            Granularity::Block(size) => (WeightBits { integer: stated.integer, block: Some(size) }, Some(stated)),
            _ => (stated.integer.into(), operator.weights_of(stated.integer)),
        };
        case.weights = wanted;
        let is_taken =
            in_integers(&case) && (!has_widths || in_integers(&Case { activations: narrow.clone(), ..case.clone() }));
        if is_taken && !made.contains(&bits) {
            made.push(bits);
        }
    }
    Ok(made)
}

/// Whether recipes may choose an integer type for weights.
fn is_of_weights(integer: IntegerType) -> bool {
    integer.is_signed() && integer != IntegerType::Int32
}

/// What a recipe would say of weights with this encoding.
pub fn bits_of(encoding: &Encoding) -> WeightBits {
    match Weights::of(encoding) {
        Weights { integer, granularity: Granularity::Block(size) } => WeightBits { integer, block: Some(size) },
        Weights { integer, .. } => integer.into(),
    }
}
