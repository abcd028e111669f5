//! Biases that are written higher than they are meant, because the NPU cuts off what it adds
//! (`autoneural_core::quantize::Raised`). Whoever computes the model without cutting anything off reads them lower, by
//! what stands beside the tensor.

use crate::{ModelProto, StringStringEntryProto, TensorProto};

/// The key of the integers by which a bias is written higher than it is meant.
const KEY: &str = "autoneural.raised_by";

/// Notes beside a bias of int32 by how many integers it is written higher than it is meant.
pub fn note_raised(tensor: &mut TensorProto, by: u32) {
    tensor.metadata_props.push(StringStringEntryProto { key: KEY.into(), value: by.to_string() });
}

/// By how many integers a tensor is written higher than it is meant; 0 without a note.
pub fn raised_by(tensor: &TensorProto) -> i32 {
    let note = tensor.metadata_props.iter().find(|entry| entry.key == KEY);
    note.and_then(|entry| entry.value.parse().ok()).unwrap_or(0)
}

/// Lowers the biases of a model to what they are meant to be, and gives these.
pub fn lower_raised(model: &mut ModelProto) -> Vec<&TensorProto> {
    let initializers = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
    let lowered = initializers.filter(|tensor| raised_by(tensor) != 0).map(|tensor| {
        let by = raised_by(tensor);
        let (words, _) = tensor.raw_data.as_chunks_mut::<4>();
        words.iter_mut().for_each(|word| *word = i32::from_le_bytes(*word).saturating_sub(by).to_le_bytes());
        tensor.metadata_props.retain(|entry| entry.key != KEY);
        &*tensor
    });
    lowered.collect()
}
