//! Contracts: what crosses the borders of a model's graphs, by the names that the builders gave it.
//!
//! In come the graphs of a model; out go partitions whose inputs and outputs have roles. A partition that was read
//! from a file is held against the same contracts.

use super::assemble::Model;
use super::{Component, DECODE, Definition, LayerKind, MASKED, PREFILL, Preprocess, Role, Vision};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{ElementType, Shape, ValueId};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::{self, Context, Frozen, freeze};
use autoneural_core::program::{Group, Program};
use autoneural_core::target::Target;

/// The driver of vision-language models.
pub const DRIVER: &str = "vlm";
/// Names of their graphs, in the order in which a picture and a prompt go through them. A model of text alone has the
/// last two.
pub const GRAPHS: [&str; 4] = ["vision", "projector", PREFILL, DECODE];

/// The program of a vision-language model, or of one of text alone.
///
/// # Errors
/// None but a defect.
pub fn program(definition: &Definition) -> Result<Program> {
    if definition.sight.is_some() { widest_program() } else { of_graphs(&[PREFILL, DECODE]) }
}

/// The program with all graphs that such a model may have.
///
/// # Errors
/// None but a defect.
pub fn widest_program() -> Result<Program> {
    of_graphs(&GRAPHS)
}

fn of_graphs(names: &[&str]) -> Result<Program> {
    Program::new(DRIVER, names.iter().map(ToString::to_string).collect(), Role::meanings())
}

/// Freezes the graphs of a model for a target, and states their contracts.
///
/// # Errors
/// A value that crosses the border without a contract, which is a defect of the front end.
pub fn partition(model: &Model, definition: &Definition, target: &Target) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for (component, graph) in model.graphs() {
        let graph = freeze(graph, Context { target })?;
        let ports = |ids: &[ValueId]| -> Result<Vec<Port>> {
            ids.iter().map(|&id| port(&component.group(), &graph.value(id).name, definition)).collect()
        };
        let (inputs, outputs) = (ports(graph.inputs())?, ports(graph.outputs())?);
        partitions.push(Partition { name: graph.name.clone(), group: component.group(), graph, inputs, outputs });
    }
    Ok(partitions)
}

/// The graphs of a model as they were built, spelled out and nothing else, in the same order.
///
/// # Errors
/// A graph that breaks a promise, which is a defect of the front end.
pub fn as_built(model: &Model) -> Result<Vec<Frozen>> {
    model.graphs().into_iter().map(|(_, graph)| passes::as_built(graph)).collect()
}

/// The contract of one value that crosses the border, by the name the front end gave it.
fn port(group: &Group, name: &str, definition: &Definition) -> Result<Port> {
    let made = |role: Role, encoding_key: &str, range| {
        let (role, meaning) = (role.name().to_string(), role.meaning());
        Ok(Port { name: name.to_string(), role, encoding_key: encoding_key.to_string(), range, meaning })
    };
    let pixel_range = |pre: &Preprocess| {
        let ends = pre.mean.iter().zip(&pre.std).map(|(mean, std)| ((0.0 - mean) / std, (1.0 - mean) / std));
        ends.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], (a, b)| [low.min(a), high.max(b)])
    };
    match name {
        "image" => {
            let range = definition.vision().map(|vision| pixel_range(vision.preprocess()));
            return made(Role::Image, "image", range);
        }
        "features" => return made(Role::Features, "features", None),
        "embeds" => return made(Role::Embeddings, "embeds", None),
        "cos" | "sin" => return made(Role::Rotary, "rotary", Some([-1.0, 1.0])),
        "mask" => return made(Role::Mask, "mask", Some([MASKED, 0.0])),
        "last" | "state_columns" => return made(Role::Index, "", None),
        "logits" => return made(Role::Logits, "logits", None),
        _ => {}
    }
    if let Some((layer, what)) = name.rsplit_once('.') {
        match what {
            "k_cache" | "k_new" => return made(Role::Keys, &format!("{layer}.k"), None),
            "v_cache" | "v_new" => return made(Role::Values, &format!("{layer}.v"), None),
            "conv_state" | "conv_state_new" => return made(Role::ConvState, &format!("{layer}.conv_state"), None),
            _ => {}
        }
    }
    Err(Error::internal(format!("{group}: {name}"), "crosses the border without a contract"))
}

