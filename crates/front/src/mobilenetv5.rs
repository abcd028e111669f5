//! The MobileNetV5 vision encoder (as in Gemma 3n; blocks of Qin et al., MobileNetV4, arXiv 2404.10518), in the tensor
//! names of timm.

use super::blocks::Block;
use super::{MobileNetV5, Weights};
use autoneural_base::error::Result;
use autoneural_core::ir::{Builder, ElementType, Graph, Interpolation, Op, ValueId, ops};

/// Tensor whose presence shows the prefix.
pub(crate) const FIRST_TENSOR: &str = "conv_stem.conv.weight";

/// Builds the vision encoder: `image [1,3,S,S]` to `features [1,tokens,channels]`.
///
/// # Errors
/// A tensor is missing or has another shape than the definition states, or sizes do not fit each other.
pub(crate) fn build(definition: &MobileNetV5, weights: &Weights) -> Result<Graph> {
    let mut encoder = Encoder { b: Builder::new("vision"), definition, weights };
    let side = definition.image_size;
    let image = encoder.b.input("image", vec![1, 3, side, side], ElementType::F32)?;
    let stem = Convolution { output: definition.stem_channels, kernel: 3, stride: 2, groups: 1, bias: true };
    let mut x = encoder.conv_norm("conv_stem", image, stem, true)?;
    let mut stages = Vec::new();
    for (index, blocks) in definition.blocks().iter().enumerate() {
        for (position, block) in blocks.iter().enumerate() {
            x = encoder.block(&format!("blocks.{index}.{position}"), x, block)?;
        }
        stages.push(x);
    }
    let fused: Vec<ValueId> = definition.fused_stages().into_iter().map(|stage| stages[stage]).collect();
    let features = encoder.msfa(&fused)?;
    Ok(encoder.b.finish(vec![features]))
}

/// Channels are rounded to a multiple of 8, never down by more than a tenth (timm's `make_divisible`).
fn make_divisible(value: f64) -> usize {
    let rounded = (((value + 4.0) as usize) / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * value { rounded + 8 } else { rounded }
}

#[derive(Clone, Copy)]
struct Convolution {
    output: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    bias: bool,
}

impl Convolution {
    fn pointwise(output: usize) -> Self {
        Convolution { output, kernel: 1, stride: 1, groups: 1, bias: false }
    }

    fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Convolution { output: channels, kernel, stride, groups: channels, bias: false }
    }
}

struct Encoder<'a> {
    b: Builder,
    definition: &'a MobileNetV5,
    weights: &'a Weights<'a>,
}

