//! From a model file to a graph, operator by operator. What ONNX writes in several nodes stays several nodes.
//!
//! Values keep their names. A node gets the name of its first output, as everywhere in the IR.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_shape_proto::dimension;
use autoneural_onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};

use super::decode;
use super::tensors::DataFiles;
use autoneural_base::error::{Error, Kind, Result};
use autoneural_core::ir::ops::{Attribute, OnnxInput, OnnxNode, OpKind};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, Shape, ValueId, validate};

/// The graph of a model file, with views into the data files beside it.
///
/// # Errors
/// A file that is no ONNX model, operators that this program does not have, of which all are named, forms of operators
/// that it does not take, and tensors that are not where the file says.
pub fn import(path: &Path) -> Result<Graph> {
    let model = decode(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    import_model(&model, &mut DataFiles::beside(folder)).map_err(|error| error.within(path.display()))
}

/// The graph of a model in memory.
fn import_model(model: &ModelProto, data: &mut DataFiles) -> Result<Graph> {
    build(model, data).map_err(|error| match error.kind {
        // A promise of graphs that a file breaks is no defect of the program.
        Kind::Internal => Error::input(error.place, error.message),
        _ => error,
    })
}

fn build(model: &ModelProto, data: &mut DataFiles) -> Result<Graph> {
    let opset = model.opset_import.iter().find(|set| is_standard(&set.domain)).map_or(1, |set| set.version);
    let graph = model.graph.as_ref().ok_or_else(|| Error::input("model", "has no graph"))?;
    refuse_unknown(graph)?;
    let mut made = Importer { b: Builder::new(graph.name.clone()), known: HashMap::new(), opset };
    for tensor in &graph.initializer {
        let constant = data.constant(tensor).map_err(|message| Error::input(&tensor.name, message))?;
        made.known.insert(&tensor.name, Known::Constant(constant));
    }
    for info in &graph.input {
        // Old models list their constants as inputs, too.
        if !made.known.contains_key(info.name.as_str()) {
            let (shape, element) = port(info).map_err(|message| Error::input(&info.name, message))?;
            let id = made.b.input(info.name.clone(), shape, element)?;
            made.known.insert(&info.name, Known::Value(id));
        }
    }
    for node in &graph.node {
        made.node(node)?;
    }
    let outputs = graph.output.iter().map(|info| made.value(&info.name)).collect::<Result<_>>()?;
    let graph = made.b.finish(outputs);
    validate(&graph)?;
    Ok(graph)
}

fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// Refuses operators that this program does not have, all at once.
fn refuse_unknown(graph: &GraphProto) -> Result<()> {
    let is_known = |node: &&NodeProto| is_standard(&node.domain) && OpKind::of_onnx(&node.op_type).is_some();
    let unknown: BTreeSet<String> = (graph.node.iter().filter(|node| !is_known(node)))
        .map(|node| match is_standard(&node.domain) {
            true => node.op_type.clone(),
            false => format!("{}.{}", node.domain, node.op_type),
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
    Err(Error::input(&graph.name, format!("operators that are not supported: {}", names.join(", "))))
}

/// What is known under a name.
enum Known {
    /// A value of the graph.
    Value(ValueId),
    /// A constant, which becomes a value where a node reads it.
    Constant(Constant),
}

struct Importer<'a> {
    b: Builder,
    known: HashMap<&'a str, Known>,
    opset: i64,
}

impl<'a> Importer<'a> {
    /// The value of a name.
    fn value(&mut self, name: &str) -> Result<ValueId> {
        match self.known.get_mut(name) {
            Some(Known::Value(id)) => Ok(*id),
            Some(known @ Known::Constant(_)) => {
                let Known::Constant(constant) = &*known else { unreachable!("it is one") };
                let id = self.b.constant(name, constant.clone())?;
                *known = Known::Value(id);
                Ok(id)
            }
            None => Err(Error::input(name, "is read before it is made")),
        }
    }

    /// What an operator is told of an input.
    fn input(&self, name: &str) -> Result<Option<OnnxInput>> {
        if name.is_empty() {
            return Ok(None);
        }
        let (shape, element, constant) = match self.known.get(name) {
            Some(Known::Constant(constant)) => {
                (constant.shape().clone(), constant.element_type(), Some(constant.clone()))
            }
            Some(Known::Value(id)) => {
                let value = self.b.graph().value(*id);
                (value.shape.clone(), value.element, value.constant().cloned())
            }
            None => return Err(Error::input(name, "is read before it is made")),
        };
        Ok(Some(OnnxInput { shape, element, constant }))
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<()> {
        // An empty name says that an output is not wanted; only the last may be.
        let names: Vec<&'a str> = node.output.iter().map(String::as_str).collect();
        let wanted = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        let Some(&name) = names.first().filter(|name| !name.is_empty()) else {
            return Err(Error::input(&node.name, "has no output"));
        };
        let refused = |message: String| Error::input(name, message);
        let inputs = node.input.iter().map(|input| self.input(input)).collect::<Result<Vec<_>>>()?;
        let attributes = node.attribute.iter().map(attribute).collect::<std::result::Result<Vec<_>, _>>();
        let op_type = node.op_type.clone();
        let told = OnnxNode {
            op_type,
            opset: self.opset,
            attributes: attributes.map_err(refused)?,
            inputs,
            outputs: names.len(),
        };
        let kind =
            OpKind::of_onnx(&node.op_type).ok_or_else(|| refused("is of an operator that is not supported".into()))?;
        let made = (kind.from_onnx)(&told).map_err(refused)?;
        let read = made.inputs.iter().map(|&at| match node.input.get(at) {
            Some(input) if !input.is_empty() => self.value(input),
            _ => Err(refused(format!("has no input {at}"))),
        });
        let read = read.collect::<Result<Vec<_>>>()?;
        let outputs =
            self.b.node_of(names[..wanted].iter().map(ToString::to_string).collect(), made.operator, &read)?;
        self.known.extend(names.into_iter().zip(outputs).map(|(name, id)| (name, Known::Value(id))));
        Ok(())
    }
}

/// Name and value of an attribute.
fn attribute(attribute: &AttributeProto) -> std::result::Result<(String, Attribute), String> {
    let value = match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::Int) => Attribute::Int(attribute.i),
        Ok(AttributeType::Ints) => Attribute::Ints(attribute.ints.clone()),
        Ok(AttributeType::Float) => Attribute::Float(attribute.f),
        Ok(AttributeType::Floats) => Attribute::Floats(attribute.floats.clone()),
        Ok(AttributeType::String) => Attribute::Text(String::from_utf8_lossy(&attribute.s).into_owned()),
        _ => return Err(format!("has the attribute `{}` of a kind that is not supported", attribute.name)),
    };
    Ok((attribute.name.clone(), value))
}

/// Shape and element type of an input of the graph.
fn port(info: &ValueInfoProto) -> std::result::Result<(Shape, ElementType), String> {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err("is no tensor".into());
    };
    let element = match tensor.elem_type {
        1 => ElementType::F32,
        6 => ElementType::I32,
        7 => ElementType::I64,
        9 => ElementType::Bool,
        other => return Err(format!("has elements of the type {other}, which is not supported")),
    };
    let sizes = tensor.shape.iter().flat_map(|shape| &shape.dim).map(|dim| match dim.value {
        Some(dimension::Value::DimValue(size)) => usize::try_from(size).ok(),
        _ => None,
    });
    let shape = sizes.collect::<Option<Shape>>().ok_or("has an axis whose size is not known")?;
    Ok((shape, element))
}

