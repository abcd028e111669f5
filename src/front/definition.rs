//! Model definitions: the TOML files in `graphs/`. All dimensions of a model stand there.

use std::path::Path;

use serde::Deserialize;

use super::blocks::{Block, parse_stages};
use crate::error::{Error, Result};
use crate::ir::GeluKind;

/// Largest size of any single dimension that a definition may ask for.
const LARGEST: usize = 1 << 20;

/// A model definition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    schema: u32,
    /// Name of the model.
    pub name: String,
    /// Where tensors are found in the checkpoint.
    pub weights: WeightNames,
    /// The vision encoder.
    pub vision: Vision,
    /// The two-layer projector.
    pub projector: Projector,
    /// The language model.
    pub language: Language,
}

/// Names of tensors in the checkpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightNames {
    /// Prefixes of the vision encoder's tensors, tried in order.
    pub vision: Vec<String>,
    /// Prefixes of the projector's tensors, tried in order.
    pub projector: Vec<String>,
    /// Prefixes of the language model's tensors, tried in order.
    pub language: Vec<String>,
    /// Full names of the head's tensor, tried in order. With tied embeddings it may be missing, or equal to them.
    #[serde(default = "head_names")]
    pub head: Vec<String>,
    /// Glob patterns of tensors that may stand in the checkpoint without being used.
    #[serde(default)]
    pub ignore: Vec<String>,
}

fn head_names() -> Vec<String> {
    ["lm_head.weight", "model.lm_head.weight", "language_model.lm_head.weight"].map(String::from).to_vec()
}

/// Activation functions a definition can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU by the tanh formula.
    GeluTanh,
}

impl Activation {
    /// The IR's kind of GELU.
    pub fn kind(self) -> GeluKind {
        match self {
            Activation::Gelu => GeluKind::Erf,
            Activation::GeluTanh => GeluKind::Tanh,
        }
    }
}

/// A MobileNetV5 vision encoder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    family: VisionFamily,
    /// Height and width of the input in pixels.
    pub image_size: usize,
    /// Channels after the stem convolution.
    pub stem_channels: usize,
    /// Blocks per stage in timm's notation.
    pub stages: Vec<Vec<String>>,
    /// Whether universal inverted residual and attention blocks end in a learned factor per channel.
    pub layer_scale: bool,
    /// Epsilon of all normalizations.
    pub norm_eps: f32,
    /// Activation of all blocks.
    pub activation: Activation,
    /// The multi-scale fusion adapter.
    pub msfa: Msfa,
    /// How an image becomes the input.
    pub preprocess: Preprocess,
    #[serde(skip)]
    blocks: Vec<Vec<Block>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum VisionFamily {
    #[serde(rename = "mobilenetv5")]
    MobileNetV5,
}

/// The multi-scale fusion adapter at the end of MobileNetV5.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Msfa {
    /// Stages that are fused; negative numbers count from the end. The first has the highest resolution.
    pub stages: Vec<i64>,
    /// Expansion of the fusing block.
    pub expansion: f64,
    /// Channels of the visual features.
    pub channels: usize,
    /// Height and width of the visual features.
    pub output_resolution: usize,
}

/// Image filters for resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Bilinear with antialiasing, as Pillow's `BILINEAR`.
    Bilinear,
    /// Bicubic with antialiasing, as Pillow's `BICUBIC`.
    Bicubic,
}

/// How an image becomes the input: resize to a square, divide by 255, subtract the mean, divide by the deviation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// Filter of the resize.
    pub resize: Resize,
    /// Mean per channel (red, green, blue), in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel (red, green, blue).
    pub std: [f32; 3],
}

/// A two-layer projector without normalization.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projector {
    /// Width between the layers.
    pub hidden: usize,
    /// Activation between the layers.
    pub activation: Activation,
}

/// What a language layer mixes tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Gated short convolution.
    Conv,
    /// Grouped-query attention.
    Attention,
}

/// An LFM2 language model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    family: LanguageFamily,
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
    /// Taps of the short convolution.
    pub conv_kernel: usize,
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

#[derive(Debug, Clone, Copy, Deserialize)]
enum LanguageFamily {
    #[serde(rename = "lfm2")]
    Lfm2,
}

/// Special tokens by number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Begins a sequence.
    pub bos: u32,
    /// Ends a sequence.
    pub eos: u32,
    /// Stands for one visual token.
    pub image: u32,
}

impl Tokens {
    /// Whether a token that the model chose ends its text. The image token does too: it has no text row of its own.
    pub fn stops(&self, token: u32) -> bool {
        token == self.eos || token == self.image
    }
}

impl Vision {
    /// The parsed blocks of each stage.
    pub fn blocks(&self) -> &[Vec<Block>] {
        &self.blocks
    }

    /// Number of visual tokens of one image.
    pub fn tokens(&self) -> usize {
        self.msfa.output_resolution * self.msfa.output_resolution
    }

