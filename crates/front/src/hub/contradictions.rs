//! Where a checkpoint's `config.json` says something else than the model definition. The definition is what is
//! computed; without this check, numbers that no tensor's shape depends on could be wrong unnoticed.

use std::path::Path;

use serde_json::Value;

use super::config::{Config, Section};
use crate::{Activation, Definition, InternVit, Language, LanguageFamily, LayerKind, Projector, Sight, Vision};
use autoneural_base::warning::Warning;

/// How far apart two numbers may be that count as the same, as a share.
const SAME: f64 = 1e-4;
/// Names of the activation of gated feed-forward blocks.
const SILU: [&str; 2] = ["silu", "swish"];
/// Factors and limits that are not computed, and what they are where they change nothing.
const NOT_COMPUTED: [(&str, f64); 6] = [
    ("final_logit_softcapping", 0.0),
    ("attn_logit_softcapping", 0.0),
    ("logits_scaling", 1.0),
    ("embedding_multiplier", 1.0),
    ("residual_multiplier", 1.0),
    ("partial_rotary_factor", 1.0),
];

/// Which weights lie in a folder, so that its configuration is of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    /// Those of the language model.
    pub language: bool,
    /// Those of the vision encoder.
    pub vision: bool,
}

/// Warnings about what the configuration in a checkpoint's folder states differently than a definition; empty if there
/// is no configuration.
pub(crate) fn contradictions(folder: &Path, holds: Holds, definition: &Definition) -> Vec<Warning> {
    let config = match Config::read(folder) {
        Ok(Some(config)) => config,
        Ok(None) => return vec![],
        Err(error) => {
            let message = format!("cannot be compared with the model definition: {}", error.message);
            return vec![Warning::new("export", error.place, message)];
        }
    };
    let mut found = Found { path: &config.path, warnings: vec![] };
    let text = config.text();
    // What stands at the top is of the model in this folder; a section says itself what it is of.
    if holds.language || !text.path.is_empty() {
        found.language(text, &definition.language);
        found.tokens(&config, definition);
    }
    if let Some(Sight { vision, projector }) = &definition.sight {
        let alone = holds.vision && !holds.language && config.vision().value.is_null();
        let section = if alone { config.top() } else { config.vision() };
        found.vision(config.top(), section, vision);
        found.projector(config.top(), projector);
    }
    found.warnings
}

struct Found<'a> {
    path: &'a Path,
    warnings: Vec<Warning>,
}

