//! ONNX's own tests of single operators: what is read computes what the standard says, in float; what is not read is
//! refused by name. `UPDATE_SNAPSHOTS=1` writes the list of both anew.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use prost::Message;

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::engine::{Data, Engine, Reference, Tensor};
use autoneural::front::onnx::{demand_computed_reals, import};
use autoneural::ir::{Constant, ElementType, Graph};
use autoneural::partition::Port;
use autoneural::passes::{Context, Frozen, as_built, freeze};
use autoneural::target::Target;
use autoneural_onnx::GraphProto;

use crate::common::{assert_snapshot, python, root};

/// A case, and the model that is made of it.
struct Case {
    /// Its name, without the `test_` of all.
    name: String,
    operator: String,
    /// What of it is constant: `given`, `first`, `none` (`tools/onnx_node_cases.py`).
    kind: String,
    /// How near results have to be, as a share of them.
    near: f32,
    /// How many of its tensors go in; none where some are no numbers.
    inputs: Option<usize>,
}

/// A tensor of a case.
struct Known {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// What became of a case.
enum Outcome {
    Right,
    Wrong(String),
    Refused(String),
}

fn cases(folder: &Path) -> Vec<Case> {
    let script = std::fs::read_to_string(root("tools/onnx_node_cases.py")).unwrap();
    let said = python(&script, &[folder.to_path_buf()]);
    let case = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let &[name, operator, kind, near, inputs] = words.as_slice() else { panic!("{line}") };
        let name = name.strip_prefix("test_").unwrap().to_string();
        let near = near.parse().unwrap();
        Case { name, operator: operator.into(), kind: kind.into(), near, inputs: inputs.parse().ok() }
    };
    said.lines().map(case).collect()
}

fn tensors(path: &Path) -> Vec<Known> {
    let data = GraphProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    let tensor = |tensor: autoneural_onnx::TensorProto| Known {
        shape: tensor.dims.iter().map(|&size| size as usize).collect(),
        values: tensor.raw_data.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
        name: tensor.name,
    };
    data.initializer.into_iter().map(tensor).collect()
}

/// The outputs of a graph in tract; those that are constant need none.
fn outputs(graph: Frozen, given: &[Known]) -> Result<Vec<Known>, String> {
    let constant = |graph: &Graph, at: usize| graph.value(graph.outputs()[at]).constant().cloned();
    let numbers = |constant: &Constant| match constant.element_type().is_real() {
        true => constant.to_f32(),
        false => constant.to_i64().into_iter().map(|value| value as f32).collect(),
    };
    let count = graph.outputs().len();
    let constants: Vec<Option<Constant>> = (0..count).map(|at| constant(&graph, at)).collect();
    if constants.iter().all(Option::is_some) {
        let known = |(at, one): (usize, &Constant)| {
            let name = graph.value(graph.outputs()[at]).name.clone();
            Known { name, shape: one.shape().clone(), values: numbers(one) }
        };
        return Ok(constants.iter().flatten().enumerate().map(known).collect());
    }
    let fed = graph.inputs().iter().map(|&id| {
        let value = graph.value(id);
        let known = given.iter().find(|known| known.name == value.name).expect("an input of the case");
        // What only says a type may have no numbers.
        let count = value.shape.iter().product();
        let values = if known.values.len() == count { known.values.clone() } else { vec![0.0; count] };
        let data = match value.element {
            ElementType::F32 => Data::F32(values),
            _ => Data::I32(values.iter().map(|&value| value as i32).collect()),
        };
        Tensor { shape: value.shape.clone(), data }
    });
    let fed: Vec<Tensor> = fed.collect();
    let partition = partition("case", graph).map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let mut data = DataWriter::create(folder.path(), &partition.group).map_err(|error| error.to_string())?;
    emit_float(&partition, &path, &mut data).map_err(|error| error.to_string())?;
    data.finish().map_err(|error| error.to_string())?;
    let mut model = Reference::load(&partition, &path).map_err(|error| error.to_string())?;
    let made = model.run(&fed).map_err(|error| error.to_string())?;
    let known = |(port, one): (&Port, Tensor)| {
        let values = one.as_f32().unwrap().to_vec();
        Known { name: port.name.clone(), shape: one.shape, values }
    };
    Ok(partition.outputs.iter().zip(made).map(known).collect())
}

/// Where the outputs are not those of the case.
fn difference(wanted: &[Known], found: &[Known], near: f32) -> Option<String> {
    if wanted.len() != found.len() {
        return Some(format!("{} outputs in place of {}", found.len(), wanted.len()));
    }
    wanted.iter().zip(found).find_map(|(wanted, found)| {
        if (&wanted.name, &wanted.shape) != (&found.name, &found.shape) {
            let [wanted, found] = [wanted, found].map(|one| format!("`{}` of the shape {:?}", one.name, one.shape));
            return Some(format!("{found} in place of {wanted}"));
        }
        let is_same = |wanted: f32, found: f32| {
            wanted == found || wanted.is_nan() && found.is_nan() || (wanted - found).abs() <= near * wanted.abs() + 1e-5
        };
        let apart = wanted.values.iter().zip(&found.values).find(|(wanted, found)| !is_same(**wanted, **found));
        apart.map(|(number, found)| format!("`{}` has {found} for {number}", wanted.name))
    })
}