/// Checks that a partition that was read from a file keeps the contracts of its definition, on which the host relies.
///
/// # Errors
/// Names the port that is missing or too much, or whose role, type or shape is another.
pub fn refuse_unfit(partition: &Partition, definition: &Definition) -> Result<()> {
    let graph = &partition.graph;
    let tokens = match partition.name.as_str() {
        PREFILL => definition.language.prefill,
        DECODE => 1,
        _ => definition.vision().map_or(0, Vision::tokens),
    };
    // A picture may have more tokens than the context, and has no state.
    let past = definition.language.context.saturating_sub(tokens);
    let inputs = partition.inputs.iter().zip(graph.inputs()).map(|(port, id)| (port, id, past));
    let outputs = partition.outputs.iter().zip(graph.outputs()).map(|(port, id)| (port, id, tokens));
    for (stated, &id, state_tokens) in inputs.chain(outputs) {
        let value = graph.value(id);
        let wanted = port(&partition.group, &stated.name, definition)?;
        let shape = port_shape(&wanted, definition, tokens, state_tokens);
        let element = if wanted.role == Role::Index.name() { ElementType::I32 } else { ElementType::F32 };
        if *stated != wanted {
            let message = format!("is stated as {}, the definition wants {}", told(stated), told(&wanted));
            return Err(Error::input(format!("{}: `{}`", partition.name, stated.name), message));
        }
        if value.element != element || value.shape != shape {
            let (found, shape_found) = (value.element, &value.shape);
            let message = format!("is {found:?} {shape_found:?}, the definition wants {element:?} {shape:?}");
            return Err(Error::input(format!("{}: `{}`", partition.name, stated.name), message));
        }
    }
    let (component, inputs, outputs) = contract(&partition.name, definition);
    if partition.group != component.group() {
        let message = format!("is said to be of {}, it is of {}", partition.group, component.name());
        return Err(Error::input(&partition.name, message));
    }
    for (kind, ports, wanted) in [("input", &partition.inputs, inputs), ("output", &partition.outputs, outputs)] {
        let differs = |at: &usize| ports.get(*at).map(|port| &port.name) != wanted.get(*at);
        if let Some(at) = (0..ports.len().max(wanted.len())).find(differs) {
            let name = |name: Option<&String>| name.map_or("none".to_string(), |name| format!("`{name}`"));
            let (found, wanted) = (name(ports.get(at).map(|port| &port.name)), name(wanted.get(at)));
            let message = format!("has as {kind} {at} {found}, the definition wants {wanted}");
            return Err(Error::input(&partition.name, message));
        }
    }
    Ok(())
}

/// A contract in words.
fn told(port: &Port) -> String {
    let Port { role, encoding_key, range, meaning, .. } = port;
    let range = range.map(|[low, high]| format!(", range {low} to {high}")).unwrap_or_default();
    format!("role `{role}`, encoding key {encoding_key:?}{range}, which is {meaning}")
}

/// The component of a partition, and the names of its inputs and outputs in order.
fn contract(partition: &str, definition: &Definition) -> (Component, Vec<String>, Vec<String>) {
    let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let layers = &definition.language.layers;
    let (mut inputs, mut outputs) = match partition {
        "vision" => return (Component::Vision, names(&["image"]), names(&["features"])),
        "projector" => return (Component::Projector, names(&["features"]), names(&["embeds"])),
        _ => (names(&["embeds", "cos", "sin", "mask"]), names(&["logits"])),
    };
    if partition == PREFILL {
        inputs.push("last".into());
        inputs.extend(layers.contains(&LayerKind::Conv).then(|| "state_columns".into()));
    }
    for (at, kind) in layers.iter().enumerate() {
        let (taken, given): (&[&str], &[&str]) = match kind {
            LayerKind::Conv => (&["conv_state"], &["conv_state_new"]),
            LayerKind::Attention => (&["k_cache", "v_cache"], &["k_new", "v_new"]),
        };
        inputs.extend(taken.iter().map(|state| format!("layers.{at}.{state}")));
        outputs.extend(given.iter().map(|state| format!("layers.{at}.{state}")));
    }
    (Component::Language, inputs, outputs)
}