impl Found<'_> {
    fn note(&mut self, message: String) {
        let help = "the definition is what is computed: correct it where the configuration is right";
        self.warnings.push(Warning::new("export", self.path.display(), message).help(help));
    }

    fn differ(&mut self, section: Section, key: &str, value: &Value, ours: &str, our_value: &str) {
        self.note(format!("`{}{key}` is {value}, the model definition has {ours} = {our_value}", section.path));
    }

    /// Compares the first of these keys that there is with a number of the definition.
    fn number(&mut self, section: Section, keys: &[&'static str], ours: &str, our_value: f64) {
        let Some((key, value)) = section.first(keys) else { return };
        // Sizes of images and patches may be given for both sides.
        let number = value.as_f64().or_else(|| value.as_array()?.first()?.as_f64());
        if number.is_some_and(|number| (number - our_value).abs() > SAME * number.abs().max(our_value.abs())) {
            // As the definition writes it, and not with what f32 adds to it.
            let small = our_value.abs() < 1e-3;
            let text = if small { format!("{:e}", our_value as f32) } else { our_value.to_string() };
            self.differ(section, key, value, ours, &text);
        }
    }

    fn size(&mut self, section: Section, keys: &[&'static str], ours: &str, our_value: usize) {
        self.number(section, keys, ours, our_value as f64);
    }

    fn flag(&mut self, section: Section, keys: &[&'static str], ours: &str, our_value: bool) {
        if let Some((key, value)) = section.first(keys)
            && value.as_bool().is_some_and(|flag| flag != our_value)
        {
            self.differ(section, key, value, ours, &our_value.to_string());
        }
    }

    fn word(&mut self, section: Section, key: &'static str, known: &[&str], ours: &str) {
        if let Some((key, value)) = section.first(&[key])
            && value.as_str().is_some_and(|word| !known.contains(&word))
        {
            self.note(format!("`{}{key}` is {value}; what is computed is {ours}", section.path));
        }
    }

    fn language(&mut self, text: Section, l: &Language) {
        self.size(text, &["hidden_size"], "language.hidden", l.hidden);
        self.size(text, &["num_hidden_layers"], "the number of language.layers", l.layers.len());
        self.size(text, &["num_attention_heads"], "language.heads", l.heads);
        self.size(text, &["num_key_value_heads"], "language.kv_heads", l.kv_heads);
        self.size(text, &["head_dim"], "language.head_dim", l.head_dim);
        self.size(text, &["vocab_size"], "language.vocabulary", l.vocabulary);
        self.number(text, &["norm_eps", "rms_norm_eps", "layer_norm_eps"], "language.norm_eps", l.norm_eps.into());
        let tied = ["tie_word_embeddings", "tie_embedding"];
        self.flag(text, &tied, "language.tied_embeddings", l.tied_embeddings);
        if l.layers.contains(&LayerKind::Conv) {
            self.size(text, &["conv_L_cache"], "language.conv_kernel", l.conv_kernel);
        }
        self.feed_forward(text, l);
        self.layers(text, l);
        self.word(text, "hidden_act", &SILU, "silu");
        self.rope(text, l);
        self.positions(text, l);
        for (key, neutral) in NOT_COMPUTED {
            if let Some((key, value)) = text.first(&[key])
                && value.as_f64().is_some_and(|value| value != neutral)
            {
                self.note(format!("`{}{key}` is {value}, which is not computed", text.path));
            }
        }
    }

    /// LFM2 states the width before an adjustment.
    fn feed_forward(&mut self, text: Section, l: &Language) {
        let Some((key, value)) = text.first(&["block_ff_dim", "intermediate_size"]) else { return };
        let Some(mut width) = value.as_u64() else { return };
        let flag = |key, otherwise| text.value.get(key).and_then(Value::as_bool).unwrap_or(otherwise);
        let mut how = "";
        if l.family == LanguageFamily::Lfm2 && flag("block_auto_adjust_ff_dim", true) {
            let factor = text.value.get("block_ffn_dim_multiplier").and_then(Value::as_f64).unwrap_or(1.0);
            let multiple = text.value.get("block_multiple_of").and_then(Value::as_u64).unwrap_or(256).max(1);
            let narrowed = (width.saturating_mul(2) / 3) as f64 * factor;
            width = (narrowed as u64).div_ceil(multiple).saturating_mul(multiple);
            how = ", adjusted";
        }
        if width != l.feed_forward as u64 {
            let (path, ours) = (text.path, l.feed_forward);
            self.note(format!(
                "`{path}{key}` is {value}{how} {width}, the model definition has language.feed_forward = {ours}"
            ));
        }
    }

    fn layers(&mut self, text: Section, l: &Language) {
        let stated: Vec<LayerKind> = match text.first(&["layer_types", "full_attn_idxs"]) {
            Some(("layer_types", Value::Array(kinds))) => {
                let kind = |kind: &Value| if kind == "conv" { LayerKind::Conv } else { LayerKind::Attention };
                kinds.iter().map(kind).collect()
            }
            Some((_, Value::Array(places))) => {
                let is_attention = |layer: usize| places.iter().any(|place| place.as_u64() == Some(layer as u64));
                let kind = |layer| if is_attention(layer) { LayerKind::Attention } else { LayerKind::Conv };
                (0..l.layers.len()).map(kind).collect()
            }
            _ => return,
        };
        if let Some(at) = stated.iter().zip(&l.layers).position(|(stated, ours)| stated != ours) {
            let name = |kind| if kind == LayerKind::Conv { "a convolution" } else { "attention" };
            let (path, theirs, ours) = (text.path, name(stated[at]), name(l.layers[at]));
            self.note(format!("`{path}layer_types` make layer {at} {theirs}, the model definition has {ours} there"));
        }
    }

    /// Rotary embedding: the base, and scalings of the frequencies, of which none is computed.
    fn rope(&mut self, text: Section, l: &Language) {
        self.number(text, &["rope_theta"], "language.rope_theta", l.rope_theta);
        for key in ["rope_parameters", "rope_scaling"] {
            let Some(mut value) = text.value.get(key).filter(|value| value.is_object()) else { continue };
            let mut path = format!("{}{key}.", text.path);
            // Where kinds of layers differ, those of full attention are ours.
            if let Some(own) = value.get("full_attention").filter(|own| own.is_object()) {
                (value, path) = (own, format!("{path}full_attention."));
            }
            let section = Section { path: &path, value };
            self.number(section, &["rope_theta"], "language.rope_theta", l.rope_theta);
            self.number(section, &["partial_rotary_factor"], "the rotated share of a head", 1.0);
            let Some((key, kind)) = section.first(&["rope_type", "type"]) else { continue };
            let longest = text.value.get("max_position_embeddings").and_then(Value::as_f64);
            let changes_nothing = match kind.as_str() {
                Some("default") => true,
                // As long as no sequence is longer than those of training.
                Some("dynamic") => longest.is_none_or(|longest| l.context as f64 <= longest),
                _ => section.value.get("factor").and_then(Value::as_f64) == Some(1.0),
            };
            if !changes_nothing {
                self.note(format!(
                    "`{path}{key}` is {kind}: this scaling of rotary frequencies is not computed; answers will be \
                     others"
                ));
            }
        }
    }

    fn positions(&mut self, text: Section, l: &Language) {
        let key = "max_position_embeddings";
        if let Some(longest) = text.value.get(key).and_then(Value::as_u64)
            && longest < l.context as u64
        {
            let (path, ours) = (text.path, l.context);
            self.note(format!(
                "`{path}{key}` is {longest}, the model definition has language.context = {ours}, which is more"
            ));
        }
        let used = text.value.get("use_sliding_window").and_then(Value::as_bool).unwrap_or(true);
        let window = text.value.get("sliding_window").and_then(Value::as_u64);
        if let Some(window) = window.filter(|&window| used && window < l.context as u64) {
            let (path, ours) = (text.path, l.context);
            self.note(format!(
                "`{path}sliding_window` is {window}; attention looks at all of language.context = {ours}"
            ));
        }
    }

    fn tokens(&mut self, config: &Config, definition: &Definition) {
        let tokens = &definition.language.tokens;
        let image = ["image_token_id", "image_token_index", "img_context_token_id"];
        let text = config.text();
        if let Some(token) = tokens.image {
            self.number(config.top(), &image, "language.tokens.image", token.into());
            if !text.path.is_empty() && config.top().first(&image).is_none() {
                self.number(text, &image, "language.tokens.image", token.into());
            }
        }
        // A model whose sequences begin with no such token may have one in its vocabulary all the same.
        if let Some(token) = tokens.bos {
            self.number(text, &["bos_token_id"], "language.tokens.bos", token.into());
        }
    }

    fn vision(&mut self, top: Section, section: Section, vision: &Vision) {
        let counts = ["vision_soft_tokens_per_image", "mm_tokens_per_image", "image_seq_length"];
        self.size(top, &counts, "visual tokens of an image", vision.tokens());
        self.size(section, &["image_size"], "vision.image_size", vision.image_size());
        match vision {
            Vision::MobileNetV5(v) => {
                self.number(section, &["rms_norm_eps"], "vision.norm_eps", v.norm_eps.into());
                self.size(section, &["hidden_size", "num_features"], "vision.msfa.channels", v.msfa.channels);
            }
            Vision::InternVit(v) => self.internvit(top, section, v),
        }
    }

    fn internvit(&mut self, top: Section, section: Section, v: &InternVit) {
        self.size(top, &["force_image_size"], "vision.image_size", v.image_size);
        self.size(section, &["patch_size"], "vision.patch_size", v.patch_size);
        self.size(section, &["num_hidden_layers"], "vision.layers", v.layers);
        self.size(section, &["hidden_size"], "vision.hidden", v.hidden);
        self.size(section, &["num_attention_heads"], "vision.heads", v.heads);
        self.size(section, &["intermediate_size"], "vision.feed_forward", v.feed_forward);
        self.number(section, &["layer_norm_eps"], "vision.norm_eps", v.norm_eps.into());
        self.activation(section, "hidden_act", "vision.activation", v.activation);
        self.word(section, "norm_type", &["layer_norm"], "layer_norm");
        self.number(top, &["downsample_ratio"], "1 / vision.merge", 1.0 / v.merge as f64);
        self.size(top, &["downsample_factor"], "vision.merge", v.merge);
        self.word(top, "ps_version", &["v2"], "version v2 of the pixel shuffle");
        if let Some((key, value)) = top.first(&["select_layer", "vision_feature_layer"])
            && value.as_i64().is_some_and(|layer| layer != -1 && layer != v.layers as i64)
        {
            self.note(format!(
                "`{key}` is {value}; the features are those of the last of vision.layers = {}",
                v.layers
            ));
        }
    }

    fn projector(&mut self, top: Section, projector: &Projector) {
        self.size(top, &["projector_hidden_size"], "projector.hidden", projector.hidden);
        self.activation(top, "projector_hidden_act", "projector.activation", projector.activation);
        let has_norm = projector.norm_eps.is_some();
        self.flag(top, &["projector_use_layernorm"], "a normalization (projector.norm_eps)", has_norm);
    }

    fn activation(&mut self, section: Section, key: &'static str, ours: &str, our_value: Activation) {
        let (known, name): (&[&str], _) = match our_value {
            Activation::Gelu => (&["gelu", "gelu_python"], "gelu"),
            Activation::GeluTanh => {
                (&["gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_tanh", "gelu_python_tanh"], "gelu-tanh")
            }
        };
        if let Some((key, value)) = section.first(&[key])
            && value.as_str().is_some_and(|word| !known.contains(&word))
        {
            self.differ(section, key, value, ours, name);
        }
    }
}
