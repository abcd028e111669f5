//! A figure against that of a baseline or of another bundle: always this bundle against the other. More than 0 is
//! better and says so in words, with and without colour; what is within the tolerance of the gate is the same.

use crate::gate::Thresholds;
use autoneural_base::text::bytes;

/// How a figure turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trend {
    /// Better than the other by more than the tolerance.
    Better,
    /// Within the tolerance.
    Same,
    /// Worse than the other by more than the tolerance.
    Worse,
}

impl Trend {
    /// Of a gain, which is above 0 where this bundle is better.
    pub(crate) fn of(gain: f64, tolerance: f64) -> Self {
        // As the gate rounds: 0.5 is not 0.5000000001.
        match (gain * 1e6).round() / 1e6 {
            gain if gain > tolerance => Trend::Better,
            gain if gain < -tolerance => Trend::Worse,
            _ => Trend::Same,
        }
    }

    /// The word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Trend::Better => "better",
            Trend::Same => "same",
            Trend::Worse => "worse",
        }
    }
}

/// A figure of this bundle against that of another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// How it turned out.
    pub turn: Trend,
    /// The word, and by how much.
    pub text: String,
}

impl Change {
    /// Of a figure of which more is better, such as SQNR.
    pub(crate) fn of(ours: f64, theirs: f64, tolerance: f64, digits: usize, unit: &str) -> Self {
        Change::new(Trend::of(ours - theirs, tolerance), ours - theirs, digits, unit)
    }

    /// Of a figure of which less is better, such as perplexity.
    pub(crate) fn of_less(ours: f64, theirs: f64, tolerance: f64, digits: usize, unit: &str) -> Self {
        let less = if ours > theirs { "more" } else { "less" };
        let turn = Trend::of(theirs - ours, tolerance);
        let amount = format!("{:.digits$}{unit}", (ours - theirs).abs());
        Change { turn, text: Change::words(turn, &amount, less) }
    }

    /// Of bytes; the tolerance is in percent of theirs.
    pub(crate) fn of_bytes(ours: u64, theirs: u64, percent: f64) -> Self {
        let turn = Trend::of(theirs as f64 - ours as f64, theirs as f64 * percent / 100.0);
        let less = if ours > theirs { "more" } else { "less" };
        let amount = if ours == theirs { String::new() } else { bytes(ours.abs_diff(theirs)) };
        Change { turn, text: Change::words(turn, &amount, less) }
    }

    fn words(turn: Trend, amount: &str, less: &str) -> String {
        let is_zero = amount.chars().all(|c| !c.is_ascii_digit() || c == '0');
        if is_zero { turn.word().into() } else { format!("{} ({amount} {less})", turn.word()) }
    }

    fn new(turn: Trend, gain: f64, digits: usize, unit: &str) -> Self {
        let amount = format!("{gain:+.digits$}");
        // What rounds to 0 has no sign.
        match amount.trim_start_matches(['+', '-']).parse() == Ok(0.0) {
            true => Change { turn, text: turn.word().into() },
            false => Change { turn, text: format!("{} ({amount}{unit})", turn.word()) },
        }
    }
}

/// Up to where two figures are the same: what the gate allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerances {
    /// SQNR of outputs in dB.
    pub output_db: f64,
    /// SQNR of layers in dB.
    pub layer_db: f64,
    /// Layers that reach this differ by nothing that matters.
    pub layer_enough_db: f64,
    /// SQNR of whole sequences in dB.
    pub chain_db: f64,
    /// Tokens of whole sequences in points of percent.
    pub token_points: f64,
    /// Exact answers in points of percent.
    pub accuracy_points: f64,
    /// Perplexity in percent.
    pub perplexity_percent: f64,
    /// All that a device holds in percent.
    pub device_percent: f64,
    /// Ranges of activations in percent of the range.
    pub range_percent: f64,
    /// Scales of constants in percent of the scale.
    pub scale_percent: f64,
}

impl Tolerances {
    /// Those of the gate.
    pub(crate) fn of(thresholds: &Thresholds) -> Self {
        Tolerances {
            output_db: thresholds.outputs.drop_db,
            layer_db: thresholds.layers.drop_db,
            layer_enough_db: thresholds.layers.enough_db,
            chain_db: thresholds.chain.drop_db,
            token_points: thresholds.chain.same_token_drop_points,
            accuracy_points: thresholds.evaluation.accuracy_drop_points,
            perplexity_percent: thresholds.evaluation.perplexity_rise_percent,
            device_percent: thresholds.size.device_growth_percent,
            range_percent: thresholds.encodings.range_moved_percent,
            scale_percent: thresholds.encodings.scale_moved_percent,
        }
    }

    /// A layer against the same of the other.
    pub(crate) fn layer(&self, ours: f64, theirs: f64) -> Trend {
        let enough = |db: f64| db.min(self.layer_enough_db);
        Trend::of(enough(ours) - enough(theirs), self.layer_db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_positive_and_says_so() {
        let db = |ours, theirs| Change::of(ours, theirs, 1.0, 2, " dB").text;
        assert_eq!(db(31.67, 30.0), "better (+1.67 dB)");
        assert_eq!(db(30.0, 31.67), "worse (-1.67 dB)");
        assert_eq!(db(30.5, 30.0), "same (+0.50 dB)");
        assert_eq!(db(30.0, 31.0), "same (-1.00 dB)");
        assert_eq!(db(30.001, 30.0), "same");
    }

    #[test]
    fn less_is_better_where_it_is() {
        let perplexity = |ours, theirs| Change::of_less(ours, theirs, 0.01, 4, "").text;
        assert_eq!(perplexity(1.0, 1.05), "better (0.0500 less)");
        assert_eq!(perplexity(1.05, 1.0), "worse (0.0500 more)");
        assert_eq!(perplexity(1.0, 1.0), "same");
        assert_eq!(Change::of_bytes(1_000, 3_000, 1.0).text, "better (2.0 kB less)");
        assert_eq!(Change::of_bytes(1_001, 1_000, 1.0).text, "same (1 B more)");
        assert_eq!(Change::of_bytes(2_000, 1_000, 1.0).text, "worse (1.0 kB more)");
        assert_eq!(Change::of_bytes(7, 7, 0.0).text, "same");
    }

    #[test]
    fn layers_that_are_good_enough_are_the_same() {
        let tolerances = Tolerances::of(&Thresholds::read(None).unwrap());
        assert_eq!(tolerances.layer(60.0, 90.0), Trend::Same);
        assert_eq!(tolerances.layer(47.0, 90.0), Trend::Worse);
        assert_eq!(tolerances.layer(40.0, 30.0), Trend::Better);
    }
}
