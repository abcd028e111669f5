//! The InternViT vision encoder (Chen et al., arXiv 2312.14238) and the pixel shuffle behind it, in the tensor names of
//! InternVL2.

use super::{InternVit, Weights};
use autoneural_base::error::Result;
use autoneural_core::ir::{Builder, ElementType, Graph, ValueId, ops};

/// Tensor whose presence shows the prefix.
pub(crate) const FIRST_TENSOR: &str = "embeddings.class_embedding";

/// Builds the vision encoder: `image [1,3,S,S]` to `features [1,tokens,channels]`.
///
/// # Errors
/// A tensor is missing or has another shape than the definition states, or sizes do not fit each other.
pub(crate) fn build(definition: &InternVit, weights: &Weights) -> Result<Graph> {
    let mut encoder = Encoder { b: Builder::new("vision"), v: definition, weights };
    let side = definition.image_size;
    let image = encoder.b.input("image", vec![1, 3, side, side], ElementType::F32)?;
    let mut x = encoder.embeddings(image)?;
    for layer in 0..definition.layers {
        x = encoder.layer(&format!("encoder.layers.{layer}"), x)?;
    }
    let features = encoder.merge(x)?;
    Ok(encoder.b.finish(vec![features]))
}

struct Encoder<'a> {
    b: Builder,
    v: &'a InternVit,
    weights: &'a Weights<'a>,
}