#[cfg(test)]
mod tests {
    use autoneural_onnx::TensorProto;
    use proptest::prelude::*;

    use super::super::float;
    use super::super::proto::{DataType, model, small_tensor};
    use super::*;
    use autoneural_core::ir::ops::{Chance, OPERATORS};
    use autoneural_core::ir::{ValueId, sample_graph};
    use autoneural_core::passes::as_built;

    fn exported(graph: &Graph) -> ModelProto {
        let store = |value: &autoneural_core::ir::Value, constant: &Constant| -> Result<TensorProto> {
            let kind = DataType::of_element(value.element);
            Ok(small_tensor(&value.name, kind, &value.shape, constant.to_le_bytes()))
        };
        model(float::graph(graph, store).unwrap())
    }

    fn imported(model: &ModelProto) -> Result<Graph> {
        import_model(model, &mut DataFiles::beside(Path::new("/nowhere")))
    }

    fn sum() -> Graph {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![1.0, 2.0, 3.0], vec![3])).unwrap();
        let outputs = vec![b.node("y", autoneural_core::ir::ops::Add, &[x, c]).unwrap()];
        b.finish(outputs)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_operator_comes_back_from_its_model(entropy in prop::collection::vec(any::<u32>(), 40)) {
            for kind in OPERATORS {
                let mut numbers = entropy.iter().copied().chain(std::iter::repeat(0));
                let mut next = || numbers.next().unwrap_or_default();
                let sample = (kind.draw)(&mut Chance::new(&mut next));
                let (graph, _) = sample_graph(&sample, |count, size| vec![size; count]).unwrap();
                // What ONNX has no operator for comes back spelled out.
                let graph = as_built(&graph).unwrap();
                let back = imported(&exported(&graph)).unwrap();
                prop_assert_eq!(graph.difference(&back), None);
            }
        }
    }

    #[test]
    fn constants_of_every_type_come_back() {
        let mut b = Builder::new("g");
        let integers = |element, values: &[i64]| Constant::from_integers(element, values.to_vec(), vec![values.len()]);
        let mut outputs: Vec<ValueId> = Vec::new();
        for (name, constant) in [
            ("real", Constant::from_values(vec![0.5, -1.5], vec![2])),
            ("short", integers(ElementType::I32, &[-7, i64::from(i32::MAX)])),
            ("long", integers(ElementType::I64, &[i64::MIN, 3])),
            ("truth", integers(ElementType::Bool, &[1, 0])),
        ] {
            let id = b.constant(name, constant).unwrap();
            outputs.push(
                b.node(format!("{name}.moved"), autoneural_core::ir::ops::Transpose { perm: vec![0] }, &[id]).unwrap(),
            );
        }
        let graph = b.finish(outputs);
        assert_eq!(graph.difference(&imported(&exported(&graph)).unwrap()), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        type Damage = fn(&mut ModelProto);
        let damages: [(Damage, &str); 8] = [
            (|m| nodes(m)[0].output[0] = "x".into(), "two values are named `x`"),
            (|m| nodes(m)[0].op_type = "Loop".into(), "operators that are not supported: Loop"),
            (|m| nodes(m)[0].domain = "com.microsoft".into(), "not supported: com.microsoft.Add"),
            (|m| nodes(m)[0].input[1] = "nothing".into(), "nothing: is read before it is made"),
            (|m| m.graph.as_mut().unwrap().initializer[0].dims = vec![1 << 40, 1 << 40], "which is too large"),
            (|m| m.graph.as_mut().unwrap().initializer[0].dims = vec![4], "has 12 bytes for the shape [4]"),
            (|m| m.graph.as_mut().unwrap().initializer[0].data_type = 8, "elements of the type 8"),
            (|m| m.opset_import[0].version = 6, "Add of operator set 6 is another one; 7 or newer is wanted"),
        ];
        for (damage, message) in damages {
            let mut model = exported(&sum());
            damage(&mut model);
            let error = imported(&model).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    #[test]
    fn data_outside_of_the_folder_is_not_read() {
        let mut model = exported(&sum());
        let tensor = &mut model.graph.as_mut().unwrap().initializer[0];
        tensor.raw_data.clear();
        tensor.external_data =
            vec![autoneural_onnx::StringStringEntryProto { key: "location".into(), value: "../../etc/passwd".into() }];
        let error = imported(&model).unwrap_err().to_string();
        assert!(error.contains("c: its data file"), "{error}");
    }

    fn nodes(model: &mut ModelProto) -> &mut Vec<NodeProto> {
        &mut model.graph.as_mut().unwrap().node
    }
}
