//! What tuning found, for a terminal.

use super::record::{State, Tuned, TunedGroup};
use autoneural_base::shown::in_line;
use autoneural_base::text::{bytes, columns};

/// A line for each group, and how many layers became what.
pub fn tuned_table(tuned: &Tuned) -> String {
    let mut rows = vec![["group", "layers", "weights", "bits", "predicted", "simulated", "checks"].map(String::from)];
    for group in &tuned.groups {
        rows.push([
            in_line(&group.group).to_string(),
            (group.layers.len() - group.narrow().1).to_string(),
            bytes(group.bytes()),
            format!("{:.2}", 8.0 * group.bytes() as f64 / group.elements().max(1) as f64),
            tuned.figure.words(group.predicted()),
            group.measured().map_or("-".into(), |noise| tuned.figure.words(noise)),
            group.checks.len().to_string(),
        ]);
    }
    let mut text = columns(&rows);
    for group in &tuned.groups {
        text.push_str(&format!("\n{}: {}", in_line(&group.group), kinds(group)));
        if let Some(widths) = &group.widths {
            let (narrow, all) = group.narrow();
            text.push_str(&format!(
                "\n{}: {narrow} of {all} values in 8 bits: {}",
                in_line(&group.group),
                widths.words()
            ));
        }
    }
    if let Some(judgement) = tuned.judgement() {
        text.push_str(&format!("\n{judgement}"));
    }
    let state = match tuned.state {
        State::Guessed => " (a first guess)",
        State::Predicted => " (predicted, not checked)",
        State::Checked | State::Compiled => "",
    };
    let reached = if tuned.reached { "reached" } else { "not reached" };
    text.push_str(&format!("\n\ngoal: {}: {reached}{state}", tuned.goal));
    for line in &tuned.in_the_way {
        text.push_str(&format!("\n  in the way: {}", in_line(line)));
    }
    text
}

/// How many layers are what.
fn kinds(group: &TunedGroup) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for layer in group.layers.iter().filter(|layer| !layer.is_value()) {
        let bits = layer.choice().bits.to_string();
        match counts.iter_mut().find(|(known, _)| *known == bits) {
            Some((_, count)) => *count += 1,
            None => counts.push((bits, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(bits, count)| format!("{count} in {bits}")).collect::<Vec<_>>().join(", ")
}
