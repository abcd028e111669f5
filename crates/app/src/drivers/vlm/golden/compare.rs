//! Comparing a host's own tensors with golden ones.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;

use super::record::{FILE, Record, SCHEMA, TENSORS, TensorRecord};
use autoneural_base::error::{Error, Result};
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_bundle::{Bundle, hash_bytes};
use autoneural_engines::engine::EngineKind;

/// Largest file of tensors that is read.
const LARGEST: u64 = 1 << 30;
/// Name under which a host gives the tokens of its answer.
const ANSWER: &str = "answer";

/// What a comparison found.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// The engine whose tensors it was compared with.
    pub engine: EngineKind,
    /// Tensors that are equal.
    pub equal: usize,
    /// Tensors that are not, in the order of the steps: the first may be the cause of the others.
    pub different: Vec<Different>,
    /// Golden tensors that were not given.
    pub missing: usize,
    /// Names of given tensors that no golden one has.
    pub unknown: Vec<String>,
}

/// A tensor that is another than the golden one.
#[derive(Debug, Serialize)]
pub struct Different {
    /// Name of the step and of the port.
    pub name: String,
    /// How it differs.
    pub how: String,
    /// Whether it goes into the model, so that the host made it.
    pub is_input: bool,
}

impl Record {
    /// The golden vectors of a bundle.
    ///
    /// # Errors
    /// The bundle has none, or their file is damaged.
    pub fn read(bundle: &Bundle) -> Result<Self> {
        if bundle.manifest.golden.is_none() || !bundle.has_file(FILE) || !bundle.has_file(TENSORS) {
            return Err(Error::input(bundle.path("").display(), "has no golden vectors")
                .help("`autoneural compile` and `autoneural verify` make them, unless --golden none says otherwise"));
        }
        json_of(&bundle.path(FILE), &bundle.read(FILE, LARGEST_JSON)?, SCHEMA, "verify the bundle again")
    }
}

/// Compares the tensors in a safetensors file with those of a bundle that have the same names,
/// `language.decode.0/logits`, on an engine; the last one that the bundle has where none is asked for.
///
/// # Errors
/// A bundle without golden vectors or without those of the engine; a file that is no safetensors file, or that has none
/// of the names.
pub fn compare(bundle: &Bundle, path: &Path, engine: Option<EngineKind>) -> Result<Compared> {
    let golden = Record::read(bundle)?;
    let made = golden.engines.iter().rev().find(|made| engine.is_none_or(|wanted| made.engine == wanted));
    let Some(made) = made else {
        let names: Vec<&str> = golden.engines.iter().map(|made| made.engine.name()).collect();
        let wanted = engine.map_or("", EngineKind::name);
        return Err(Error::input(bundle.path(FILE).display(), format!("has no vectors of `{wanted}`"))
            .help(format!("it has those of: {}", names.join(", "))));
    };
    let bytes = autoneural_base::text::read_at_most(path, LARGEST)?;
    let read = |path: &Path, bytes| {
        let path = path.display().to_string();
        SafeTensors::deserialize(bytes).map_err(|error| {
            Error::input(path, format!("is no safetensors file: {error}"))
                .help("a host's tensors are wanted in the safetensors format, named as `language.decode.0/logits`")
        })
    };
    let given = read(path, &bytes)?;
    let kept = bundle.read(TENSORS, LARGEST)?;
    let kept = read(&bundle.path(TENSORS), &kept)?;
    let pictures =
        golden.pictures.iter().enumerate().map(|(at, picture)| (format!("picture.{at}"), &picture.pixels, true));
    let ports = made.steps.iter().flat_map(|step| {
        let (inputs, outputs) =
            (step.inputs.iter().map(|one| (one, true)), step.outputs.iter().map(|one| (one, false)));
        inputs.chain(outputs).map(|(tensor, is_input)| (step.name.clone(), tensor, is_input))
    });
    let mut found = Compared { engine: made.engine, equal: 0, different: vec![], missing: 0, unknown: vec![] };
    let mut left: std::collections::BTreeSet<&str> = given.names().into_iter().collect();
    for (step, tensor, is_input) in pictures.chain(ports) {
        let name = format!("{step}/{}", tensor.name);
        let Ok(own) = given.tensor(&name) else {
            found.missing += 1;
            continue;
        };
        left.remove(name.as_str());
        match difference(tensor, &own, &kept) {
            None => found.equal += 1,
            Some(how) => found.different.push(Different { name, how, is_input }),
        }
    }
    if let Ok(own) = given.tensor(ANSWER) {
        left.remove(ANSWER);
        match tokens_of(&own) {
            Some(tokens) if tokens == made.answer => found.equal += 1,
            tokens => {
                let own = tokens.map_or("no list of int32 or uint32".to_string(), |tokens| format!("{tokens:?}"));
                let how = format!("is {own}, not {:?}", made.answer);
                found.different.push(Different { name: ANSWER.into(), how, is_input: false });
            }
        }
    }
    found.unknown = left.into_iter().map(String::from).collect();
    if found.equal + found.different.len() == 0 {
        let first = made.steps.first().and_then(|step| Some(format!("{}/{}", step.name, step.inputs.first()?.name)));
        let message = "has no tensor with the name of a golden one";
        return Err(Error::input(path.display(), message)
            .help(format!("names are those of steps and ports, such as `{}`", first.unwrap_or_default())));
    }
    Ok(found)
}

