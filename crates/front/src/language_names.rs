//! What families of language models call their tensors, and what they have.

use super::LanguageFamily;

/// What a family calls its parts, and what it has.
pub(crate) struct Names {
    /// The embedding table.
    pub embeddings: &'static str,
    /// The normalization before attention or convolution.
    pub mixer_norm: &'static str,
    /// Attention.
    pub attention: &'static str,
    /// What stands behind `q` and `k` in the names of their normalizations.
    pub head_norm: &'static str,
    /// The output of attention.
    pub attention_output: &'static str,
    /// The normalization before the feed-forward block.
    pub feed_forward_norm: &'static str,
    /// The feed-forward block.
    pub feed_forward: &'static str,
    /// Its gate, the factor beside the gate, and its output.
    pub gate_up_down: [&'static str; 3],
    /// The normalization before the head.
    pub final_norm: &'static str,
    /// Whether queries, keys and values are one tensor: for each group its query heads, then one key, then one value.
    pub joined: bool,
    /// Whether queries and keys are always normalized per head.
    pub normalizes_heads: bool,
}

const LFM2: Names = Names {
    embeddings: "embed_tokens.weight",
    mixer_norm: "operator_norm",
    attention: "self_attn",
    head_norm: "layernorm",
    attention_output: "out_proj",
    feed_forward_norm: "ffn_norm",
    feed_forward: "feed_forward",
    gate_up_down: ["w1", "w3", "w2"],
    final_norm: "embedding_norm",
    joined: false,
    normalizes_heads: true,
};

const INTERNLM2: Names = Names {
    embeddings: "tok_embeddings.weight",
    mixer_norm: "attention_norm",
    attention: "attention",
    head_norm: "norm",
    attention_output: "wo",
    feed_forward_norm: "ffn_norm",
    feed_forward: "feed_forward",
    gate_up_down: ["w1", "w3", "w2"],
    final_norm: "norm",
    joined: true,
    normalizes_heads: false,
};

const LLAMA: Names = Names {
    embeddings: "embed_tokens.weight",
    mixer_norm: "input_layernorm",
    attention: "self_attn",
    head_norm: "norm",
    attention_output: "o_proj",
    feed_forward_norm: "post_attention_layernorm",
    feed_forward: "mlp",
    gate_up_down: ["gate_proj", "up_proj", "down_proj"],
    final_norm: "norm",
    joined: false,
    normalizes_heads: false,
};

impl LanguageFamily {
    /// The names of the family.
    pub(crate) fn names(self) -> &'static Names {
        match self {
            LanguageFamily::Lfm2 => &LFM2,
            LanguageFamily::InternLm2 => &INTERNLM2,
            LanguageFamily::Llama => &LLAMA,
        }
    }
}
