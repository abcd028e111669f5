//! What tuning found, as one HTML file: the goal, the curve of each group, and what each layer costs.

use sha2::{Digest, Sha256};

use super::base64::base64;
use super::table::{Cell, Table, note};
use crate::drawing;
use autoneural_app::tune::{Tuned, TunedGroup, TunedLayer};
use autoneural_base::text::{bytes, escape};

const STYLE: &str = include_str!("page.css");

/// The whole file. It has no script, and no network.
pub fn tuned_html(tuned: &Tuned) -> String {
    let title = format!("{} for {}, tuned", tuned.model, tuned.target);
    let class = if tuned.reached { "well" } else { "bad" };
    let reached = if tuned.reached { "reached" } else { "not reached" };
    let mut body = format!("<header><h1>{}</h1></header>\n<main>\n", escape(&title));
    let verdict = format!(
        "goal: {}: {reached}, with {} of weights, {:.2} bits each with their scales",
        tuned.goal,
        bytes(tuned.bytes()),
        tuned.bits_per_weight()
    );
    body.push_str(&format!("<p class=\"verdict {class}\">{}</p>\n", escape(&verdict)));
    if let Some(judgement) = tuned.judgement() {
        body.push_str(&note(&judgement));
    }
    for (group, widths) in tuned.groups.iter().filter_map(|group| Some((group, group.widths.as_ref()?))) {
        let (narrow, all) = group.narrow();
        body.push_str(&note(&format!("{}: {narrow} of {all} values in 8 bits: {}.", group.group, widths.words())));
    }
    for line in &tuned.in_the_way {
        body.push_str(&note(&format!("In the way: {line}.")));
    }
    for group in &tuned.groups {
        let drawing = base64(drawing::curve(tuned, group).as_bytes());
        body.push_str(&format!("<section>\n<h2>{}</h2>\n<div class=\"wide\">", escape(&group.group)));
        body.push_str(&format!(
            "<img alt=\"Fidelity over bytes\" src=\"data:image/svg+xml;base64,{drawing}\"></div>\n"
        ));
        body.push_str(&note(
            "Figures of a layer are what it alone brings to the outputs, all else in float. Layers that bring most come \
             first.",
        ));
        body.push_str(&table(tuned, group).html());
        body.push_str("</section>\n");
    }
    let hash = base64(&Sha256::digest(STYLE.as_bytes()));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; img-src \
         data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</main>\n</body>\n</html>\n",
        escape(&title)
    )
}

/// The layers, those that bring most first.
fn table(tuned: &Tuned, group: &TunedGroup) -> Table {
    let noise = group.predicted().max(f64::MIN_POSITIVE);
    let mut layers: Vec<&TunedLayer> = group.layers.iter().collect();
    layers.sort_by(|a, b| b.choice().noise.total_cmp(&a.choice().noise));
    let mut table = Table::new(&[
        "layer, product or value",
        "weights",
        "without tuning",
        "chosen",
        "bytes",
        "alone",
        "share",
        "others",
    ]);
    for layer in layers {
        let own = layer.choice();
        let others = layer.choices.iter().filter(|other| other.bits != own.bits);
        let others = others.map(|other| format!("{}: {}", other.bits, tuned.figure.words(other.noise)));
        table.row(vec![
            Cell::text(&layer.name),
            Cell::Number(layer.elements.to_string()),
            Cell::text(&layer.base.to_string()),
            Cell::text(&own.bits.to_string()),
            Cell::Number(bytes(own.bytes)),
            Cell::Number(tuned.figure.words(own.noise)),
            Cell::Number(format!("{:.1} %", 100.0 * own.noise / noise)),
            Cell::text(&others.collect::<Vec<_>>().join("; ")),
        ]);
    }
    table
}