fn tokens_of(tensor: &TensorView) -> Option<Vec<u32>> {
    let is_list = matches!(tensor.dtype(), Dtype::I32 | Dtype::U32) && tensor.shape().len() == 1;
    let chunks = tensor.data().chunks_exact(4);
    is_list.then(|| chunks.map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
}

/// How a tensor differs from the golden one; none where it does not.
fn difference(golden: &TensorRecord, own: &TensorView, kept: &SafeTensors) -> Option<String> {
    let (dtype, size) = match own.dtype() {
        Dtype::U8 => ("uint8", 1),
        Dtype::U16 => ("uint16", 2),
        Dtype::I32 => ("int32", 4),
        other => return Some(format!("is {other:?}, not {}", golden.dtype)),
    };
    if dtype != golden.dtype || own.shape() != golden.shape {
        return Some(format!("is {dtype} {:?}, not {} {:?}", own.shape(), golden.dtype, golden.shape));
    }
    if hash_bytes(own.data()) == golden.sha256 {
        return None;
    }
    let stored = golden.stored.as_ref().and_then(|name| kept.tensor(name).ok());
    let stored = stored.filter(|kept| kept.data().len() == own.data().len() && kept.dtype() == own.dtype());
    let own_codes = own.data().chunks_exact(size).map(number);
    let told = match (&stored, golden.all) {
        (Some(kept), _) => told(own_codes.zip(kept.data().chunks_exact(size).map(number)), own.shape()),
        (None, Some(all)) => told(own_codes.zip(std::iter::repeat(all)), own.shape()),
        (None, None) => None,
    };
    Some(told.unwrap_or_else(|| "differs; the bundle has only its hash".into()))
}

/// An integer, low byte first.
fn number(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => i64::from(a),
        [a, b] => i64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => 0,
    }
}

/// Where elements differ, and by how much.
fn told(pairs: impl Iterator<Item = (i64, i64)>, shape: &[usize]) -> Option<String> {
    let (mut count, mut most, mut first) = (0usize, 0u64, None);
    for (at, (own, golden)) in pairs.enumerate() {
        if own != golden {
            count += 1;
            most = most.max(own.abs_diff(golden));
            first.get_or_insert((at, own, golden));
        }
    }
    let (at, own, golden) = first?;
    let (elements, index) = (shape.iter().product::<usize>(), indices(at, shape));
    Some(format!("{count} of {elements} elements differ, by up to {most}; first at {index:?}: {own}, not {golden}"))
}

/// The place of an element along each axis.
fn indices(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut made: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let index = at % size.max(1);
            at /= size.max(1);
            index
        })
        .collect();
    made.reverse();
    made
}