    /// Stages that the fusion adapter reads, as positions.
    pub fn fused_stages(&self) -> Vec<usize> {
        let count = self.stages.len() as i64;
        self.msfa.stages.iter().map(|&s| if s < 0 { (count + s) as usize } else { s as usize }).collect()
    }
}

impl Definition {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// A missing file, a line that is no TOML, an unknown or missing key, a dimension that cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let text = crate::text::read(path)?;
        Self::parse(&text, path)
    }

    /// Parses and checks the text of a definition; `path` is only for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut made: Definition = toml::from_str(text).map_err(|error| crate::text::toml_error(path, text, &error))?;
        made.check().map_err(|(key, message)| Error::input(format!("{}: {key}", path.display()), message))?;
        Ok(made)
    }

    fn check(&mut self) -> Result<(), (&'static str, String)> {
        if self.schema != 1 {
            return Err((
                "schema",
                format!("schema {} is not known to this version, which reads schema 1", self.schema),
            ));
        }
        let v = &mut self.vision;
        let l = &self.language;
        let m = &v.msfa;
        for (key, size) in [
            ("vision.image_size", v.image_size),
            ("vision.stem_channels", v.stem_channels),
            ("vision.msfa.channels", m.channels),
            ("vision.msfa.output_resolution", m.output_resolution),
            ("projector.hidden", self.projector.hidden),
            ("language.vocabulary", l.vocabulary),
            ("language.hidden", l.hidden),
            ("language.feed_forward", l.feed_forward),
            ("language.layers", l.layers.len()),
            ("language.heads", l.heads),
            ("language.kv_heads", l.kv_heads),
            ("language.head_dim", l.head_dim),
            ("language.context", l.context),
            ("language.prefill", l.prefill),
        ] {
            if size == 0 || size > LARGEST {
                return Err((key, format!("{size} is impossible; a size from 1 to {LARGEST} is wanted")));
            }
        }
        if v.image_size > 1 << 14 {
            return Err(("vision.image_size", format!("{} pixels a side is more than 16384", v.image_size)));
        }
        for (key, value) in [("vision.norm_eps", v.norm_eps), ("language.norm_eps", l.norm_eps)] {
            if !(value > 0.0 && value < 1.0) {
                return Err((key, format!("{value} is no epsilon; a small positive number is wanted")));
            }
        }
        if !(m.expansion.is_finite() && m.expansion > 0.0 && m.expansion <= 64.0) {
            return Err(("vision.msfa.expansion", format!("{} is impossible", m.expansion)));
        }
        if v.preprocess.std.iter().any(|s| !s.is_finite() || *s <= 0.0)
            || v.preprocess.mean.iter().any(|m| !m.is_finite())
            || v.preprocess.mean.iter().zip(&v.preprocess.std).any(|(m, s)| !((1.0 + m.abs()) / s).is_finite())
        {
            return Err(("vision.preprocess", "mean must be finite and std positive, and not too small".into()));
        }
        v.blocks = parse_stages(&v.stages).map_err(|message| ("vision.stages", message))?;
        let count = v.stages.len() as i64;
        if m.stages.is_empty() || m.stages.iter().any(|&s| s >= count || s < -count) {
            return Err(("vision.msfa.stages", format!("{:?} are not stages of {count}", m.stages)));
        }
        let strides = v.blocks.iter().flatten().map(|block| block.stride());
        let stride = strides.fold(2, |product: usize, stride| product.saturating_mul(stride));
        if !v.image_size.is_multiple_of(stride) {
            let message = format!("{} is not divided by the strides, which multiply to {stride}", v.image_size);
            return Err(("vision.image_size", message));
        }
        if !l.heads.is_multiple_of(l.kv_heads) {
            return Err(("language.kv_heads", format!("{} does not divide heads = {}", l.kv_heads, l.heads)));
        }
        if !l.head_dim.is_multiple_of(2) {
            return Err(("language.head_dim", format!("{} is odd; rotary embedding needs an even size", l.head_dim)));
        }
        if l.conv_kernel < 2 || l.conv_kernel > 64 {
            return Err(("language.conv_kernel", format!("{} is impossible; 2 to 64 are", l.conv_kernel)));
        }
        if l.prefill >= l.context {
            return Err(("language.prefill", format!("{} must be less than context = {}", l.prefill, l.context)));
        }
        if !(l.rope_theta.is_finite() && l.rope_theta > 1.0) {
            return Err(("language.rope_theta", format!("{} is impossible", l.rope_theta)));
        }
        for (key, token) in [
            ("language.tokens.bos", l.tokens.bos),
            ("language.tokens.eos", l.tokens.eos),
            ("language.tokens.image", l.tokens.image),
        ] {
            if token as usize >= l.vocabulary {
                return Err((key, format!("{token} is outside the vocabulary of {}", l.vocabulary)));
            }
        }
        // The families have one member each today; reading them here keeps the key meaningful.
        let (VisionFamily::MobileNetV5, LanguageFamily::Lfm2) = (v.family, l.family);
        Ok(())
    }
}
