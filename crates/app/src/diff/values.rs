//! What the float model makes of a sample: every value that has a counterpart.

use std::collections::{HashMap, HashSet};

use super::net::Net;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::bytes;
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::Array;

/// Nodes that run as one model.
const PART: usize = 64;
/// Most bytes of values that are kept.
const MOST_KEPT: u64 = 6 << 30;

/// Runs a model part by part, and keeps the values with these names.
///
/// # Errors
/// The engine does not run it, or its values take more memory than is given to them.
pub(crate) fn values(
    net: &Net,
    runtime: &Runtime,
    inputs: HashMap<String, Array>,
    wanted: &HashSet<&str>,
) -> Result<HashMap<String, Array>> {
    let live: Vec<usize> = (0..net.nodes.len()).filter(|&at| net.is_live(at)).collect();
    let (mut known, mut kept, mut size) = (inputs.clone(), HashMap::new(), 0);
    kept.extend(inputs.into_iter().filter(|(name, _)| wanted.contains(name.as_str())));
    for (place, part) in live.chunks(PART).enumerate() {
        let later = &live[((place + 1) * PART).min(live.len())..];
        let later: HashSet<&String> = later.iter().flat_map(|&at| net.live_inputs(at)).collect();
        let made: Vec<&String> =
            part.iter().flat_map(|&at| &net.nodes[at].output).filter(|name| !name.is_empty()).collect();
        let mut read: Vec<String> = part.iter().flat_map(|&at| net.live_inputs(at)).cloned().collect();
        read.sort();
        read.dedup();
        read.retain(|name| !made.contains(&name));
        let given: Vec<(String, &Array)> =
            read.iter().filter_map(|name| Some((name.clone(), known.get(name)?))).collect();
        let is_needed = |name: &&&String| later.contains(**name) || wanted.contains(name.as_str());
        let outputs: Vec<String> = made.iter().filter(is_needed).map(|name| (*name).clone()).collect();
        if outputs.is_empty() {
            known.retain(|name, _| later.contains(name));
            continue;
        }
        let nodes = part.iter().map(|&at| net.nodes[at].clone()).collect();
        let model = net.model(nodes, vec![], &given, &outputs)?;
        let name = net.path.display().to_string();
        let arrays = runtime.run_model(&name, (&model, Place::Cpu), &given, &outputs)?;
        known.retain(|name, _| later.contains(name));
        for (name, array) in outputs.into_iter().zip(arrays) {
            if wanted.contains(name.as_str()) {
                size += array.bytes();
                kept.insert(name.clone(), array.clone());
            }
            if later.contains(&name) {
                known.insert(name, array);
            }
        }
        if size > MOST_KEPT {
            let message = format!("its values take more than {}", bytes(MOST_KEPT));
            return Err(Error::input(net.path.display(), message).help("give a smaller sample"));
        }
    }
    Ok(kept)
}