/// Shape of a port of a partition of `tokens` tokens; `state_tokens` is how many tokens of keys and values cross there.
fn port_shape(port: &Port, definition: &Definition, tokens: usize, state_tokens: usize) -> Shape {
    let (l, of_vision) = (&definition.language, |size: fn(&Vision) -> usize| definition.vision().map_or(0, size));
    let Some(role) = Role::of(&port.role) else { return vec![] };
    match role {
        Role::Image => vec![1, 3, of_vision(Vision::image_size), of_vision(Vision::image_size)],
        Role::Features => vec![1, tokens, of_vision(Vision::channels)],
        Role::Embeddings => vec![1, tokens, l.hidden],
        Role::Rotary => vec![1, 1, tokens, l.head_dim],
        Role::Mask => vec![1, 1, tokens, l.context],
        Role::Index if port.name == "last" => vec![1],
        Role::Index => vec![l.conv_kernel.saturating_sub(1)],
        Role::Keys => vec![1, l.kv_heads, l.head_dim, state_tokens],
        Role::Values => vec![1, l.kv_heads, state_tokens, l.head_dim],
        Role::ConvState => vec![1, l.hidden, 1, l.conv_kernel.saturating_sub(1)],
        Role::Logits => vec![1, 1, l.vocabulary],
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Recorder, assemble};

    fn all(definition: &Definition) -> Vec<Partition> {
        let recorder = Recorder::new(definition, Path::new("definition.toml"));
        let model = assemble(definition, &recorder).unwrap().model;
        let target = Target::find("sa8295p").unwrap().0;
        partition(&model, definition, &target).unwrap()
    }

    fn definition(text: &str) -> Definition {
        Definition::parse(text, Path::new("definition.toml")).unwrap()
    }

    #[test]
    fn what_is_built_keeps_its_contract() {
        for text in [
            include_str!("../../../graphs/autoneural-tiny.toml"),
            include_str!("../../../tests/fixtures/internvl-random/definition.toml"),
            include_str!("../../../tests/fixtures/llama-random/definition.toml"),
        ] {
            let definition = definition(text);
            for partition in all(&definition) {
                refuse_unfit(&partition, &definition).unwrap();
            }
        }
    }

    #[test]
    fn ports_that_are_missing_or_of_another_component_are_named() {
        type Damage = fn(&mut Partition);
        let damages: [(&str, Damage, &str); 5] = [
            ("vision", |p| p.inputs.clear(), "has as input 0 none, the definition wants `image`"),
            (PREFILL, |p| drop(p.outputs.pop()), "the definition wants `layers.5.v_new`"),
            (DECODE, |p| p.outputs.clear(), "has as output 0 none, the definition wants `logits`"),
            (DECODE, |p| p.outputs.extend(p.outputs.last().cloned()), "`layers.5.v_new`, the definition wants none"),
            ("projector", |p| p.group = Component::Language.group(), "is said to be of language, it is of projector"),
        ];
        let definition = definition(include_str!("../../../graphs/autoneural-tiny.toml"));
        let sound = all(&definition);
        for (name, damage, message) in damages {
            let mut damaged = sound.iter().find(|partition| partition.name == name).unwrap().clone();
            damage(&mut damaged);
            let error = refuse_unfit(&damaged, &definition).unwrap_err().to_string();
            assert!(error.contains(message), "{name}: {error}");
        }
    }
}
