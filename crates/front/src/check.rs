//! Checks the sizes and numbers of a definition. Errors name the key.

use super::PREFILL;
use super::blocks::parse_stages;
use super::definition::{Definition, InternVit, MobileNetV5, Preprocess, Sight, Vision};
use super::definition_language::{Language, LanguageFamily, LayerKind};

/// Largest size of any single dimension that a definition may ask for.
const LARGEST: usize = 1 << 20;
/// Largest image, in pixels a side.
const LARGEST_IMAGE: usize = 1 << 14;
/// Most layers of a component.
const MOST_LAYERS: usize = 1024;

/// The key that is wrong, and what is wrong with it.
type Check = Result<(), (&'static str, String)>;

impl Definition {
    /// Checks what was read, and parses what stands in it as text.
    pub(super) fn check(&mut self) -> Check {
        if let Some(of_pictures) = &mut self.sight {
            sight(of_pictures)?;
        }
        language(&self.language)?;
        match (&self.sight, self.language.tokens.image) {
            (Some(_), None) => Err(("language.tokens.image", "is missing; it stands for one visual token".into())),
            (None, Some(_)) => {
                Err(("language.tokens.image", "stands for a visual token; there is no vision encoder".into()))
            }
            _ => Ok(()),
        }
    }
}

fn sight(sight: &mut Sight) -> Check {
    match &mut sight.vision {
        Vision::MobileNetV5(vision) => mobilenetv5(vision)?,
        Vision::InternVit(vision) => internvit(vision)?,
    }
    preprocess(sight.vision.preprocess())?;
    sizes(&[("projector.hidden", sight.projector.hidden)])?;
    sight.projector.norm_eps.map_or(Ok(()), |value| epsilon("projector.norm_eps", value))
}

fn sizes(named: &[(&'static str, usize)]) -> Check {
    match named.iter().find(|(_, size)| *size == 0 || *size > LARGEST) {
        Some((key, size)) => Err((key, format!("{size} is impossible; a size from 1 to {LARGEST} is wanted"))),
        None => Ok(()),
    }
}

fn image_size(side: usize) -> Check {
    sizes(&[("vision.image_size", side)])?;
    if side > LARGEST_IMAGE {
        return Err(("vision.image_size", format!("{side} pixels a side is more than {LARGEST_IMAGE}")));
    }
    Ok(())
}

fn epsilon(key: &'static str, value: f32) -> Check {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err((key, format!("{value} is no epsilon; a small positive number is wanted")))
}

fn preprocess(pre: &Preprocess) -> Check {
    if pre.std.iter().any(|s| !s.is_finite() || *s <= 0.0)
        || pre.mean.iter().any(|m| !m.is_finite())
        || pre.mean.iter().zip(&pre.std).any(|(m, s)| !((1.0 + m.abs()) / s).is_finite())
    {
        return Err(("vision.preprocess", "mean must be finite and std positive, and not too small".into()));
    }
    Ok(())
}

fn mobilenetv5(v: &mut MobileNetV5) -> Check {
    let m = &v.msfa;
    image_size(v.image_size)?;
    sizes(&[
        ("vision.stem_channels", v.stem_channels),
        ("vision.msfa.channels", m.channels),
        ("vision.msfa.output_resolution", m.output_resolution),
    ])?;
    epsilon("vision.norm_eps", v.norm_eps)?;
    if !(m.expansion.is_finite() && m.expansion > 0.0 && m.expansion <= 64.0) {
        return Err(("vision.msfa.expansion", format!("{} is impossible", m.expansion)));
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
    Ok(())
}

fn internvit(v: &InternVit) -> Check {
    image_size(v.image_size)?;
    sizes(&[
        ("vision.patch_size", v.patch_size),
        ("vision.layers", v.layers),
        ("vision.hidden", v.hidden),
        ("vision.heads", v.heads),
        ("vision.feed_forward", v.feed_forward),
        ("vision.merge", v.merge),
    ])?;
    epsilon("vision.norm_eps", v.norm_eps)?;
    if v.layers > MOST_LAYERS {
        return Err(("vision.layers", format!("{} layers are more than {MOST_LAYERS}", v.layers)));
    }
    if !v.image_size.is_multiple_of(v.patch_size) {
        return Err(("vision.image_size", format!("{} is not divided by patch_size = {}", v.image_size, v.patch_size)));
    }
    if !v.patches().is_multiple_of(v.merge) {
        return Err(("vision.merge", format!("{} does not divide the {} patches of a side", v.merge, v.patches())));
    }
    if !v.hidden.is_multiple_of(v.heads) {
        return Err(("vision.heads", format!("{} does not divide hidden = {}", v.heads, v.hidden)));
    }
    Ok(())
}

fn language(l: &Language) -> Check {
    sizes(&[
        ("language.vocabulary", l.vocabulary),
        ("language.hidden", l.hidden),
        ("language.feed_forward", l.feed_forward),
        ("language.layers", l.layers.len()),
        ("language.heads", l.heads),
        ("language.kv_heads", l.kv_heads),
        ("language.head_dim", l.head_dim),
        ("language.context", l.context),
        (PREFILL, l.prefill),
    ])?;
    epsilon("language.norm_eps", l.norm_eps)?;
    if l.layers.len() > MOST_LAYERS {
        return Err(("language.layers", format!("{} layers are more than {MOST_LAYERS}", l.layers.len())));
    }
    if !l.heads.is_multiple_of(l.kv_heads) {
        return Err(("language.kv_heads", format!("{} does not divide heads = {}", l.kv_heads, l.heads)));
    }
    if !l.head_dim.is_multiple_of(2) {
        return Err(("language.head_dim", format!("{} is odd; rotary embedding needs an even size", l.head_dim)));
    }
    let convolutions = l.layers.contains(&LayerKind::Conv);
    if convolutions && l.family != LanguageFamily::Lfm2 {
        return Err(("language.layers", "only lfm2 has convolution layers".into()));
    }
    if convolutions && !(2..=64).contains(&l.conv_kernel) {
        return Err(("language.conv_kernel", format!("{} is impossible; 2 to 64 are", l.conv_kernel)));
    }
    if l.prefill >= l.context {
        return Err((PREFILL, format!("{} must be less than context = {}", l.prefill, l.context)));
    }
    if !(l.rope_theta.is_finite() && l.rope_theta > 1.0) {
        return Err(("language.rope_theta", format!("{} is impossible", l.rope_theta)));
    }
    for (key, on) in [("language.qk_norm", l.qk_norm), ("language.qkv_bias", l.qkv_bias)] {
        if on && l.family != LanguageFamily::Llama {
            return Err((key, "is for the family llama; the other families settle it themselves".into()));
        }
    }
    for (key, token) in [
        ("language.tokens.bos", l.tokens.bos),
        ("language.tokens.eos", Some(l.tokens.eos)),
        ("language.tokens.image", l.tokens.image),
    ] {
        if let Some(token) = token.filter(|&token| token as usize >= l.vocabulary) {
            return Err((key, format!("{token} is outside the vocabulary of {}", l.vocabulary)));
        }
    }
    Ok(())
}
