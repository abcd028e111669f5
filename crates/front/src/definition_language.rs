//! The language model's part of a definition.

use serde::Deserialize;

/// What a language layer mixes tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Gated short convolution.
    Conv,
    /// Grouped-query attention.
    Attention,
}

/// A language model of one of the families.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Which tensors it has, under which names.
    pub family: LanguageFamily,
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward blocks (after any adjustment a checkpoint's configuration makes).
    pub feed_forward: usize,
    /// The layers, first to last.
    pub layers: Vec<LayerKind>,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Size of a head.
    pub head_dim: usize,
    /// Taps of the short convolution; 0 where there is none.
    #[serde(default)]
    pub conv_kernel: usize,
    /// Whether queries and keys are normalized per head before they are rotated; for the family `llama`, as the others
    /// settle it themselves.
    #[serde(default)]
    pub qk_norm: bool,
    /// Whether queries, keys and values have biases; for the family `llama`.
    #[serde(default)]
    pub qkv_bias: bool,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Epsilon of all normalizations.
    pub norm_eps: f32,
    /// Whether the head is the embedding table; otherwise `lm_head.weight` is read.
    pub tied_embeddings: bool,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Tokens of one prefill step.
    pub prefill: usize,
    /// Special tokens.
    pub tokens: Tokens,
}

/// Families of language models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum LanguageFamily {
    /// LFM2: gated short convolutions and attention with normalized queries and keys.
    #[serde(rename = "lfm2")]
    Lfm2,
    /// InternLM2 (Cai et al., arXiv 2403.17297): attention whose queries, keys and values are one tensor.
    #[serde(rename = "internlm2")]
    InternLm2,
    /// Llama (Touvron et al., arXiv 2302.13971) with grouped keys and values, and its kin under the same names: Mistral,
    /// Qwen2 (`qkv_bias`), Qwen3 (`qk_norm`), SmolLM2.
    #[serde(rename = "llama")]
    Llama,
}

/// Special tokens by number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Begins a sequence; none where the model was trained without.
    pub bos: Option<u32>,
    /// Ends a sequence.
    pub eos: u32,
    /// Stands for one visual token, where there is a vision encoder.
    pub image: Option<u32>,
    /// Tokens that end a sequence beside `eos`, as the checkpoint's files say.
    #[serde(skip)]
    pub ends: Vec<u32>,
}

impl Tokens {
    /// Whether a token that the model chose ends its text. The image token does too: it has no text row of its own.
    pub fn stops(&self, token: u32) -> bool {
        token == self.eos || Some(token) == self.image || self.ends.contains(&token)
    }
}
