//! Language models: gated short convolutions and grouped-query attention (LFM2, in the names of transformers), or
//! attention alone (Llama and its kin, in the names of transformers; InternLM2, in its own).
//!
//! Prefill and decode are the same layers with another number of tokens. The state of a sequence goes in and out: keys
//! (stored transposed) and values of the attention layers, the last columns of `B * x` of the convolution layers.

use super::language_names::Names;
use super::{Language, LanguageFamily, LayerKind, Weights};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, ValueId, ops};

/// Tensor whose presence shows the prefix.
pub(crate) fn first_tensor(family: LanguageFamily) -> &'static str {
    family.names().embeddings
}

/// Added to the scores that a token must not see; far below any score, well inside what 16 bits resolve.
pub const MASKED: f32 = -256.0;

/// Name of the head in the graphs.
pub(crate) const HEAD: &str = "lm_head.weight";

/// Name of the graph that takes in a prompt by chunks.
pub const PREFILL: &str = "language.prefill";
/// Name of the graph that takes in one token.
pub const DECODE: &str = "language.decode";

/// Which of the two language graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A fixed number of tokens at once; only the first `last + 1` of them count.
    Prefill,
    /// One token.
    Decode,
}

/// The embedding table `[vocabulary, hidden]`.
///
/// # Errors
/// The tensor is missing or has another shape.
pub(crate) fn embeddings(definition: &Language, weights: &Weights) -> Result<Constant> {
    weights.get(first_tensor(definition.family), &[definition.vocabulary, definition.hidden])
}

/// The head `[vocabulary, hidden]`: the embedding table where they are tied.
///
/// # Errors
/// There is no head and embeddings are not tied, or there is one and it is not what the definition says.
pub(crate) fn head(definition: &Language, weights: &Weights, names: &[String]) -> Result<Constant> {
    let shape = [definition.vocabulary, definition.hidden];
    let found = weights.get_first(names, &shape)?;
    match (found, definition.tied_embeddings) {
        (Some((_, head)), false) => Ok(head),
        (None, false) => Err(weights.missing(names)),
        (None, true) => embeddings(definition, weights),
        (Some((name, head)), true) => {
            let table = embeddings(definition, weights)?;
            if head.to_f32() != table.to_f32() {
                return Err(Error::input(
                    format!("`{name}`"),
                    "is not equal to the embeddings, which the definition ties it to",
                )
                .help("set tied_embeddings = false under [language] in the model definition"));
            }
            Ok(table)
        }
    }
}

/// Builds one of the two graphs. With `S` tokens, context `C`, head size `D`:
///
/// inputs `embeds [1,S,hidden]`, `cos` and `sin [1,1,S,D]`, `mask [1,1,S,C]` (0 or [`MASKED`]; the last `S` columns are
/// the new tokens), per attention layer `layers.i.k_cache [1,G,D,C-S]` and `layers.i.v_cache [1,G,C-S,D]`, per
/// convolution layer `layers.i.conv_state [1,hidden,1,kernel-1]`; in prefill also `last [1]` (index of the last token
/// that counts) and, where there are convolution layers, `state_columns [kernel-1]` (the columns of state and new
/// tokens that are the next state: `last+1 ..`).
///
/// outputs `logits [1,1,vocabulary]` of the last token that counts, `layers.i.k_new [1,G,D,S]`,
/// `layers.i.v_new [1,G,S,D]`, `layers.i.conv_state_new`.
///
/// # Errors
/// A tensor is missing or has another shape than the definition states, or sizes do not fit each other.
pub(crate) fn build(definition: &Language, weights: &Weights, head: &Constant, phase: Phase) -> Result<Graph> {
    let (name, tokens) = match phase {
        Phase::Prefill => (PREFILL, definition.prefill),
        Phase::Decode => (DECODE, 1),
    };
    let l = definition;
    let mut b = Builder::new(name);
    let mut x = b.input("embeds", vec![1, tokens, l.hidden], ElementType::F32)?;
    let table = vec![1, 1, tokens, l.head_dim];
    let cos = b.input("cos", table.clone(), ElementType::F32)?;
    let sin = b.input("sin", table, ElementType::F32)?;
    let mask = b.input("mask", vec![1, 1, tokens, l.context], ElementType::F32)?;
    let (mut last, mut columns) = (None, None);
    if phase == Phase::Prefill {
        last = Some(b.input("last", vec![1], ElementType::I32)?);
        if l.layers.contains(&LayerKind::Conv) {
            columns = Some(b.input("state_columns", vec![l.conv_kernel - 1], ElementType::I32)?);
        }
    }
    let names = l.family.names();
    let mut layers = Layers { b, l, names, weights, tokens, cos, sin, mask, columns, states: vec![] };
    for (index, kind) in l.layers.iter().enumerate() {
        let path = format!("layers.{index}");
        let h = layers.norm(&format!("{path}.{}", names.mixer_norm), x, l.hidden)?;
        let h = match kind {
            LayerKind::Conv => layers.conv(&path, h)?,
            LayerKind::Attention => layers.attention(&path, h)?,
        };
        x = layers.b.node(format!("{path}.mixed"), ops::Add, &[x, h])?;
        let h = layers.norm(&format!("{path}.{}", names.feed_forward_norm), x, l.hidden)?;
        let h = layers.feed_forward(&format!("{path}.{}", names.feed_forward), h)?;
        x = layers.b.node(format!("{path}.out"), ops::Add, &[x, h])?;
    }
    if let Some(last) = last {
        x = layers.b.node("last_token", ops::Gather { axis: 1 }, &[x, last])?;
    }
    let h = layers.norm(names.final_norm, x, l.hidden)?;
    let head = layers.b.constant(HEAD, head.permuted(&[1, 0]))?;
    let logits = layers.b.node("logits", ops::MatMul, &[h, head])?;
    let mut outputs = vec![logits];
    outputs.append(&mut layers.states);
    Ok(layers.b.finish(outputs))
}