impl Encoder<'_> {
    fn channels(&self, x: ValueId) -> usize {
        self.b.shape(x)[1]
    }

    /// A convolution with "same" padding: the output has `ceil(size / stride)` pixels, the odd one is padded at the
    /// end.
    fn conv(&mut self, name: &str, x: ValueId, tensor: &str, conv: Convolution) -> Result<ValueId> {
        let [_, channels, height, width] = self.b.shape(x)[..] else { unreachable!("images have four axes") };
        let shape = [conv.output, channels / conv.groups, conv.kernel, conv.kernel];
        let weight = self.weights.get(&format!("{tensor}.weight"), &shape)?;
        let mut inputs = vec![x, self.b.constant(format!("{tensor}.weight"), weight)?];
        if conv.bias {
            let bias = self.weights.bias(&format!("{tensor}.bias"), conv.output)?;
            inputs.push(self.b.constant(format!("{tensor}.bias"), bias)?);
        }
        let padding = |size: usize| {
            let total = ((size.div_ceil(conv.stride) - 1) * conv.stride + conv.kernel).saturating_sub(size);
            (total / 2, total - total / 2)
        };
        let ((top, bottom), (left, right)) = (padding(height), padding(width));
        let pads = [top, left, bottom, right];
        let op = ops::Conv { strides: [conv.stride; 2], pads, groups: conv.groups, dilations: [1, 1] };
        self.b.node(name, op, &inputs)
    }

    fn norm(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let gamma = self.weights.get(&format!("{name}.weight"), &[self.channels(x)])?;
        let gamma = self.b.constant(format!("{name}.weight"), gamma)?;
        self.b.node(name, ops::RmsNorm { axis: 1, epsilon: self.definition.norm_eps }, &[x, gamma])
    }

    fn activation(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        self.b.node(name, ops::Gelu { kind: self.definition.activation.kind() }, &[x])
    }

    /// timm's `ConvNormAct`: tensors `name.conv` and `name.bn`.
    fn conv_norm(&mut self, name: &str, x: ValueId, conv: Convolution, activate: bool) -> Result<ValueId> {
        let conv_name = format!("{name}.conv");
        let x = self.conv(&conv_name, x, &conv_name, conv)?;
        let x = self.norm(&format!("{name}.bn"), x)?;
        if activate { self.activation(&format!("{name}.act"), x) } else { Ok(x) }
    }

    fn layer_scale(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let channels = self.channels(x);
        let tensor = format!("{name}.layer_scale.gamma");
        let gamma = self.weights.get(&tensor, &[channels])?.reshaped(vec![1, channels, 1, 1]);
        let gamma = self.b.constant(tensor, gamma)?;
        self.b.node(format!("{name}.layer_scale"), ops::Mul, &[x, gamma])
    }

    fn block(&mut self, name: &str, x: ValueId, block: &Block) -> Result<ValueId> {
        let input = self.channels(x);
        let (y, skip) = match *block {
            Block::EdgeResidual { kernel, stride, expansion, channels } => {
                let middle = make_divisible(input as f64 * expansion);
                let exp = Convolution { output: middle, kernel, stride, groups: 1, bias: false };
                let (conv_exp, conv_pwl) = (format!("{name}.conv_exp"), format!("{name}.conv_pwl"));
                let y = self.conv(&conv_exp, x, &conv_exp, exp)?;
                let y = self.norm(&format!("{name}.bn1"), y)?;
                let y = self.activation(&format!("{name}.act"), y)?;
                let y = self.conv(&conv_pwl, y, &conv_pwl, Convolution::pointwise(channels))?;
                (self.norm(&format!("{name}.bn2"), y)?, stride == 1 && channels == input)
            }
            Block::UniversalInvertedResidual { start_kernel, mid_kernel, stride, expansion, channels } => {
                let y = self.inverted(name, x, (start_kernel, mid_kernel), stride, expansion, channels)?;
                let y = if self.definition.layer_scale { self.layer_scale(name, y)? } else { y };
                (y, stride == 1 && channels == input)
            }
            Block::MultiQueryAttention { kernel, heads, head_dim, kv_stride, channels } => {
                let y = self.attention(name, x, kernel, heads, head_dim, kv_stride, channels)?;
                let y = if self.definition.layer_scale { self.layer_scale(name, y)? } else { y };
                (y, channels == input)
            }
        };
        if skip { self.b.node(format!("{name}.skip"), ops::Add, &[x, y]) } else { Ok(y) }
    }

    fn inverted(
        &mut self,
        name: &str,
        x: ValueId,
        (start_kernel, mid_kernel): (usize, usize),
        stride: usize,
        expansion: f64,
        channels: usize,
    ) -> Result<ValueId> {
        let input = self.channels(x);
        let mut y = x;
        if start_kernel > 0 {
            let step = if mid_kernel == 0 { stride } else { 1 };
            let conv = Convolution::depthwise(input, start_kernel, step);
            y = self.conv_norm(&format!("{name}.dw_start"), y, conv, false)?;
        }
        let middle = make_divisible(input as f64 * expansion);
        y = self.conv_norm(&format!("{name}.pw_exp"), y, Convolution::pointwise(middle), true)?;
        if mid_kernel > 0 {
            let conv = Convolution::depthwise(middle, mid_kernel, stride);
            y = self.conv_norm(&format!("{name}.dw_mid"), y, conv, true)?;
        }
        self.conv_norm(&format!("{name}.pw_proj"), y, Convolution::pointwise(channels), false)
    }

    #[expect(clippy::too_many_arguments, reason = "the attributes of one block, passed once")]
    fn attention(
        &mut self,
        name: &str,
        x: ValueId,
        kernel: usize,
        heads: usize,
        head_dim: usize,
        kv_stride: usize,
        channels: usize,
    ) -> Result<ValueId> {
        let input = self.channels(x);
        let [_, _, height, width] = self.b.shape(x)[..] else { unreachable!("images have four axes") };
        let x = self.norm(&format!("{name}.norm"), x)?;
        let proj = format!("{name}.attn.query.proj");
        let q = self.conv(&proj, x, &proj, Convolution::pointwise(heads * head_dim))?;
        let shape = vec![1, heads, head_dim, height * width];
        let q = self.b.node(format!("{name}.attn.query.heads"), ops::Reshape { shape }, &[q])?;
        let q = self.b.node(format!("{name}.attn.query"), ops::Transpose { perm: vec![0, 1, 3, 2] }, &[q])?;
        let mut memory = |part: &str| -> Result<ValueId> {
            let path = format!("{name}.attn.{part}");
            let mut y = x;
            if kv_stride > 1 {
                let down = format!("{path}.down_conv");
                y = self.conv(&down, y, &down, Convolution::depthwise(input, kernel, kv_stride))?;
                y = self.norm(&format!("{path}.norm"), y)?;
            }
            let proj = format!("{path}.proj");
            y = self.conv(&proj, y, &proj, Convolution::pointwise(head_dim))?;
            let size = self.b.shape(y)[2] * self.b.shape(y)[3];
            self.b.node(format!("{path}.heads"), ops::Reshape { shape: vec![1, 1, head_dim, size] }, &[y])
        };
        // Keys stay [1,1,D,T], which is what the scores are multiplied with.
        let k = memory("key")?;
        let v = memory("value")?;
        let v = self.b.node(format!("{name}.attn.value"), ops::Transpose { perm: vec![0, 1, 3, 2] }, &[v])?;
        let scale = (head_dim as f32).powf(-0.5);
        let y = self.b.node(format!("{name}.attn"), ops::Attention { scale }, &[q, k, v])?;
        let y = self.b.node(format!("{name}.attn.merge"), ops::Transpose { perm: vec![0, 1, 3, 2] }, &[y])?;
        let shape = vec![1, heads * head_dim, height, width];
        let y = self.b.node(format!("{name}.attn.image"), ops::Reshape { shape }, &[y])?;
        let proj = format!("{name}.attn.output.proj");
        self.conv(&proj, y, &proj, Convolution::pointwise(channels))
    }

    /// Multi-scale fusion adapter: all inputs brought to the resolution of the first, fused, pooled, normalized.
    fn msfa(&mut self, stages: &[ValueId]) -> Result<ValueId> {
        let msfa = &self.definition.msfa;
        let [_, _, height, width] = self.b.shape(stages[0])[..] else { unreachable!("images have four axes") };
        let mut inputs = Vec::new();
        for (index, &stage) in stages.iter().enumerate() {
            let [_, _, h, w] = self.b.shape(stage)[..] else { unreachable!("images have four axes") };
            let op = ops::Resize { interpolation: Interpolation::Nearest, size: [height, width] };
            let small = h < height || w < width;
            inputs.push(if small { self.b.node(format!("msfa.resize.{index}"), op, &[stage])? } else { stage });
        }
        let x = self.b.node("msfa.concat", ops::Concat { axis: 1 }, &inputs)?;
        let mut x = self.inverted("msfa.ffn", x, (0, 0), 1, msfa.expansion, msfa.channels)?;
        let side = msfa.output_resolution;
        if height != side || width != side {
            let op = if height % side == 0 && width % side == 0 {
                let kernel = [height / side, width / side];
                Op::from(ops::AveragePool::unpadded(kernel, kernel))
            } else {
                ops::Resize { interpolation: Interpolation::Linear, size: [side, side] }.into()
            };
            x = self.b.node("msfa.pool", op, &[x])?;
        }
        let x = self.norm("msfa.norm", x)?;
        let x = self.b.node("tokens", ops::Transpose { perm: vec![0, 2, 3, 1] }, &[x])?;
        let shape = vec![1, side * side, msfa.channels];
        self.b.node("features", ops::Reshape { shape }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::make_divisible;

    #[test]
    fn channels_round_as_in_timm() {
        let wanted = [(96.0, 96), (100.0, 104), (12.0, 16), (3.0, 8), (90.0, 88), (17.0, 16)];
        for (value, rounded) in wanted {
            assert_eq!(make_divisible(value), rounded, "{value}");
        }
    }
}
