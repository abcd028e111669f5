//! Model definitions: the TOML files in `graphs/`. All dimensions of a model stand there.

use std::path::Path;

use serde::Deserialize;

use super::blocks::Block;
use super::definition_language::Language;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::GeluKind;
pub use autoneural_core::recipe::Resize;

/// A model definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Name of the model.
    pub name: String,
    /// Where tensors are found in the checkpoint.
    pub weights: WeightNames,
    /// How pictures come in; `None` for a model of text alone.
    pub sight: Option<Sight>,
    /// The language model.
    pub language: Language,
}

/// What makes embeddings of a picture.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The vision encoder.
    pub vision: Vision,
    /// The two-layer projector.
    pub projector: Projector,
}

/// Names of tensors in the checkpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightNames {
    /// Prefixes of the vision encoder's tensors, tried in order.
    #[serde(default)]
    pub vision: Vec<String>,
    /// Prefixes of the projector's tensors, tried in order.
    #[serde(default)]
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

/// A vision encoder of one of the families.
#[derive(Debug, Clone)]
pub enum Vision {
    /// MobileNetV5 with its fusion adapter.
    MobileNetV5(MobileNetV5),
    /// A vision transformer with a class token, whose patches are merged two by two.
    InternVit(InternVit),
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum VisionFamily {
    #[serde(rename = "mobilenetv5")]
    MobileNetV5,
    #[serde(rename = "internvit")]
    InternVit,
}

/// A MobileNetV5 vision encoder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MobileNetV5 {
    #[expect(dead_code, reason = "read before, to choose the family; here so that the key is known")]
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
    pub(super) blocks: Vec<Vec<Block>>,
}

/// An InternViT vision encoder (Chen et al., arXiv 2312.14238) with the pixel shuffle of InternVL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InternVit {
    #[expect(dead_code, reason = "read before, to choose the family; here so that the key is known")]
    family: VisionFamily,
    /// Height and width of the input in pixels.
    pub image_size: usize,
    /// Height and width of a patch in pixels.
    pub patch_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Attention heads; divides `hidden`.
    pub heads: usize,
    /// Width inside the feed-forward blocks.
    pub feed_forward: usize,
    /// How many patches along each side become one visual token.
    pub merge: usize,
    /// Epsilon of all normalizations.
    pub norm_eps: f32,
    /// Activation of the feed-forward blocks.
    pub activation: Activation,
    /// How an image becomes the input.
    pub preprocess: Preprocess,
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

/// A two-layer projector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projector {
    /// Epsilon of a layer normalization before the first layer; without it there is none.
    pub norm_eps: Option<f32>,
    /// Width between the layers.
    pub hidden: usize,
    /// Activation between the layers.
    pub activation: Activation,
}

impl Vision {
    /// Height and width of the input in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            Vision::MobileNetV5(v) => v.image_size,
            Vision::InternVit(v) => v.image_size,
        }
    }

    /// How an image becomes the input.
    pub fn preprocess(&self) -> &Preprocess {
        match self {
            Vision::MobileNetV5(v) => &v.preprocess,
            Vision::InternVit(v) => &v.preprocess,
        }
    }

    /// Number of visual tokens of one image.
    pub fn tokens(&self) -> usize {
        let side = match self {
            Vision::MobileNetV5(v) => v.msfa.output_resolution,
            Vision::InternVit(v) => v.patches() / v.merge,
        };
        side * side
    }

    /// Width of a visual token before the projector.
    pub fn channels(&self) -> usize {
        match self {
            Vision::MobileNetV5(v) => v.msfa.channels,
            Vision::InternVit(v) => v.hidden * v.merge * v.merge,
        }
    }
}

impl Preprocess {
    /// What becomes of an 8-bit value of a channel (red, green, blue).
    pub fn normalized(&self, channel: usize, code: u8) -> f32 {
        (f32::from(code) / 255.0 - self.mean[channel]) / self.std[channel]
    }
}

impl InternVit {
    /// Patches along each side of the image.
    pub fn patches(&self) -> usize {
        self.image_size / self.patch_size
    }
}

impl MobileNetV5 {
    /// The parsed blocks of each stage.
    pub fn blocks(&self) -> &[Vec<Block>] {
        &self.blocks
    }

    /// Stages that the fusion adapter reads, as positions.
    pub fn fused_stages(&self) -> Vec<usize> {
        let count = self.stages.len() as i64;
        self.msfa.stages.iter().map(|&s| if s < 0 { (count + s) as usize } else { s as usize }).collect()
    }
}

/// What is read first: it says as what the rest is read.
#[derive(Deserialize)]
struct Outline {
    schema: u32,
    vision: Option<VisionOutline>,
}

#[derive(Deserialize)]
struct VisionOutline {
    family: VisionFamily,
}

/// A definition with a vision encoder of a family.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<V> {
    #[serde(rename = "schema")]
    _schema: u32,
    name: String,
    weights: WeightNames,
    vision: V,
    projector: Projector,
    language: Language,
}

impl<V> Whole<V> {
    fn into_definition(self, vision: impl FnOnce(V) -> Vision) -> Definition {
        let Whole { _schema, name, weights, vision: of_family, projector, language } = self;
        Definition { name, weights, sight: Some(Sight { vision: vision(of_family), projector }), language }
    }
}

/// A definition without a vision encoder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfWords {
    #[serde(rename = "schema")]
    _schema: u32,
    name: String,
    weights: WeightNames,
    language: Language,
}

impl OfWords {
    fn into_definition(self) -> Definition {
        let OfWords { _schema, name, weights, language } = self;
        Definition { name, weights, sight: None, language }
    }
}

impl Definition {
    /// The vision encoder, if there is one.
    pub fn vision(&self) -> Option<&Vision> {
        self.sight.as_ref().map(|sight| &sight.vision)
    }

    /// The vision encoder, for those who have a picture for it.
    ///
    /// # Errors
    /// The model has none.
    pub fn seeing(&self) -> Result<&Vision> {
        let message = "is not taken: the model has no vision encoder";
        self.vision().ok_or_else(|| Error::input("image", message).help("leave pictures out"))
    }

    /// Reads and checks a definition.
    ///
    /// # Errors
    /// A missing file, a line that is no TOML, an unknown or missing key, a dimension that cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let (path, text) = super::built_in::text_of(path)?;
        Self::parse(&text, &path)
    }

    /// Parses and checks the text of a definition; `path` is only for messages.
    ///
    /// # Errors
    /// The text is malformed or of another schema, or a number in it is impossible.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let malformed = |error: toml::de::Error| autoneural_base::text::toml_error(path, text, &error);
        let outline: Outline = toml::from_str(text).map_err(malformed)?;
        if outline.schema != 1 {
            let message = format!("schema {} is not known to this version, which reads schema 1", outline.schema);
            return Err(Error::input(format!("{}: schema", path.display()), message));
        }
        let mut made = match outline.vision.map(|vision| vision.family) {
            None => toml::from_str::<OfWords>(text).map(OfWords::into_definition),
            Some(VisionFamily::MobileNetV5) => {
                toml::from_str::<Whole<_>>(text).map(|whole| whole.into_definition(Vision::MobileNetV5))
            }
            Some(VisionFamily::InternVit) => {
                toml::from_str::<Whole<_>>(text).map(|whole| whole.into_definition(Vision::InternVit))
            }
        }
        .map_err(malformed)?;
        made.check().map_err(|(key, message)| Error::input(format!("{}: {key}", path.display()), message))?;
        Ok(made)
    }
}
