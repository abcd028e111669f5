//! Partitions as JSON: nodes by name, constants as places in the data file of the float models.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Kind, Result};
use autoneural_base::files::Folder;
use autoneural_base::json::{LARGEST_JSON, write_json};
use autoneural_base::map::Map;
use autoneural_core::ir::{Builder, Constant, ElementType, Op, Shape, StoredType, ValueId, View};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::Frozen;
use autoneural_core::program::{self, Group, Program};
use autoneural_engines::back::onnx::{ConstantPlace, DataWriter};
use autoneural_front::{Definition, refuse_unfit};

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    name: String,
    #[serde(rename = "component")]
    group: Group,
    inputs: Vec<StoredInput>,
    constants: Vec<StoredConstant>,
    nodes: Vec<StoredNode>,
    outputs: Vec<Port>,
}

#[derive(Serialize, Deserialize)]
struct StoredInput {
    #[serde(flatten)]
    port: Port,
    shape: Shape,
    element: ElementType,
}

#[derive(Serialize, Deserialize)]
struct StoredConstant {
    name: String,
    shape: Shape,
    #[serde(default, skip_serializing_if = "is_real")]
    element: ElementType,
    /// The type of the elements in the data file, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<StoredType>,
    offset: u64,
}

/// Constants were real numbers before there were others, and such are written as they were.
fn is_real(element: &ElementType) -> bool {
    element.is_real()
}

#[derive(Serialize, Deserialize)]
struct StoredNode {
    name: String,
    #[serde(flatten)]
    op: Op,
    inputs: Vec<String>,
    /// Where they are not what a node of this name calls them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<String>,
}

/// Names of outputs as they are stored: none where all are what a node of this name gives them.
fn stated(node: &str, outputs: Vec<String>) -> Vec<String> {
    let is_usual = outputs.iter().enumerate().all(|(at, output)| *output == Builder::output_name(node, at));
    if is_usual { vec![] } else { outputs }
}

/// Writes a partition to `folder/<name>.json`. `places` are those of its constants in the data file, by name.
///
/// # Errors
/// The file cannot be written.
pub fn write(partition: &Partition, places: &BTreeMap<String, ConstantPlace>, folder: &Path) -> Result<()> {
    let graph = &partition.graph;
    let name = |id: &ValueId| graph.value(*id).name.clone();
    let inputs = partition.inputs.iter().zip(graph.inputs()).map(|(port, &id)| StoredInput {
        port: port.clone(),
        shape: graph.value(id).shape.clone(),
        element: graph.value(id).element,
    });
    let constants = graph.values().filter(|(_, value)| value.constant().is_some()).map(|(_, value)| {
        let ConstantPlace { offset, stored } = places[&value.name];
        StoredConstant {
            name: value.name.clone(),
            shape: value.shape.clone(),
            element: value.element,
            stored: (stored != StoredType::of(value.element)).then_some(stored),
            offset,
        }
    });
    let nodes = graph.nodes().iter().map(|node| StoredNode {
        name: node.name.clone(),
        op: node.op.clone(),
        inputs: node.inputs.iter().map(name).collect(),
        outputs: stated(&node.name, node.outputs.iter().map(name).collect()),
    });
    let stored = Stored {
        schema: 1,
        name: partition.name.clone(),
        group: partition.group.clone(),
        inputs: inputs.collect(),
        constants: constants.collect(),
        nodes: nodes.collect(),
        outputs: partition.outputs.clone(),
    };
    write_json(&stored, &folder.join(format!("{}.json", partition.name)))
}

/// Reads `<name>.json` in a folder of a bundle, by the start of its path, and maps the constants.
///
/// # Errors
/// Malformed JSON, a graph that cannot be, constants that are not in the data file, ports that are not those of the
/// definition.
pub(crate) fn read(
    bundle: &Folder,
    (at, name): (&str, &str),
    (program, definition): (&Program, Option<&Definition>),
    maps: &mut Maps,
) -> Result<Partition> {
    let path = bundle.path().join(format!("{at}{name}.json"));
    let mut read = || {
        let mut partition = read_graph(bundle, &path, (at, name), maps)?;
        for port in partition.inputs.iter_mut().chain(&mut partition.outputs) {
            let unknown = || Error::input(format!("{name}: `{}`", port.name), format!("has no role `{}`", port.role));
            port.meaning = *program.roles.get(&port.role).ok_or_else(unknown)?;
        }
        definition.map_or(Ok(()), |definition| refuse_unfit(&partition, definition))?;
        program::refuse_unfit(&partition)?;
        Ok(partition)
    };
    read().map_err(|error| damaged(&path, error))
}

/// A graph that is not valid because of this file is wrong input, and not a defect of the program.
fn damaged(path: &Path, mut error: Error) -> Error {
    if error.kind != Kind::Io && !error.place.starts_with(&*path.to_string_lossy()) {
        error = error.within(path.display());
    }
    if error.kind == Kind::Internal {
        error.kind = Kind::Input;
    }
    if error.kind == Kind::Input { error.help("the bundle is damaged; make it again") } else { error }
}

/// Mapped data files by group: partitions that share weights share the map, and the memory.
pub(crate) type Maps = BTreeMap<Group, Arc<Map>>;

