//! Biases that an NPU is given higher than they are meant, because it cuts off what it adds
//! (`autoneural_core::quantize::CutOff`). A model holds them as they are meant, with a note by how much to raise them.

use crate::tensor_proto::DataType;
use crate::{ModelProto, StringStringEntryProto, TensorProto};

/// The key of the integers that an NPU cuts off.
const KEY: &str = "autoneural.cut_off";

/// Notes beside a bias of int32 how many integers an NPU cuts off of it.
pub fn note_cut_off(tensor: &mut TensorProto, integers: u32) {
    tensor.metadata_props.push(StringStringEntryProto { key: KEY.into(), value: integers.to_string() });
}

/// How many integers an NPU cuts off of a tensor; 0 without a note, and of what is no bias of int32.
fn cut_off(tensor: &TensorProto) -> i32 {
    if tensor.data_type != DataType::Int32 as i32 {
        return 0;
    }
    let note = tensor.metadata_props.iter().find(|entry| entry.key == KEY);
    note.and_then(|entry| entry.value.parse().ok()).unwrap_or(0)
}

/// Raises all biases by what an NPU cuts off of them. Gives whether there are any.
pub fn raise(model: &mut ModelProto) -> bool {
    let initializers = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
    let mut is_raised = false;
    for tensor in initializers {
        let by = cut_off(tensor);
        if by == 0 {
            continue;
        }
        let (words, _) = tensor.raw_data.as_chunks_mut::<4>();
        words.iter_mut().for_each(|word| *word = i32::from_le_bytes(*word).saturating_add(by).to_le_bytes());
        is_raised = true;
    }
    is_raised
}
