//! What kind of numbers a tensor gets, and the sizes that were chosen for them.

use super::random::{exp, generator, uniform};

/// Standard deviation of the logarithms of a matrix's output channel scales: 2048 channels then spread over a factor of
/// about 15. Input channels spread half as much.
pub(crate) const CHANNEL_SPREAD: f64 = 0.4;
/// The same for depthwise convolutions, whose channels differ more (Nagel et al., arXiv 1906.04721, figure 2).
pub(crate) const DEPTHWISE_SPREAD: f64 = 0.6;
/// The same for the gains of normalizations.
pub(crate) const GAIN_SPREAD: f64 = 0.25;
/// Median of the gains of normalizations before attention scores, which make them sharper than random ones.
pub(crate) const SCORE_GAIN: f64 = 1.2;
/// Median of layer scales, and the spread of their logarithms.
pub(crate) const LAYER_SCALE: (f64, f64) = (0.2, 0.5);
/// Spread between the rows of an embedding table.
pub(crate) const ROW_SPREAD: f64 = 0.15;
/// A bias in proportion to what it is added to.
pub(crate) const BIAS: f64 = 0.2;
/// What a branch without layer scale adds to a residual stream, in proportion to the stream.
pub(crate) const BRANCH: f64 = 0.15;
/// Standard deviation of the logits.
pub(crate) const LOGITS: f64 = 3.0;

/// Channels of the residual stream for each outlier channel, and the fewest outlier channels.
const CHANNELS_PER_OUTLIER: usize = 512;
const FEWEST_OUTLIERS: usize = 2;
/// Outlier channels are this many times as large as others, and e^1.5 as large again at most; less in streams so narrow
/// that the fewest outlier channels would take more than the usual share of the stream.
const SMALLEST_OUTLIER: f64 = 15.0;
const OUTLIER_SPREAD: f64 = 1.5;
/// What outlier channels have in the embeddings already, with one sign for all tokens, in standard deviations.
pub(crate) const EMBEDDED_OUTLIER: f64 = 3.0;
/// Gains of normalizations at outlier channels, and those of the last normalization, in proportion to the others.
pub(crate) const OUTLIER_GAIN: f64 = 0.5;
/// The same before the head.
pub(crate) const LAST_OUTLIER_GAIN: f64 = 0.1;

/// Kinds of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Weights `[out, in, ...]`: heavy tails, log-normal scales per output and input channel; outliers are output
    /// channels.
    Matrix,
    /// Vectors, one a row: heavy tails; outliers are columns that have an offset.
    Table,
    /// Positive factors, log-normal.
    Gains,
    /// Biases: heavy tails; outliers have an offset.
    Offsets,
}

/// How the numbers of a tensor are drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// Kind of numbers.
    pub kind: Kind,
    /// Root mean square without outliers; of gains the median.
    pub scale: f64,
    /// Standard deviation of the logarithms of channel scales, or of gains.
    pub spread: f64,
    /// Channels that are unlike the others.
    pub outliers: Vec<Outlier>,
}

/// A channel that is unlike the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlier {
    /// Its position.
    pub channel: usize,
    /// How much larger it is; of offsets the offset in proportion to the scale.
    pub factor: f64,
    /// 1 or -1.
    pub sign: f64,
}

impl Recipe {
    /// A recipe without outliers.
    pub(crate) fn new(kind: Kind, scale: f64, spread: f64) -> Self {
        Recipe { kind, scale, spread, outliers: vec![] }
    }

    /// With these outlier channels.
    pub(crate) fn with(mut self, outliers: Vec<Outlier>) -> Self {
        self.outliers = outliers;
        self
    }

    /// Root mean square of what is drawn, without outliers. That of log-normal numbers is `median * e^(spread^2)`.
    pub(crate) fn size(&self) -> f64 {
        if self.kind == Kind::Gains { self.scale * exp(self.spread * self.spread) } else { self.scale }
    }
}

/// The outlier channels of a residual stream of this width.
pub(crate) fn outliers(seed: u64, width: usize) -> Vec<Outlier> {
    let mut random = generator(seed, "outlier channels");
    let count = (width / CHANNELS_PER_OUTLIER).max(FEWEST_OUTLIERS).min(width);
    let usual = (width as f64 / (count * CHANNELS_PER_OUTLIER) as f64).min(1.0).sqrt();
    let mut made: Vec<Outlier> = Vec::new();
    while made.len() < count {
        let channel = (uniform(&mut random) * width as f64) as usize;
        let factor = usual * SMALLEST_OUTLIER * exp(OUTLIER_SPREAD * uniform(&mut random));
        let sign = if uniform(&mut random) < 0.5 { -1.0 } else { 1.0 };
        if made.iter().all(|outlier| outlier.channel != channel) {
            made.push(Outlier { channel, factor, sign });
        }
    }
    made
}

/// The same channels with one factor.
pub(crate) fn with_factor(outliers: &[Outlier], factor: f64) -> Vec<Outlier> {
    outliers.iter().map(|outlier| Outlier { factor, ..*outlier }).collect()
}
