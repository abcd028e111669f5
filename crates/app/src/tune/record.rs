//! What tuning found: the file `tune.json`, of which recipe, page and summary are views.

use serde::{Deserialize, Serialize};

use super::plan::{Figure, Goal};
use crate::report::Columns;
use crate::stages::of_graphs;
use autoneural_base::error::Result;
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_base::text::read_at_most;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Key, Making};
use autoneural_core::encoding::IntegerType;
use autoneural_core::recipe::WeightBits;
use autoneural_core::tune::{Choice, WidthsUsed};

/// Version of the file.
pub const SCHEMA: u32 = 1;

/// Name of the file.
pub const FILE: &str = "tune.json";

/// What identifies graphs and weights of a bundle.
///
/// # Errors
/// The files of the bundle cannot be read.
pub(crate) fn subject(bundle: &Making) -> Result<String> {
    Ok(bundle.key(Key::new(), |path| of_graphs(path).is_some())?.digest())
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A first answer, before noise at the outputs was measured.
    Guessed,
    /// Every layer was measured; what is chosen is predicted.
    Predicted,
    /// What is chosen was simulated.
    Checked,
    /// What is chosen was compiled.
    Compiled,
}

/// What tuning found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tuned {
    /// Version of the file.
    pub schema: u32,
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// SHA-256 of the graphs and weights that were measured.
    pub of: String,
    /// What was asked for.
    pub goal: Goal,
    /// What noise is told in.
    pub figure: Figure,
    /// How far it is.
    pub state: State,
    /// Whether the goal is reached, as far as that was looked at.
    pub reached: bool,
    /// Where the goal is not reached: what stands in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_the_way: Vec<String>,
    /// What is to be known of the samples that calibrated, and of what they did not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The groups.
    pub groups: Vec<TunedGroup>,
    /// The weakest main output behind it all, in dB; nothing before it is compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Columns>,
    /// Whether the samples that judged had no part in the choice.
    #[serde(default)]
    pub judged_apart: bool,
}

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TunedGroup {
    /// Its name.
    pub group: String,
    /// Its layers, in the order in which they run, behind them its products, and behind these the values whose bits were
    /// chosen.
    pub layers: Vec<TunedLayer>,
    /// Bytes and noise, of the model of the measurements, along the best assignments.
    pub curve: Vec<TunedPoint>,
    /// What was checked.
    pub checks: Vec<Checked>,
    /// What a run has in 8 bits, where the bits of values were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<TunedWidths>,
}

/// How much of a run is in 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TunedWidths {
    /// With what was chosen.
    pub chosen: WidthsUsed,
    /// With all that can be chosen in 16 bits.
    pub wide: WidthsUsed,
}

/// A layer, a product, or a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TunedLayer {
    /// Name of its weight, of what the product makes, or of the value.
    pub name: String,
    /// Its weights.
    pub elements: u64,
    /// Multiply-adds of a run.
    pub multiply_adds: u64,
    /// What it is without tuning.
    pub base: Choice,
    /// What was chosen, by place in `choices`.
    pub chosen: usize,
    /// What it can be, by bytes.
    pub choices: Vec<TunedChoice>,
}

/// A choice of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TunedChoice {
    /// The integers, or the form of a product.
    pub bits: Choice,
    /// Bytes of weights with scales.
    pub bytes: u64,
    /// Noise at the outputs, of this layer alone.
    pub noise: f64,
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TunedPoint {
    /// Bytes of the layers' weights.
    pub bytes: u64,
    /// What a run has in 8 bits, where the bits of values were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<WidthsUsed>,
    /// Noise at the outputs.
    pub noise: f64,
}

/// A check in simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Bytes of the layers' weights.
    pub bytes: u64,
    /// What a run has in 8 bits, where the bits of values were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<WidthsUsed>,
    /// Noise as the measurements of single layers add up.
    pub predicted: f64,
    /// Noise of the whole quantized model.
    pub measured: f64,
}

impl TunedLayer {
    /// What was chosen.
    pub fn choice(&self) -> TunedChoice {
        self.choices[self.chosen]
    }
}

impl TunedLayer {
    /// A choice, and the one that takes most noise away for each byte that it has more; `None` if none does.
    pub fn better(&self, now: WeightBits) -> Option<(TunedChoice, TunedChoice)> {
        let now = *self.choices.iter().find(|choice| choice.bits == Choice::Weights(now))?;
        let better = self.choices.iter().filter(|then| then.bytes > now.bytes && then.noise < now.noise);
        let gain = |then: &TunedChoice| (now.noise - then.noise) / (then.bytes - now.bytes) as f64;
        let then = better.max_by(|a, b| gain(a).total_cmp(&gain(b)))?;
        Some((now, *then))
    }
}

impl TunedLayer {
    /// Whether it is a value.
    pub fn is_value(&self) -> bool {
        matches!(self.base, Choice::Value(_))
    }

    /// What 16 bits of a value bring in place of its 8, by noise; `None` if it is no value.
    pub fn wider(&self) -> Option<(TunedChoice, TunedChoice)> {
        let of = |integer| self.choices.iter().find(|choice| choice.bits == Choice::Value(integer)).copied();
        Some((of(IntegerType::Uint8)?, of(IntegerType::Uint16)?))
    }
}