fn outcome(case: &Case, folder: &Path, target: &Target) -> Outcome {
    let path = |end: &str| folder.join(format!("test_{}.{end}", case.name));
    let model = path(&format!("{}.onnx", case.kind));
    let imported = match import(&model, &[]) {
        Ok(imported) => imported,
        Err(error) => {
            let said = error.to_string();
            return Outcome::Refused(said.replace(&format!("{}: ", model.display()), ""));
        }
    };
    let Some(inputs) = case.inputs else { return Outcome::Wrong("is read, and has no numbers".into()) };
    let is_constant = |id| imported.graph.value(id).constant().is_some();
    if !imported.graph.outputs().iter().copied().all(is_constant)
        && let Err(error) = demand_computed_reals(&imported.graph)
    {
        return Outcome::Refused(error.to_string());
    }
    let known = tensors(&path("data"));
    let (given, wanted) = known.split_at(inputs);
    let frozen = || freeze(&imported.recognized, Context { target });
    for (form, graph) in [("as it is", as_built(&imported.graph)), ("frozen", frozen())] {
        let made = graph.map_err(|error| error.to_string()).and_then(|graph| outputs(graph, given));
        match made {
            Err(error) => return Outcome::Wrong(format!("{form}: {error}")),
            Ok(found) => {
                if let Some(difference) = difference(wanted, &found, case.near) {
                    return Outcome::Wrong(format!("{form}: {difference}"));
                }
            }
        }
    }
    Outcome::Right
}

/// Cases that are read and give something else, by the beginning of their name, with the reason.
const APART: [(&str, &str); 13] = [
    ("attention_causal_boolmask_nan_robustness", HIDDEN),
    ("attention_23_boolmask_fullymasked_row_nan_robustness", HIDDEN),
    ("attention_23_fullymasked_qk_matmul_output_mode3_zero", HIDDEN),
    ("attention_24_fullymasked_qk_matmul_output_mode3_zero", HIDDEN),
    ("attention_24_qk_matmul_output_mode3_softmax_precision", HIDDEN),
    ("attention_4d_causal_nonpad_negative_offset_structural_empty", HIDDEN),
    ("attention_local_window_gqa_rank4_mask", HIDDEN),
    ("dequantizelinear", BORDER),
    ("quantizelinear", BORDER),
    ("isinf", NO_NUMBER),
    ("isnan", NO_NUMBER),
    ("mod_float_edge_cases", NO_NUMBER),
    ("onehot_out_of_range_indices", BEYOND),
];

const HIDDEN: &str = "a row of which all is hidden has shares here";
const BORDER: &str = "integers at the border become the real numbers that they stand for";
const NO_NUMBER: &str = "what comes in is taken for a number, which infinity is not";
const BEYOND: &str = "indices that are read are taken for places that are there";

/// A refusal without names of values, which in the bodies of functions say all of the path.
fn short(said: &str) -> String {
    let first = said.lines().next().unwrap_or_default();
    first.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Whether a refusal says which operator it is about, or which input, output or property of the model.
fn names(said: &str, case: &Case) -> bool {
    let is_body = case.name.contains("_expanded");
    let places = ["input `", "output `", "node `", "initializer `", "model: "];
    said.contains('`') && (is_body || said.contains(&case.operator))
        || places.iter().any(|place| said.starts_with(place))
}

#[test]
fn what_is_read_of_onnxs_own_cases_is_right_and_the_rest_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (target, _) = Target::find("sa8295p").unwrap();
    let mut list: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut apart = BTreeSet::new();
    for case in cases(folder.path()) {
        let title = format!("{}.{}", case.name, case.kind);
        let reason = APART.iter().find(|(name, _)| case.name.starts_with(name));
        let made = catch_unwind(AssertUnwindSafe(|| outcome(&case, folder.path(), &target)));
        let what = match (made, reason) {
            (Ok(Outcome::Right), _) => "is right".to_string(),
            (Ok(Outcome::Refused(said)), _) if names(&said, &case) => format!("is refused: {}", short(&said)),
            (Ok(Outcome::Refused(said)), _) => {
                wrong.push(format!("{title}: is refused without its name: {said}"));
                continue;
            }
            (Ok(Outcome::Wrong(_)), Some((name, reason))) => {
                apart.insert(*name);
                format!("is another one: {reason}")
            }
            (Ok(Outcome::Wrong(said)), None) => {
                wrong.push(format!("{title}: {said}"));
                continue;
            }
            (Err(_), _) => {
                wrong.push(format!("{title}: panics"));
                continue;
            }
        };
        let names = list.entry(case.operator).or_default().entry(what).or_default();
        match names.last_mut().filter(|last| last.split(' ').next() == Some(case.name.as_str())) {
            Some(last) => last.push_str(&format!(" {}", case.kind)),
            None => names.push(format!("{} {}", case.name, case.kind)),
        }
    }
    let mut text = String::new();
    for (operator, found) in list {
        text.push_str(&format!("{operator}\n"));
        for (what, names) in found {
            text.push_str(&format!("  {what}\n"));
            names.iter().for_each(|name| text.push_str(&format!("    {name}\n")));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(apart, BTreeSet::from(APART.map(|(name, _)| name)), "cases that are right now, or gone");
    assert_snapshot("onnx.nodes.txt", &text);
}
