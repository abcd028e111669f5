//! The operators of the IR. Semantics are those of the ONNX operator of the same name unless the text says otherwise.

use serde::{Deserialize, Serialize};

/// Which formula a GELU uses (ONNX `Gelu`, attribute `approximate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeluKind {
    /// `x/2 * (1 + erf(x / sqrt 2))`.
    Erf,
    /// `x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`.
    Tanh,
}

/// How a spatial resize interpolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Nearest neighbour, asymmetric coordinates, rounded down (`torch.nn.functional.interpolate(mode="nearest")`).
    Nearest,
    /// Bilinear with half-pixel centres (`mode="bilinear", align_corners=False`).
    Linear,
}

/// An operator with its attributes. Inputs and outputs live in the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op")]
pub enum Op {
    /// 2-D convolution. Inputs: `x [N,C,H,W]`, `w [M,C/groups,kH,kW]`, optional `bias [M]`.
    Conv {
        /// Step along height and width.
        strides: [usize; 2],
        /// Padding: top, left, bottom, right.
        pads: [usize; 4],
        /// Number of channel groups; `C` for a depthwise convolution.
        groups: usize,
    },
    /// Matrix product over the last two axes with broadcasting of the leading ones.
    MatMul,
    /// Elementwise sum with broadcasting.
    Add,
    /// Elementwise product with broadcasting.
    Mul,
    /// Elementwise negation.
    Neg,
    /// Root mean square normalization over one axis: `x / sqrt(mean(x^2) + epsilon) * gamma` (Zhang & Sennrich,
    /// arXiv 1910.07467). Inputs: `x`, `gamma [size of the axis]`. ONNX `RMSNormalization` where the axis is the last.
    RmsNorm {
        /// The normalized axis.
        axis: usize,
        /// Added to the mean square.
        epsilon: f32,
    },
    /// Layer normalization over the last axis: `(x - mean(x)) / sqrt(var(x) + epsilon) * gamma + bias` (Ba et al.,
    /// arXiv 1607.06450). Inputs: `x`, `gamma` and `bias`, both `[size of the last axis]`.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Gaussian error linear unit.
    Gelu {
        /// Which formula.
        kind: GeluKind,
    },
    /// `x * sigmoid(x)`.
    Silu,
    /// Logistic function.
    Sigmoid,
    /// Softmax over one axis.
    Softmax {
        /// The axis that sums to one.
        axis: usize,
    },
    /// Scaled dot product attention with grouped keys and values. Inputs: `q [1,H,S,D]`, keys stored transposed
    /// `k [1,G,D,T]`, `v [1,G,T,E]`, optional additive `mask [1,1,S,T]`; `G` divides `H`. Output `[1,H,S,E]`.
    Attention {
        /// Factor on the scores, normally `1/sqrt(D)`.
        scale: f32,
    },
    /// Rotary position embedding in the half-split form (Su et al., arXiv 2104.09864, as Llama-family checkpoints store
    /// it): `x * cos + concat(-x[D/2..], x[..D/2]) * sin`. Inputs: `x [1,H,S,D]`, `cos` and `sin [1,1,S,D]`.
    Rope,
    /// Same elements in another shape.
    Reshape {
        /// The new shape; same number of elements.
        shape: Vec<usize>,
    },
    /// Permutation of the axes.
    Transpose {
        /// Output axis `i` is input axis `perm[i]`.
        perm: Vec<usize>,
    },
    /// Concatenation of all inputs.
    Concat {
        /// The axis along which they are joined.
        axis: usize,
    },
    /// Cut into equal parts, one output each.
    Split {
        /// The axis that is cut.
        axis: usize,
        /// Number of parts; divides the axis.
        parts: usize,
    },
    /// The elements `start..end` of one axis.
    Slice {
        /// The axis that is cut.
        axis: usize,
        /// First index kept.
        start: usize,
        /// First index not kept.
        end: usize,
    },
    /// Picks elements along one axis. Inputs: `data`, `indices` (int32, rank 1).
    Gather {
        /// The axis that is picked from.
        axis: usize,
    },
    /// Mean over windows, no padding.
    AveragePool {
        /// Window height and width.
        kernel: [usize; 2],
        /// Step along height and width.
        strides: [usize; 2],
    },
    /// Spatial resize of `[N,C,H,W]`.
    Resize {
        /// How values between the samples are made.
        interpolation: Interpolation,
        /// New height and width.
        size: [usize; 2],
    },
    /// The identity in float; marks a place where the encoding changes (say from 16 to 8 bits).
    Requantize,
}

impl Op {
    /// The operator's name as reports and target files write it: the ONNX name where there is one.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv { .. } => "Conv",
            Op::MatMul => "MatMul",
            Op::Add => "Add",
            Op::Mul => "Mul",
            Op::Neg => "Neg",
            Op::RmsNorm { .. } => "RMSNormalization",
            Op::LayerNorm { .. } => "LayerNormalization",
            Op::Gelu { .. } => "Gelu",
            Op::Silu => "Silu",
            Op::Sigmoid => "Sigmoid",
            Op::Softmax { .. } => "Softmax",
            Op::Attention { .. } => "Attention",
            Op::Rope => "RotaryEmbedding",
            Op::Reshape { .. } => "Reshape",
            Op::Transpose { .. } => "Transpose",
            Op::Concat { .. } => "Concat",
            Op::Split { .. } => "Split",
            Op::Slice { .. } => "Slice",
            Op::Gather { .. } => "Gather",
            Op::AveragePool { .. } => "AveragePool",
            Op::Resize { .. } => "Resize",
            Op::Requantize => "Requantize",
        }
    }

    /// True for operators that move elements without computing: their inputs and outputs share one encoding.
    pub fn moves_data_only(&self) -> bool {
        matches!(
            self,
            Op::Reshape { .. }
                | Op::Transpose { .. }
                | Op::Concat { .. }
                | Op::Split { .. }
                | Op::Slice { .. }
                | Op::Gather { .. }
                | Op::Resize { interpolation: Interpolation::Nearest, .. }
        )
    }
}