impl TunedWidths {
    /// It in words.
    pub fn words(&self) -> String {
        let (chosen, wide) = (self.chosen, self.wide);
        let share = 100.0 * chosen.in_8_bits as f64 / chosen.multiply_adds.max(1) as f64;
        let [now, before] = [chosen.moved, wide.moved].map(autoneural_base::text::bytes);
        format!(
            "{share:.0} % of multiply-adds in 8 bits, a run reads and writes {now} of computed values in place of {before}"
        )
    }
}

impl TunedGroup {
    /// Its values, those in 8 bits and all.
    pub fn narrow(&self) -> (usize, usize) {
        let values = || self.layers.iter().filter(|layer| layer.is_value());
        let is_narrow = |layer: &&TunedLayer| layer.choice().bits == Choice::Value(IntegerType::Uint8);
        (values().filter(is_narrow).count(), values().count())
    }

    /// Bytes of the layers' weights with their scales.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.choice().bytes).sum()
    }

    /// Weights of the layers.
    pub fn elements(&self) -> u64 {
        self.layers.iter().map(|layer| layer.elements).sum()
    }

    /// Noise of what was chosen, by the measurements of single layers.
    pub fn predicted(&self) -> f64 {
        self.layers.iter().map(|layer| layer.choice().noise).sum()
    }

    /// Noise of what was chosen, in simulation, if that was checked.
    pub fn measured(&self) -> Option<f64> {
        let (bytes, predicted) = (self.bytes(), self.predicted());
        // Sums in another order differ in their last bits.
        let is_near = |check: &Checked| (check.predicted - predicted).abs() <= 1e-9 * predicted;
        let is_it = |check: &&Checked| check.bytes == bytes && is_near(check);
        self.checks.iter().rev().find(is_it).map(|check| check.measured)
    }

    /// How many times the noise of the measurements is that of the whole model, by the last check; 1 without one.
    pub fn scale(&self) -> f64 {
        self.checks.last().filter(|check| check.predicted > 0.0).map_or(1.0, |check| check.measured / check.predicted)
    }
}

impl Tuned {
    /// What was found of the model of a bundle and stands in the folder that the bundle is in. What cannot be read, or is
    /// of other weights, counts as nothing.
    pub fn beside(bundle: &Making) -> Option<Self> {
        let place = bundle.path("");
        let path = place.parent()?.join(FILE);
        if !path.is_file() {
            return None;
        }
        let made: Tuned = json_of(&path, &read_at_most(&path, LARGEST_JSON).ok()?, SCHEMA, "").ok()?;
        (made.is_sound() && Some(&made.of) == subject(bundle).ok().as_ref()).then_some(made)
    }

    /// A layer, by the name of its weight.
    pub fn layer(&self, name: &str) -> Option<&TunedLayer> {
        self.groups.iter().flat_map(|group| &group.layers).find(|layer| layer.name == name)
    }

    /// Bytes of all layers' weights with their scales.
    pub fn bytes(&self) -> u64 {
        self.groups.iter().map(TunedGroup::bytes).sum()
    }

    /// Bits of a weight on average, scales counted.
    pub fn bits_per_weight(&self) -> f64 {
        let elements: u64 = self.groups.iter().map(TunedGroup::elements).sum();
        8.0 * self.bytes() as f64 / elements.max(1) as f64
    }

    /// What was compiled and how it was judged, in words; nothing before that.
    pub fn judgement(&self) -> Option<String> {
        let judged = self.judged?;
        let figure = |figure: Option<f64>| figure.map_or("not measured".into(), |db| format!("{db:.1} dB"));
        let on =
            if self.judged_apart { "on samples that chose nothing" } else { "on the samples that checked it, too" };
        Some(format!("compiled, {on}: simulated {}, NPU {}", figure(judged.simulated), figure(judged.npu)))
    }

    /// What of it a reader may rely on: every choice of a layer is one of its choices, and numbers are finite.
    pub fn is_sound(&self) -> bool {
        let layers = || self.groups.iter().flat_map(|group| &group.layers);
        layers().all(|layer| layer.chosen < layer.choices.len())
            && layers().flat_map(|layer| &layer.choices).all(|choice| choice.noise.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_what_takes_most_noise_away_for_its_bytes() {
        let choice = |integer, block, bytes, noise| TunedChoice {
            bits: Choice::Weights(WeightBits { integer, block }),
            bytes,
            noise,
        };
        let layer = TunedLayer {
            name: "w".into(),
            elements: 1000,
            multiply_adds: 0,
            base: Choice::Weights(IntegerType::Int8.into()),
            chosen: 0,
            choices: vec![
                choice(IntegerType::Int4, None, 500, 1.0),
                choice(IntegerType::Int4, Some(64), 520, 0.3),
                choice(IntegerType::Int8, None, 1000, 0.01),
            ],
        };
        let then = |bits: WeightBits| layer.better(bits).map(|(_, then)| then.bytes);
        assert_eq!(then(IntegerType::Int4.into()), Some(520));
        assert_eq!(then(WeightBits { integer: IntegerType::Int4, block: Some(64) }), Some(1000));
        assert_eq!(then(IntegerType::Int8.into()), None);
        assert_eq!(then(IntegerType::Int16.into()), None);
    }
}