fn read_graph(bundle: &Folder, path: &Path, (at, name): (&str, &str), maps: &mut Maps) -> Result<Partition> {
    let text = bundle.read(format!("{at}{name}.json"), LARGEST_JSON)?;
    let stored: Stored = autoneural_base::text::json(path, &text)?;
    let fail = |what: &str, message: String| Error::input(format!("{}: `{what}`", path.display()), message);
    if stored.schema != 1 || stored.name != name {
        return Err(fail(name, "is not described by this file".into()));
    }
    let group = Group::of_graph(name)?;
    if stored.group != group {
        return Err(fail(name, format!("is said to be of {}, it is of {group}", stored.group)));
    }
    let data = Path::new(at).join(DataWriter::name_of(&stored.group));
    let data_path = bundle.path().join(&data);
    let map = match maps.entry(stored.group.clone()) {
        Entry::Occupied(known) => Arc::clone(known.get()),
        Entry::Vacant(free) => Arc::clone(free.insert(Arc::new(Map::of(bundle.file(&data)?, &data_path)?))),
    };
    let mut b = Builder::new(stored.name.clone());
    let mut known: BTreeMap<String, ValueId> = BTreeMap::new();
    let mut inputs = Vec::new();
    for input in stored.inputs {
        let id = b.input(input.port.name.clone(), input.shape, input.element)?;
        known.insert(input.port.name.clone(), id);
        inputs.push(input.port);
    }
    for constant in stored.constants {
        let elements = constant.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let stored = constant.stored.unwrap_or(StoredType::of(constant.element));
        if stored.element() != constant.element {
            return Err(fail(&constant.name, format!("is stored in a type that is not {}", constant.element.name())));
        }
        let view = elements
            .zip(usize::try_from(constant.offset).ok())
            .and_then(|(elements, offset)| View::new(Arc::clone(&map), offset, elements, stored))
            .ok_or_else(|| fail(&constant.name, format!("reaches beyond the end of {}", data_path.display())))?;
        let id = b.constant(constant.name.clone(), Constant::from_view(view, constant.shape))?;
        known.insert(constant.name, id);
    }
    for node in stored.nodes {
        let find =
            |name: &String| known.get(name).copied().ok_or_else(|| fail(name, "is read before it is made".into()));
        let inputs = node.inputs.iter().map(find).collect::<Result<Vec<_>>>()?;
        let made = match node.outputs.first() {
            None => b.node_outputs(node.name, node.op, &inputs)?,
            Some(first) if *first == node.name => b.node_of(node.outputs, node.op, &inputs)?,
            Some(first) => return Err(fail(first, format!("is an output of `{}`, which has another name", node.name))),
        };
        for id in made {
            known.insert(b.graph().value(id).name.clone(), id);
        }
    }
    let find = |port: &Port| known.get(&port.name).copied().ok_or_else(|| fail(&port.name, "is never made".into()));
    let outputs = stored.outputs.iter().map(find).collect::<Result<Vec<_>>>()?;
    let graph = Frozen::new(b.finish(outputs))?;
    Ok(Partition { name: stored.name, group: stored.group, graph, inputs, outputs: stored.outputs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::ops;

    fn split(names: [&str; 2]) -> Partition {
        let mut b = Builder::new("parts");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let op = ops::Split { axis: 1, parts: 2 };
        let parts = b.node_of(names.map(String::from).to_vec(), op, &[x]).unwrap();
        let turned = b.node("turned", ops::Concat { axis: 1 }, &[parts[1], parts[0]]).unwrap();
        let graph = Frozen::new(b.finish(vec![turned])).unwrap();
        let (inputs, outputs) = (vec![Port::plain("x".into())], vec![Port::plain("turned".into())]);
        Partition { name: "parts".into(), group: Group::fixed("parts"), graph, inputs, outputs }
    }

    #[test]
    fn outputs_keep_names_that_are_their_own() {
        for (names, is_stated) in [(["a", "a.1"], false), (["a", "b"], true)] {
            let folder = tempfile::tempdir().unwrap();
            let model = folder.path().join("model");
            std::fs::create_dir(&model).unwrap();
            std::fs::write(model.join("parts.data"), [0]).unwrap();
            let partition = split(names);
            write(&partition, &BTreeMap::new(), &model).unwrap();
            let path = model.join("parts.json");
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.contains("\"b\""), is_stated, "{text}");
            let bundle = Folder::open(folder.path()).unwrap();
            let made = read_graph(&bundle, &path, ("model/", "parts"), &mut Maps::new()).unwrap();
            assert_eq!(made.graph.to_string(), partition.graph.to_string());
        }
    }
    #[test]
    fn constants_are_read_in_the_type_that_they_are_stored_in() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("parts.data"), [0, 0, 0xc0, 0x3f, 0x80, 0xbf]).unwrap();
        let mut b = Builder::new("parts");
        let x = b.input("x", vec![2], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![1.5, -1.0], vec![2])).unwrap();
        let y = b.node("y", ops::Add, &[x, c]).unwrap();
        let graph = Frozen::new(b.finish(vec![y])).unwrap();
        let (inputs, outputs) = (vec![Port::plain("x".into())], vec![Port::plain("y".into())]);
        let partition = Partition { name: "parts".into(), group: Group::fixed("parts"), graph, inputs, outputs };
        let place = ConstantPlace { offset: 2, stored: StoredType::Bf16 };
        write(&partition, &BTreeMap::from([("c".to_string(), place)]), &model).unwrap();
        let (bundle, path) = (Folder::open(folder.path()).unwrap(), model.join("parts.json"));
        let read = || read_graph(&bundle, &path, ("model/", "parts"), &mut Maps::new());
        let found = read().unwrap();
        let constant = found.graph.values().find_map(|(_, value)| value.constant()).unwrap();
        assert_eq!((constant.to_f32(), constant.stored_type()), (vec![1.5, -1.0], StoredType::Bf16));
        let text = std::fs::read_to_string(&path).unwrap();
        for (stored, said) in [("i32", "a type that is not f32"), ("f32", "reaches beyond the end")] {
            std::fs::write(&path, text.replace("\"bf16\"", &format!("\"{stored}\""))).unwrap();
            assert!(read().unwrap_err().message.contains(said));
        }
    }
}
