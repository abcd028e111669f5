//! What of a recipe is refused before anything runs: calibration may take long, and its author should not wait for it.

use std::collections::BTreeSet;

use super::forms::{is_product, lacks_for_gelu};
use super::weights::{chosen, weight};
use crate::equalize::Added;
use crate::ir::{ElementType, Op};
use crate::partition::Partition;
use crate::program::groups;
use crate::recipe::{GeluForm, Recipe};
use crate::target::Target;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::glob;

/// Refuses integers of weights that a recipe states and the target does not take.
///
/// # Errors
/// There are such weights; the error names the node, and says what the target takes.
pub fn refuse_untaken_weights(partitions: &[Partition], recipe: &Recipe, target: &Target) -> Result<()> {
    for partition in partitions {
        let (graph, part) = (&partition.graph, recipe.part(&partition.group)?);
        for node in graph.nodes() {
            let (Some(operator), Some(value)) = (target.operator(node.op.name()), weight(graph, node)) else {
                continue;
            };
            let stated = (partition.makes_main(node), recipe.weights_exception(&value.name));
            chosen((node, operator), &value.shape, stated, part).map_err(|mut error| {
                error.place = format!("{}: {}", partition.name, error.place);
                error
            })?;
        }
    }
    Ok(())
}

/// Refuses a form of GELUs that a recipe states and the target has no parts for.
///
/// # Errors
/// There are such GELUs; the error names the key, and an operator that the target does not take in 16 bits.
pub fn refuse_untaken_forms(partitions: &[Partition], recipe: &Recipe, target: &Target) -> Result<()> {
    let Some(lacking) = lacks_for_gelu(target) else { return Ok(()) };
    for partition in partitions {
        let has_any = partition.graph.nodes().iter().any(|node| matches!(node.op, Op::Gelu(_)));
        if has_any && recipe.part(&partition.group)?.gelu == GeluForm::Spelled {
            let message = format!("`spelled` needs {lacking} in 16 bits, which the target does not take");
            let place = recipe.place_of(&partition.group, "gelu");
            return Err(Error::input(place, message).help("leave the key out, or choose `whole`"));
        }
    }
    Ok(())
}

/// Refuses overrides of a recipe that fit no tensor, neither of these graphs nor of what the recipe's equalization will
/// make of them: their author believes that they have an effect.
///
/// # Errors
/// An override fits no tensor; the error names it and says what it could fit.
pub fn refuse_idle_overrides(partitions: &[Partition], recipe: &Recipe) -> Result<()> {
    let mut added = Vec::new();
    for group in groups(partitions) {
        added.extend(recipe.part(&group)?.equalize.as_ref().map(|equalize| equalize.adds(&group, partitions)));
    }
    let [mut weights, mut activations, mut products] = [const { BTreeSet::new() }; 3];
    for Added { weights: more, values } in &added {
        weights.extend(more.iter().map(String::as_str));
        activations.extend(values.iter().map(String::as_str));
    }
    for graph in partitions.iter().map(|partition| &partition.graph) {
        weights.extend(graph.nodes().iter().filter_map(|node| Some(weight(graph, node)?.name.as_str())));
        let computed = graph.values().filter(|(_, v)| v.element == ElementType::F32 && v.constant().is_none());
        activations.extend(computed.map(|(_, value)| value.name.as_str()));
        let made = graph.nodes().iter().filter(|node| is_product(graph, node));
        products.extend(made.map(|node| graph.value(node.outputs[0]).name.as_str()));
    }
    for (index, exception) in recipe.overrides().iter().enumerate() {
        let fits = |names: &BTreeSet<&str>| names.iter().any(|name| glob(&exception.tensor, name));
        let (own, other, what, other_what) = match exception.bits.map(|bits| bits.integer.is_signed()) {
            Some(true) => (&weights, &activations, "weight", "activations, which take uint8 or uint16"),
            Some(false) => (&activations, &weights, "activation", "weights, which take int4, int8 or int16"),
            None => (&products, &activations, "product of two computed values", "what other operators make"),
        };
        if !fits(own) {
            let message = format!("`{}` fits no {what} of the model", exception.tensor);
            let help = match fits(other) {
                true => format!("it fits {other_what}"),
                false => {
                    "the names are those in encodings/*.json of a bundle of this model; `*` stands for anything".into()
                }
            };
            return Err(Error::input(recipe.place_of_override(index), message).help(help));
        }
    }
    Ok(())
}