struct Layers<'a> {
    b: Builder,
    l: &'a Language,
    names: &'static Names,
    weights: &'a Weights<'a>,
    tokens: usize,
    cos: ValueId,
    sin: ValueId,
    mask: ValueId,
    columns: Option<ValueId>,
    states: Vec<ValueId>,
}

impl Layers<'_> {
    fn norm(&mut self, name: &str, x: ValueId, size: usize) -> Result<ValueId> {
        let tensor = format!("{name}.weight");
        let gamma = self.b.constant(tensor.clone(), self.weights.get(&tensor, &[size])?)?;
        let axis = self.b.shape(x).len() - 1;
        self.b.node(name, ops::RmsNorm { axis, epsilon: self.l.norm_eps }, &[x, gamma])
    }

    fn linear(&mut self, name: &str, x: ValueId, output: usize) -> Result<ValueId> {
        let tensor = format!("{name}.weight");
        let weight = self.weights.linear(&tensor, self.b.shape(x)[2], output)?;
        self.product(name, x, weight)
    }

    fn product(&mut self, name: &str, x: ValueId, weight: Constant) -> Result<ValueId> {
        let weight = self.b.constant(format!("{name}.weight"), weight)?;
        self.b.node(name, ops::MatMul, &[x, weight])
    }

    /// Queries, keys or values, with their bias where the model has one.
    fn projection(&mut self, name: &str, x: ValueId, weight: Constant) -> Result<ValueId> {
        if !self.l.qkv_bias {
            return self.product(name, x, weight);
        }
        let (size, tensor) = (weight.shape()[1], format!("{name}.bias"));
        let bias = self.b.constant(tensor.clone(), self.weights.get(&tensor, &[size])?)?;
        let weight = self.b.constant(format!("{name}.weight"), weight)?;
        let product = self.b.node(format!("{name}.product"), ops::MatMul, &[x, weight])?;
        self.b.node(name, ops::Add, &[product, bias])
    }

    /// Weights of the queries, keys or values as `[in, out]`.
    fn head_weights(&self, path: &str, part: &str, count: usize) -> Result<Constant> {
        let (hidden, size) = (self.l.hidden, self.l.head_dim);
        if !self.names.joined {
            return self.weights.linear(&format!("{path}.{part}_proj.weight"), hidden, count * size);
        }
        let (groups, queries) = (self.l.kv_heads, self.l.heads / self.l.kv_heads);
        let rows = groups * (queries + 2) * size;
        let joined = self.weights.get(&format!("{path}.wqkv.weight"), &[rows, hidden])?;
        let by_group = joined.reshaped(vec![groups, queries + 2, size, hidden]);
        let (start, end) = match part {
            "q" => (0, queries),
            "k" => (queries, queries + 1),
            _ => (queries + 1, queries + 2),
        };
        Ok(by_group.sliced(1, start, end).permuted(&[3, 0, 1, 2]).reshaped(vec![hidden, count * size]))
    }

    fn reshape(&mut self, name: String, x: ValueId, shape: Vec<usize>) -> Result<ValueId> {
        self.b.node(name, ops::Reshape { shape }, &[x])
    }

    fn transpose(&mut self, name: String, x: ValueId, perm: [usize; 4]) -> Result<ValueId> {
        self.b.node(name, ops::Transpose { perm: perm.to_vec() }, &[x])
    }

    /// `out_proj(C * causal_depthwise_conv(B * x))` with `B, C, x = split(in_proj(h))`.
    fn conv(&mut self, layer: &str, h: ValueId) -> Result<ValueId> {
        let (hidden, tokens, kernel) = (self.l.hidden, self.tokens, self.l.conv_kernel);
        let path = format!("{layer}.conv");
        let joined = self.linear(&format!("{path}.in_proj"), h, 3 * hidden)?;
        let parts = self.b.node_outputs(format!("{path}.bcx"), ops::Split { axis: 2, parts: 3 }, &[joined])?;
        let bx = self.b.node(format!("{path}.bx"), ops::Mul, &[parts[0], parts[2]])?;
        let bx = self.reshape(format!("{path}.bx.columns"), bx, vec![1, tokens, 1, hidden])?;
        let bx = self.transpose(format!("{path}.bx.channels"), bx, [0, 3, 2, 1])?;
        let state = self.b.input(format!("{layer}.conv_state"), vec![1, hidden, 1, kernel - 1], ElementType::F32)?;
        let window = self.b.node(format!("{path}.window"), ops::Concat { axis: 3 }, &[state, bx])?;
        let next = format!("{layer}.conv_state_new");
        let next = match self.columns {
            Some(columns) => self.b.node(next, ops::Gather { axis: 3 }, &[window, columns])?,
            None => self.b.node(next, ops::Slice { axis: 3, start: tokens, end: tokens + kernel - 1 }, &[window])?,
        };
        self.states.push(next);
        let tensor = format!("{path}.conv.weight");
        let taps = self.weights.get(&tensor, &[hidden, 1, kernel])?.reshaped(vec![hidden, 1, 1, kernel]);
        let taps = self.b.constant(tensor, taps)?;
        let op = ops::Conv { strides: [1, 1], pads: [0; 4], groups: hidden, dilations: [1, 1] };
        let y = self.b.node(format!("{path}.conv"), op, &[window, taps])?;
        let y = self.transpose(format!("{path}.conv.columns"), y, [0, 3, 2, 1])?;
        let y = self.reshape(format!("{path}.conv.tokens"), y, vec![1, tokens, hidden])?;
        let y = self.b.node(format!("{path}.gated"), ops::Mul, &[parts[1], y])?;
        self.linear(&format!("{path}.out_proj"), y, hidden)
    }

    fn attention(&mut self, layer: &str, h: ValueId) -> Result<ValueId> {
        let (l, tokens) = (self.l, self.tokens);
        let path = format!("{layer}.{}", self.names.attention);
        let mut heads = |part: &str, count: usize, rotate: bool| -> Result<ValueId> {
            let weight = self.head_weights(&path, part, count)?;
            let proj = self.projection(&format!("{path}.{part}_proj"), h, weight)?;
            let mut x = self.reshape(format!("{path}.{part}.heads"), proj, vec![1, tokens, count, l.head_dim])?;
            if rotate && (self.names.normalizes_heads || l.qk_norm) {
                x = self.norm(&format!("{path}.{part}_{}", self.names.head_norm), x, l.head_dim)?;
            }
            let x = self.transpose(format!("{path}.{part}"), x, [0, 2, 1, 3])?;
            if rotate { self.b.node(format!("{path}.{part}.rope"), ops::Rope, &[x, self.cos, self.sin]) } else { Ok(x) }
        };
        let q = heads("q", l.heads, true)?;
        let k = heads("k", l.kv_heads, true)?;
        let v = heads("v", l.kv_heads, false)?;
        let k = self.transpose(format!("{path}.k.transposed"), k, [0, 1, 3, 2])?;
        let past = l.context - tokens;
        let k_cache =
            self.b.input(format!("{layer}.k_cache"), vec![1, l.kv_heads, l.head_dim, past], ElementType::F32)?;
        let v_cache =
            self.b.input(format!("{layer}.v_cache"), vec![1, l.kv_heads, past, l.head_dim], ElementType::F32)?;
        let k_new = self.b.node(format!("{layer}.k_new"), ops::Requantize, &[k])?;
        let v_new = self.b.node(format!("{layer}.v_new"), ops::Requantize, &[v])?;
        self.states.extend([k_new, v_new]);
        let k = self.b.node(format!("{path}.k.all"), ops::Concat { axis: 3 }, &[k_cache, k_new])?;
        let v = self.b.node(format!("{path}.v.all"), ops::Concat { axis: 2 }, &[v_cache, v_new])?;
        let scale = (l.head_dim as f32).powf(-0.5);
        let y = self.b.node(format!("{path}.attention"), ops::Attention { scale }, &[q, k, v, self.mask])?;
        let y = self.transpose(format!("{path}.merge"), y, [0, 2, 1, 3])?;
        let y = self.reshape(format!("{path}.merged"), y, vec![1, tokens, l.heads * l.head_dim])?;
        self.linear(&format!("{path}.{}", self.names.attention_output), y, l.hidden)
    }

    /// `down(silu(gate x) * up x)`.
    fn feed_forward(&mut self, path: &str, h: ValueId) -> Result<ValueId> {
        let [gate, up, down] = self.names.gate_up_down.map(|name| format!("{path}.{name}"));
        let gate = self.linear(&gate, h, self.l.feed_forward)?;
        let gate = self.b.node(format!("{path}.silu"), ops::Silu, &[gate])?;
        let up = self.linear(&up, h, self.l.feed_forward)?;
        let gated = self.b.node(format!("{path}.gated"), ops::Mul, &[gate, up])?;
        self.linear(&down, gated, self.l.hidden)
    }
}
