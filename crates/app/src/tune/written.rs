//! The recipe that tuning writes: the one it began with, and an exception for each layer that is another than that says,
//! with the reason.

use super::candidates::exception;
use super::record::{Tuned, TunedLayer};
use autoneural_base::shown::in_line;
use autoneural_base::text::bytes;

/// The exceptions as text, with a reason for each choice.
pub fn overrides(tuned: &Tuned) -> String {
    let mut text = format!(
        "# Chosen by `autoneural tune` for {}: {}, {:.2} bits a weight with scales.\n\
         # Figures of a layer are what it alone brings to the outputs, all else in float.\n",
        tuned.goal,
        bytes(tuned.bytes()),
        tuned.bits_per_weight()
    );
    for group in &tuned.groups {
        if let Some(widths) = &group.widths {
            text.push_str(&format!("# {}: {}.\n", in_line(&group.group), widths.words()));
        }
        let noise: f64 = group.predicted();
        for layer in &group.layers {
            let reason = reason(tuned, layer, noise);
            let (name, bits) = (in_line(&layer.name), layer.choice().bits);
            if bits == layer.base {
                text.push_str(&format!("\n# {name} stays {bits}: {reason}\n"));
                continue;
            }
            text.push_str(&format!("\n# {reason}\n{}", exception(&layer.name, bits)));
        }
    }
    text
}

/// Why a layer is what it is.
fn reason(tuned: &Tuned, layer: &TunedLayer, noise: f64) -> String {
    let (own, words) = (layer.choice(), |noise| tuned.figure.words(noise));
    let share = 100.0 * own.noise / noise.max(f64::MIN_POSITIVE);
    let mut made = format!("{}, {share:.1} % of all noise", words(own.noise));
    if let Some((narrow, wide)) = layer.wider() {
        let other = if own == narrow { wide } else { narrow };
        made.push_str(&format!("; {}: {}", other.bits, words(other.noise)));
        return made;
    }
    // The neighbours that are no worse than others of their size.
    let less = layer.choices.iter().filter(|other| other.bytes < own.bytes);
    if let Some(less) = less.min_by(|a, b| a.noise.total_cmp(&b.noise)) {
        made.push_str(&format!("; {}: {}, {} less", less.bits, words(less.noise), bytes(own.bytes - less.bytes)));
    }
    let more = layer.choices.iter().filter(|other| other.noise < own.noise && other.bytes > own.bytes);
    if let Some(more) = more.min_by_key(|other| other.bytes) {
        made.push_str(&format!("; {}: {}, {} more", more.bits, words(more.noise), bytes(more.bytes - own.bytes)));
    }
    if layer.choices.len() == 1 {
        made.push_str("; the recipe or the target leaves no choice");
    }
    made
}
