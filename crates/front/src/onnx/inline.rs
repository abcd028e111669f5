//! Functions of a model in the places where they are called. Exporters write modules so (torch.onnx does).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::model::{MOST_NODES, is_standard};
use super::renamed::{Names, defined, fresh, rename};
use autoneural_base::error::{Error, Result};
use autoneural_onnx::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// Most functions that call each other in a row; more are a circle.
const MOST_DEEP: usize = 64;
/// Most nodes that there are then.
const MOST_INLINED: usize = MOST_NODES >> 2;

/// Domain, name and variant of a function.
type Key<'m> = (&'m str, &'m str, &'m str);

fn domain(name: &str) -> &str {
    if is_standard(name) { "" } else { name }
}

/// The nodes of a graph of a model, with those of functions in place of their calls.
///
/// # Errors
/// A function that calls itself, that is written for another operator set, or that makes too many nodes.
pub fn nodes<'m>(model: &'m ModelProto, graph: &'m GraphProto, opset: i64) -> Result<Cow<'m, [NodeProto]>> {
    let key = |one: &'m FunctionProto| (domain(&one.domain), one.name.as_str(), one.overload.as_str());
    let functions: HashMap<Key, &FunctionProto> = model.functions.iter().map(|one| (key(one), one)).collect();
    if functions.is_empty() {
        return Ok(Cow::Borrowed(&graph.node));
    }
    let taken = defined(graph).into_iter().map(ToString::to_string).collect();
    let mut inlining = Inlining { functions, opset, taken, made: Vec::with_capacity(graph.node.len()) };
    graph.node.iter().try_for_each(|node| inlining.node(Cow::Borrowed(node), 0))?;
    Ok(Cow::Owned(inlining.made))
}

struct Inlining<'m> {
    functions: HashMap<Key<'m>, &'m FunctionProto>,
    opset: i64,
    taken: HashSet<String>,
    made: Vec<NodeProto>,
}

impl<'m> Inlining<'m> {
    fn node(&mut self, node: Cow<NodeProto>, depth: usize) -> Result<()> {
        let key = (domain(&node.domain), node.op_type.as_str(), node.overload.as_str());
        let Some(&function) = self.functions.get(&key) else {
            self.made.push(node.into_owned());
            return match self.made.len() <= MOST_INLINED {
                true => Ok(()),
                false => {
                    Err(Error::input("model", format!("calls functions of more than {MOST_INLINED} nodes in all")))
                }
            };
        };
        let refused = |message: String| Err(Error::input(format!("function `{}`", function.name), message));
        if depth == MOST_DEEP {
            return refused(format!("is called by functions that call each other, {MOST_DEEP} deep"));
        }
        let set = function.opset_import.iter().find(|set| is_standard(&set.domain));
        if let Some(set) = set.filter(|set| set.version != self.opset) {
            return refused(format!("is of operator set {}; its model is of {}", set.version, self.opset));
        }
        let names = self.names(function, &node);
        // What goes through a function as it is.
        for (formal, name) in function.output.iter().zip(&node.output).filter(|(_, name)| !name.is_empty()) {
            if let Some(at) = function.input.iter().position(|input| input == formal) {
                let input = vec![node.input.get(at).cloned().unwrap_or_default()];
                let identity =
                    NodeProto { op_type: "Identity".into(), input, output: vec![name.clone()], ..Default::default() };
                self.node(Cow::Owned(identity), depth + 1)?;
            }
        }
        for inner in &function.node {
            let mut inner = inner.clone();
            rename(&mut inner, &names);
            if !inner.name.is_empty() {
                inner.name = format!("{}/{}", title(&node), inner.name);
            }
            state(&mut inner, function, &node);
            self.node(Cow::Owned(inner), depth + 1)?;
        }
        Ok(())
    }

    /// What names of a function are where it is called.
    fn names(&mut self, function: &FunctionProto, call: &NodeProto) -> Names {
        let read = function.input.iter().enumerate();
        let mut names: Names =
            read.map(|(at, formal)| (formal.clone(), call.input.get(at).cloned().unwrap_or_default())).collect();
        for (formal, name) in function.output.iter().zip(&call.output).filter(|(_, name)| !name.is_empty()) {
            names.entry(formal.clone()).or_insert_with(|| name.clone());
        }
        for name in function.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
            if !names.contains_key(name) {
                names.insert(name.clone(), fresh(&format!("{}/{name}", title(call)), &mut self.taken));
            }
        }
        names
    }
}

fn title(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}

/// Gives attributes that are those of the function the value that the call states, or that holds where it states none.
fn state(node: &mut NodeProto, function: &FunctionProto, call: &NodeProto) {
    let stated = |name: &str| -> Option<&AttributeProto> {
        let of = |list: &'_ [AttributeProto]| list.iter().position(|one| one.name == name);
        match (of(&call.attribute), of(&function.attribute_proto)) {
            (Some(at), _) => call.attribute.get(at),
            (None, Some(at)) => function.attribute_proto.get(at),
            (None, None) => None,
        }
    };
    let attributes = std::mem::take(&mut node.attribute);
    node.attribute = attributes
        .into_iter()
        .filter_map(|mut one| {
            if !one.ref_attr_name.is_empty() {
                let value = stated(&one.ref_attr_name)?;
                return Some(AttributeProto { name: one.name, ..value.clone() });
            }
            let graphs = one.g.iter_mut().chain(&mut one.graphs).flat_map(|graph| &mut graph.node);
            graphs.for_each(|inner| state(inner, function, call));
            Some(one)
        })
        .collect();
}
