//! What inputs of the graph are: real numbers, or indices of 32 bits.

use super::model::{Model, Node};
use super::tensors::element_type;
use autoneural_core::ir::ElementType;

/// Type of each input's elements in the graph. What was chosen without being asked is added to `notes`.
///
/// # Errors
/// The input, and why it cannot be.
pub fn elements(model: &Model, notes: &mut Vec<String>) -> Result<Vec<ElementType>, (String, String)> {
    let one = |input: &super::model::Declared| {
        let refused = || {
            let message = format!("has elements of the type {}, which is not supported", input.data_type);
            (format!("input `{}`", input.name), message)
        };
        let element = element_type(input.data_type).ok_or_else(refused)?;
        if element.is_real() {
            if input.data_type != 1 {
                notes.push(format!("input `{}` is taken as float32", input.name));
            }
            return Ok(element);
        }
        if element == ElementType::Bool {
            notes.push(format!("input `{}` is taken as float32, 1 for true and 0 for false", input.name));
            return Ok(ElementType::F32);
        }
        if is_only_a_number(&model.nodes, &input.name) {
            notes.push(format!("input `{}` is computed with as a real number, and is taken as float32", input.name));
            return Ok(ElementType::F32);
        }
        if element == ElementType::I64 {
            notes.push(format!("input `{}` is taken as int32", input.name));
            return Ok(ElementType::I32);
        }
        Ok(element)
    };
    model.inputs.iter().map(one).collect()
}

/// Operators that move what they read first.
const MOVES: [&str; 12] = [
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Transpose",
    "Slice",
    "Expand",
    "Tile",
    "Gather",
    "GatherElements",
    "GatherND",
];

/// Operators that compute with numbers, whatever their type.
const COMPUTES: [&str; 14] = [
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Add",
    "Sub",
    "Mul",
    "Min",
    "Max",
    "CumSum",
    "ReduceSum",
    "ReduceMax",
    "Not",
];

/// Whether an input of integers is computed with wherever it is read, but for moves before.
fn is_only_a_number(nodes: &[Node], name: &str) -> bool {
    let mut moved = vec![name];
    let mut at = 0;
    let mut is_cast = false;
    let mut joined: Vec<&Node> = Vec::new();
    while at < moved.len() {
        let name = moved[at];
        at += 1;
        if nodes.iter().any(|node| node.bodies().any(|(_, body)| body.outside.iter().any(|one| one == name))) {
            return false;
        }
        for node in nodes.iter().filter(|node| node.inputs.iter().any(|input| input == name)) {
            let is_first = node.inputs.first().is_some_and(|input| input == name);
            match node.op_type.as_str() {
                "Cast" if node.attributes.iter().any(|(key, given)| key == "to" && is_number(given)) => is_cast = true,
                // Other integers are the same numbers.
                "Cast" => moved.extend(node.outputs.first().map(String::as_str)),
                op if COMPUTES.contains(&op) => is_cast = true,
                // Shapes are known.
                "Shape" => {}
                // Whether all that is joined is of this input is known at the end.
                "Concat" => {
                    let is_new = |name: &&str| !moved.contains(name);
                    let made = node.outputs.first().map(String::as_str).filter(is_new);
                    if made.is_some() {
                        joined.push(node);
                    }
                    moved.extend(made);
                }
                op if is_first && MOVES.contains(&op) => {
                    moved.extend(node.outputs.first().map(String::as_str));
                }
                _ => return false,
            }
        }
    }
    is_cast && joined.iter().flat_map(|node| &node.inputs).all(|input| moved.contains(&input.as_str()))
}

/// Whether a type that is cast to is one of real numbers, or of truths.
fn is_number(given: &super::model::Given) -> bool {
    use super::model::Given;
    use autoneural_core::ir::ops::Attribute;
    let Given::Plain(Attribute::Int(to)) = given else { return false };
    let element = i32::try_from(*to).ok().and_then(element_type);
    matches!(element, Some(ElementType::F32 | ElementType::Bool))
}
