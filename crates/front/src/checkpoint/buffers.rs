//! Tensors that are saved with a model and hold nothing that it learned: tables that are computed anew, counters of
//! training, and scales of activations, which float models do not have.

/// Ends of names that say so, whatever the tensor holds.
const ENDS: [&str; 18] = [
    "inv_freq",
    "rotary_emb.cos_cached",
    "rotary_emb.sin_cached",
    "rotary_emb.freqs_cis",
    "position_ids",
    "token_type_ids",
    "num_batches_tracked",
    "relative_position_index",
    "relative_coords_table",
    "masked_bias",
    "causal_mask",
    "attn_mask",
    "rng_state",
    "input_scale",
    "activation_scale",
    "output_scale",
    "k_scale",
    "v_scale",
];
/// Ends of the names of causal masks, which have four axes; a bias of attention has one.
const MASKS: [&str; 2] = ["attn.bias", "attention.bias"];

/// Whether a tensor of this name and shape is such a buffer.
pub(crate) fn is_buffer(name: &str, shape: &[usize]) -> bool {
    // A whole part of the name, or its end behind an underscore, as in `original_inv_freq`.
    let is_end = |end: &&&str| {
        name.strip_suffix(**end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.') || rest.ends_with('_'))
    };
    let is_mask = |shape: &[usize]| matches!(shape, &[1, 1, rows, columns] if rows == columns);
    ENDS.iter().any(|end| is_end(&end)) || is_mask(shape) && MASKS.iter().any(|end| is_end(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_known_by_name_and_biases_are_none() {
        for name in [
            "model.rotary_emb.inv_freq",
            "model.layers.1.self_attn.rotary_emb.original_inv_freq",
            "vision_model.embeddings.position_ids",
            "bn1.num_batches_tracked",
            "h.0.attn.masked_bias",
        ] {
            assert!(is_buffer(name, &[1]), "{name}");
        }
        assert!(is_buffer("h.0.attn.bias", &[1, 1, 64, 64]));
        for name in ["h.0.attn.bias", "embeddings.position_embedding", "x.weight_scale", "linear_1.bias", "minv_freq"] {
            assert!(!is_buffer(name, &[64]), "{name}");
        }
    }
}