impl Encoder<'_> {
    fn constant(&mut self, tensor: String, shape: &[usize]) -> Result<ValueId> {
        let constant = self.weights.get(&tensor, shape)?;
        self.b.constant(tensor, constant)
    }

    fn bias(&mut self, tensor: String, size: usize) -> Result<ValueId> {
        let constant = self.weights.bias(&tensor, size)?;
        self.b.constant(tensor, constant)
    }

    /// Patches as tokens behind the class token, with their positions added: `[1,patches+1,hidden]`.
    fn embeddings(&mut self, image: ValueId) -> Result<ValueId> {
        let (hidden, patch, count) = (self.v.hidden, self.v.patch_size, self.v.patches() * self.v.patches());
        let path = "embeddings.patch_embedding";
        let weight = self.constant(format!("{path}.weight"), &[hidden, 3, patch, patch])?;
        let bias = self.bias(format!("{path}.bias"), hidden)?;
        let op = ops::Conv { strides: [patch; 2], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let x = self.b.node(path, op, &[image, weight, bias])?;
        let x = self.b.node(format!("{path}.flat"), ops::Reshape { shape: vec![1, hidden, count] }, &[x])?;
        let x = self.b.node(format!("{path}.tokens"), ops::Transpose { perm: vec![0, 2, 1] }, &[x])?;
        let class = self.constant("embeddings.class_embedding".into(), &[1, 1, hidden])?;
        let x = self.b.node("embeddings.tokens", ops::Concat { axis: 1 }, &[class, x])?;
        let positions = self.constant("embeddings.position_embedding".into(), &[1, count + 1, hidden])?;
        self.b.node("embeddings", ops::Add, &[x, positions])
    }

    /// Pre-norm attention and feed-forward block, each with a learned factor per channel (LayerScale).
    fn layer(&mut self, path: &str, x: ValueId) -> Result<ValueId> {
        let h = self.norm(&format!("{path}.norm1"), x)?;
        let h = self.attention(&format!("{path}.attn"), h)?;
        let h = self.scaled(&format!("{path}.ls1"), h)?;
        let x = self.b.node(format!("{path}.mixed"), ops::Add, &[x, h])?;
        let h = self.norm(&format!("{path}.norm2"), x)?;
        let h = self.linear(&format!("{path}.mlp.fc1"), h, self.v.feed_forward)?;
        let h = self.b.node(format!("{path}.mlp.act"), ops::Gelu { kind: self.v.activation.kind() }, &[h])?;
        let h = self.linear(&format!("{path}.mlp.fc2"), h, self.v.hidden)?;
        let h = self.scaled(&format!("{path}.ls2"), h)?;
        self.b.node(format!("{path}.out"), ops::Add, &[x, h])
    }

    fn norm(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let gamma = self.constant(format!("{name}.weight"), &[self.v.hidden])?;
        let bias = self.constant(format!("{name}.bias"), &[self.v.hidden])?;
        self.b.node(name, ops::LayerNorm { epsilon: self.v.norm_eps }, &[x, gamma, bias])
    }

    fn linear(&mut self, name: &str, x: ValueId, output: usize) -> Result<ValueId> {
        let input = self.b.shape(x)[2];
        let weight = self.weights.linear(&format!("{name}.weight"), input, output)?;
        let weight = self.b.constant(format!("{name}.weight"), weight)?;
        let bias = self.bias(format!("{name}.bias"), output)?;
        let product = self.b.node(format!("{name}.product"), ops::MatMul, &[x, weight])?;
        self.b.node(name, ops::Add, &[product, bias])
    }

    fn scaled(&mut self, tensor: &str, x: ValueId) -> Result<ValueId> {
        let factors = self.constant(tensor.into(), &[self.v.hidden])?;
        self.b.node(format!("{tensor}.scaled"), ops::Mul, &[x, factors])
    }

    fn attention(&mut self, path: &str, h: ValueId) -> Result<ValueId> {
        let (hidden, heads) = (self.v.hidden, self.v.heads);
        let (tokens, size) = (self.b.shape(h)[1], hidden / heads);
        let weight = self.weights.get(&format!("{path}.qkv.weight"), &[3 * hidden, hidden])?;
        let bias = self.weights.bias(&format!("{path}.qkv.bias"), 3 * hidden)?;
        let mut parts = Vec::with_capacity(3);
        for (index, part) in ["q", "k", "v"].into_iter().enumerate() {
            let (start, end) = (index * hidden, (index + 1) * hidden);
            let rows = weight.sliced(0, start, end).permuted(&[1, 0]);
            let rows = self.b.constant(format!("{path}.{part}.weight"), rows)?;
            let offsets = self.b.constant(format!("{path}.{part}.bias"), bias.sliced(0, start, end))?;
            let product = self.b.node(format!("{path}.{part}.product"), ops::MatMul, &[h, rows])?;
            let x = self.b.node(format!("{path}.{part}.all"), ops::Add, &[product, offsets])?;
            let shape = vec![1, tokens, heads, size];
            let x = self.b.node(format!("{path}.{part}.heads"), ops::Reshape { shape }, &[x])?;
            // Keys are stored transposed, which is what the scores are multiplied with.
            let perm = if part == "k" { vec![0, 2, 3, 1] } else { vec![0, 2, 1, 3] };
            parts.push(self.b.node(format!("{path}.{part}"), ops::Transpose { perm }, &[x])?);
        }
        let scale = (size as f32).powf(-0.5);
        let y = self.b.node(format!("{path}.attention"), ops::Attention { scale }, &parts)?;
        let y = self.b.node(format!("{path}.merge"), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[y])?;
        let y = self.b.node(format!("{path}.merged"), ops::Reshape { shape: vec![1, tokens, hidden] }, &[y])?;
        self.linear(&format!("{path}.proj"), y, hidden)
    }

    /// Drops the class token and joins the channels of `merge x merge` neighbouring patches (InternVL's pixel shuffle,
    /// in its second version): row within the block first, then column, then channel.
    fn merge(&mut self, x: ValueId) -> Result<ValueId> {
        let (side, merge, hidden) = (self.v.patches(), self.v.merge, self.v.hidden);
        let blocks = side / merge;
        let op = ops::Slice { axis: 1, start: 1, end: side * side + 1 };
        let x = self.b.node("patches", op, &[x])?;
        let shape = vec![blocks, merge, blocks, merge * hidden];
        let x = self.b.node("patches.rows", ops::Reshape { shape }, &[x])?;
        let x = self.b.node("patches.blocks", ops::Transpose { perm: vec![0, 2, 1, 3] }, &[x])?;
        let shape = vec![1, blocks * blocks, merge * merge * hidden];
        self.b.node("features", ops::Reshape { shape }, &[x])
    }
}
