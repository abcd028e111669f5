//! Functions of a model in the places where they are called. Exporters write modules so (torch.onnx does).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::model::{MOST_NODES, is_standard};
use super::renamed::{Copied, Names, defined, fresh, renamed};
use autoneural_base::error::{Error, Result};
use autoneural_onnx::{AttributeProto, FunctionProto, GraphProto, Message, ModelProto, NodeProto};

/// Most functions that call each other in a row; more are a circle.
const MOST_DEEP: usize = 64;
/// Most nodes and calls.
const MOST_STEPS: usize = MOST_NODES >> 2;

/// Domain, name and variant of a function.
type Key<'m> = (&'m str, &'m str, &'m str);

fn domain(name: &str) -> &str {
    if is_standard(name) { "" } else { name }
}

/// The nodes of a graph of a model, with those of functions in place of their calls.
///
/// # Errors
/// A function that calls itself, that is written for another operator set, or that makes too much.
pub fn nodes<'m>(model: &'m ModelProto, graph: &'m GraphProto, opset: i64) -> Result<Cow<'m, [NodeProto]>> {
    let key = |one: &'m FunctionProto| (domain(&one.domain), one.name.as_str(), one.overload.as_str());
    let functions: HashMap<Key, &FunctionProto> = model.functions.iter().map(|one| (key(one), one)).collect();
    if functions.is_empty() {
        return Ok(Cow::Borrowed(&graph.node));
    }
    let taken = defined(graph).into_iter().map(ToString::to_string).collect();
    let made = Vec::with_capacity(graph.node.len());
    let mut inlining = Inlining { functions, opset, taken, copied: Copied::default(), made, steps: 0 };
    graph.node.iter().try_for_each(|node| inlining.node(Cow::Borrowed(node), 0))?;
    Ok(Cow::Owned(inlining.made))
}

struct Inlining<'m> {
    functions: HashMap<Key<'m>, &'m FunctionProto>,
    opset: i64,
    taken: HashSet<String>,
    copied: Copied,
    made: Vec<NodeProto>,
    steps: usize,
}

impl<'m> Inlining<'m> {
    fn node(&mut self, node: Cow<NodeProto>, depth: usize) -> Result<()> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            let message = format!("has functions that make more than {MOST_STEPS} nodes and calls in all");
            return Err(Error::input("model", message));
        }
        let key = (domain(&node.domain), node.op_type.as_str(), node.overload.as_str());
        let Some(&function) = self.functions.get(&key) else {
            self.made.push(node.into_owned());
            return Ok(());
        };
        let refused = |message: String| Error::input(format!("function `{}`", function.name), message);
        if depth == MOST_DEEP {
            return Err(refused(format!("is called by functions that call each other, {MOST_DEEP} deep")));
        }
        let set = function.opset_import.iter().find(|set| is_standard(&set.domain));
        if let Some(set) = set.filter(|set| set.version != self.opset) {
            return Err(refused(format!("is of operator set {}; its model is of {}", set.version, self.opset)));
        }
        for inner in self.body(function, &node).map_err(refused)? {
            self.node(Cow::Owned(inner), depth + 1)?;
        }
        Ok(())
    }

    /// The nodes of a function with the names and attributes of a call.
    fn body(&mut self, function: &FunctionProto, call: &NodeProto) -> Result<Vec<NodeProto>, String> {
        let names = self.names(function, call)?;
        let mut made = Vec::new();
        // What goes through a function as it is.
        for (formal, name) in function.output.iter().zip(&call.output).filter(|(_, name)| !name.is_empty()) {
            if let Some(at) = function.input.iter().position(|input| input == formal) {
                self.copied.count(name.len() + call.input.get(at).map_or(0, String::len))?;
                let input = vec![call.input.get(at).cloned().unwrap_or_default()];
                let (op_type, output) = ("Identity".into(), vec![name.clone()]);
                made.push(NodeProto { op_type, input, output, ..NodeProto::default() });
            }
        }
        for inner in &function.node {
            let mut inner = renamed(inner, &names, &mut self.copied)?;
            if !inner.name.is_empty() {
                inner.name = self.within(call, &inner.name)?;
            }
            self.state(&mut inner, function, call)?;
            made.push(inner);
        }
        Ok(made)
    }

    /// A name of a function in a call of it.
    fn within(&mut self, call: &NodeProto, name: &str) -> Result<String, String> {
        let title = title(call);
        self.copied.count(title.len() + name.len())?;
        Ok(format!("{title}/{name}"))
    }

    /// What names of a function are where it is called.
    fn names(&mut self, function: &FunctionProto, call: &NodeProto) -> Result<Names, String> {
        let mut names = Names::new();
        let read = function.input.iter().enumerate().map(|(at, formal)| (formal, call.input.get(at)));
        let made = function.output.iter().zip(&call.output).filter(|(_, name)| !name.is_empty());
        for (formal, name) in read.chain(made.map(|(formal, name)| (formal, Some(name)))) {
            let name = name.map_or("", String::as_str);
            self.copied.count(formal.len() + name.len())?;
            names.entry(formal.clone()).or_insert_with(|| name.to_string());
        }
        for name in function.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
            if !names.contains_key(name) {
                let new = self.within(call, name)?;
                names.insert(name.clone(), fresh(&new, &mut self.taken));
            }
        }
        Ok(names)
    }

    /// Gives attributes that are those of the function the value that the call states, or that holds where it states
    /// none.
    fn state(&mut self, node: &mut NodeProto, function: &FunctionProto, call: &NodeProto) -> Result<(), String> {
        for mut one in std::mem::take(&mut node.attribute) {
            if one.ref_attr_name.is_empty() {
                for inner in one.g.iter_mut().chain(&mut one.graphs).flat_map(|graph| &mut graph.node) {
                    self.state(inner, function, call)?;
                }
                node.attribute.push(one);
                continue;
            }
            let is_meant = |stated: &&AttributeProto| stated.name == one.ref_attr_name;
            let stated =
                call.attribute.iter().find(is_meant).or_else(|| function.attribute_proto.iter().find(is_meant));
            if let Some(stated) = stated {
                self.copied.count(stated.encoded_len())?;
                node.attribute.push(AttributeProto { name: one.name, ..stated.clone() });
            }
        }
        Ok(())
    }
}

fn title(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
