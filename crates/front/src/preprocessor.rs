//! `preprocessor_config.json` and its kin: how the checkpoint's makers prepare a picture, where the definition says
//! otherwise. The definition is taken; but a model that sees its pictures otherwise than in training answers worse, and
//! nothing else shows it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Preprocess, Resize, Vision};
use autoneural_base::warning::Warning;

/// The files, and where in them it stands. What a processor's file says comes before what stands beside it.
const FILES: [(&str, Option<&str>); 3] = [
    ("processor_config.json", Some("image_processor")),
    ("preprocessor_config.json", Some("image_processor")),
    ("preprocessor_config.json", None),
];
/// How far a pixel may be from where the definition puts it, as a share of all that pixels can be.
const TOLERANCE: f64 = 1e-3;
/// The stage that reads them.
const STAGE: &str = "export";

/// Warnings about what a checkpoint's own files say of preparing a picture and the definition does not.
pub(crate) fn other_preprocessing(folder: &Path, vision: &Vision) -> Vec<Warning> {
    for (name, section) in FILES {
        let path = folder.join(name);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let read = || autoneural_base::text::json::<Value>(&path, autoneural_base::text::read(&path)?.as_bytes());
        let value = match read() {
            Ok(value) => value,
            Err(error) => return vec![Warning::new(STAGE, error.place, format!("is not compared: {}", error.message))],
        };
        let inner = match section {
            Some(section) => value.get(section),
            None => Some(&value),
        };
        if let Some(value) = inner.filter(|value| value.is_object()) {
            return Said { path, value }.contradictions(vision);
        }
    }
    vec![]
}

/// What a file says.
struct Said<'a> {
    path: PathBuf,
    value: &'a Value,
}

impl Said<'_> {
    fn contradictions(&self, vision: &Vision) -> Vec<Warning> {
        let preprocess = vision.preprocess();
        let mut found = Vec::new();
        found.extend(self.other_size(vision.image_size() as u64));
        found.extend(self.other_filter(preprocess.resize));
        found.extend(self.other_colors(preprocess));
        // InternVL's own code reads pictures itself and leaves this file of CLIP's aside.
        let is_of_clip = self.get("feature_extractor_type").and_then(Value::as_str) == Some("CLIPFeatureExtractor");
        let crops = !(is_of_clip && matches!(vision, Vision::InternVit(_)));
        let switches = [
            ("do_center_crop", crops, "cuts the middle out of a picture; the definition stretches the whole of it"),
            ("crop_to_patches", true, "cuts a picture into several; the definition makes one of it"),
            ("do_image_splitting", true, "cuts a picture into several; the definition makes one of it"),
            ("do_flip_channel_order", true, "gives blue, green and red; the definition gives red, green and blue"),
        ];
        let is_on = |key: &str| self.get(key).and_then(Value::as_bool) == Some(true);
        let on = switches.iter().filter(|(key, counts, _)| *counts && is_on(key));
        found.extend(on.map(|(key, _, what)| format!("`{key}` {what}")));
        if self.get("do_convert_rgb").and_then(Value::as_bool) == Some(false) {
            found.push("`do_convert_rgb` is false; here every picture is made red, green and blue".into());
        }
        let help = "the definition is taken; if this file is right, correct [vision.preprocess] or image_size there";
        found.into_iter().map(|message| Warning::new(STAGE, self.path.display(), message).help(help)).collect()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    fn other_size(&self, side: u64) -> Option<String> {
        let size = self.get("size")?;
        let edge = |key: &str| size.get(key).and_then(Value::as_u64);
        let one = size.as_u64().map(|side| (side, side));
        match (
            one.or_else(|| edge("height").zip(edge("width"))),
            edge("shortest_edge").or_else(|| edge("longest_edge")),
        ) {
            (Some(size), _) if size == (side, side) => None,
            (Some((height, width)), _) => {
                Some(format!("`size` is {width} x {height} pixels; the definition's are {side} x {side}"))
            }
            (None, Some(edge)) => Some(format!(
                "`size` is {edge} pixels along one edge, with the picture's proportions; the definition stretches it \
                 to {side} x {side}"
            )),
            (None, None) => None,
        }
    }

    fn other_filter(&self, filter: Resize) -> Option<String> {
        const NAMES: [&str; 6] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
        let said = self.get("resample")?;
        let name = match (said.as_u64(), said.as_str()) {
            (Some(number), _) => NAMES.get(usize::try_from(number).ok()?).copied()?.to_string(),
            (None, Some(text)) => text.to_ascii_lowercase(),
            (None, None) => return None,
        };
        let wanted = if filter == Resize::Bilinear { "bilinear" } else { "bicubic" };
        (name != wanted).then(|| format!("`resample` is {said} ({name}); the definition's filter is {wanted}"))
    }

    /// Where black and white of each colour end up, whichever keys bring them there.
    fn other_colors(&self, preprocess: &Preprocess) -> Option<String> {
        let switch = |key: &str| self.get(key).and_then(Value::as_bool).unwrap_or(true);
        let numbers = |key: &str| -> Option<[f64; 3]> {
            match self.get(key)? {
                Value::Array(list) if list.len() == 3 => {
                    let numbers: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
                    numbers.try_into().ok()
                }
                one => one.as_f64().map(|number| [number; 3]),
            }
        };
        let factor = match (switch("do_rescale"), self.get("rescale_factor").and_then(Value::as_f64)) {
            (false, _) => 1.0,
            (true, factor) => factor.unwrap_or(1.0 / 255.0),
        };
        let (mean, std) = match switch("do_normalize") {
            true => (numbers("image_mean"), numbers("image_std")),
            false => (Some([0.0; 3]), Some([1.0; 3])),
        };
        // Without them it is for the program to know, not for the file to say.
        let (mean, std) = (mean?, std?);
        for channel in 0..3 {
            let at = |code: f64| (code * factor - mean[channel]) / std[channel];
            let (own_mean, own_std) = (f64::from(preprocess.mean[channel]), f64::from(preprocess.std[channel]));
            let own = |code: f64| (code / 255.0 - own_mean) / own_std;
            let (black, white) = (own(0.0), own(255.0));
            let far = |code: f64| (at(code) - own(code)).abs() > TOLERANCE * (white - black).abs();
            if far(0.0) || far(255.0) || !at(255.0).is_finite() {
                let keys = ["do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"];
                let keys: Vec<String> =
                    keys.iter().filter(|key| self.get(key).is_some()).map(|key| format!("`{key}`")).collect();
                let color = ["red", "green", "blue"][channel];
                return Some(format!(
                    "{} make {:.3} to {:.3} of {color}; the definition makes {black:.3} to {white:.3} of it",
                    keys.join(", "),
                    at(0.0),
                    at(255.0)
                ));
            }
        }
        None
    }
}
