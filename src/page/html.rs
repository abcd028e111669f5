//! The page as one HTML file.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::base64::base64;
use super::table::Table;
use super::{Subject, calibration, provenance, sections, sizes, weak};
use crate::error::{Error, Result};
use crate::text::escape;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole file.
///
/// # Errors
/// None that a user can cause.
pub fn html(subject: &Subject) -> Result<String> {
    let title = format!("{} for {}", subject.report.model, subject.report.target);
    let mut body = String::new();
    head(subject, &title, &mut body);
    verdict(subject, &mut body);
    layers(subject, &mut body);
    weigh(subject, &mut body);
    picture(subject, &mut body);
    samples(subject, &mut body);
    origin(subject, &mut body);
    let data = json!({ "parts": subject.parts, "against": subject.other.as_ref().map(|other| &other.name) });
    let data = serde_json::to_string(&data).map_err(|error| Error::internal("page", error))?;
    // Within a script element the text of a file can end nothing but a JSON string.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let hash = |text: &str| base64(&Sha256::digest(text.as_bytes()));
    // Only this script and this style, and no network.
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&title)
    ))
}

fn head(subject: &Subject, title: &str, body: &mut String) {
    let other = subject.other.as_ref().map(|other| format!(" beside {}", other.name)).unwrap_or_default();
    let made = &subject.manifest.tool;
    let line = format!("{}{other}, made by {} {}", subject.name, made.name, made.version);
    body.push_str(&format!("<header><h1>{}</h1><p>{}</p></header>\n<main>\n", escape(title), escape(&line)));
}

fn section(id: &str, title: &str, body: &mut String) {
    body.push_str(&format!("<section id=\"{id}\">\n<h2>{}</h2>\n", escape(title)));
}

fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escape(text))
}

fn folded(title: &str, table: &Table, body: &mut String) {
    body.push_str(&format!("<details><summary>{}</summary>\n{}</details>\n", escape(title), table.html()));
}

fn verdict(subject: &Subject, body: &mut String) {
    section("verdict", "Verdict", body);
    let (state, sentence) = subject.verdict();
    body.push_str(&format!("<p class=\"verdict {}\">{}</p>\n", state.class(), escape(&sentence)));
    for failure in &subject.report.failures {
        body.push_str(&format!("<p class=\"bad\">{}</p>\n", escape(failure)));
    }
    for warning in &subject.report.warnings {
        body.push_str(&note(&warning.line()));
    }
    if !subject.report.left_out.is_empty() {
        body.push_str(&note(&format!("Not measured: {}.", subject.report.left_out.join(", "))));
    }
    if let Some((table, more)) = sections::findings(subject) {
        body.push_str(&table.html());
        if more > 0 {
            body.push_str(&note(&format!("{more} more are not shown here.")));
        }
    }
    body.push_str(&sections::partitions(subject).html());
    let samples = &subject.report.samples;
    body.push_str(&note(&format!(
        "Against the float reference on {} samples of the recipe {}, up to {} decode steps each. NPU is the context binary \
         with the NPU's own arithmetic; simulated is the quantized model on a CPU.",
        samples.samples, samples.recipe, samples.decode_steps
    )));
    folded("Every output", &sections::outputs(subject), body);
    body.push_str("<h3>Whole sequences on each engine's own state</h3>\n");
    body.push_str(&sections::sequences(subject).html());
    body.push_str("<h3>Questions with known answers</h3>\n");
    let evaluations = sections::evaluations(subject);
    match evaluations.is_empty() {
        true => body.push_str(&note("Not evaluated; `autoneural eval` asks them.")),
        false => body.push_str(&evaluations.html()),
    }
    body.push_str("</section>\n");
}

/// The script fills it.
fn layers(subject: &Subject, body: &mut String) {
    section("layers", "Layers", body);
    body.push_str("<h3>Where it is weak</h3>\n");
    body.push_str(&note(&weak::explanation(subject)));
    let weak = weak::table(subject);
    if !weak.is_empty() {
        body.push_str(&weak.html());
    }
    body.push_str("<h3>Every layer</h3>\n");
    let count: usize = subject.parts.iter().map(|part| part.layers.len()).sum();
    let measured: Vec<&str> =
        subject.parts.iter().filter(|part| part.measured).map(|part| part.name.as_str()).collect();
    body.push_str(&note(&match measured.len() {
        0 => format!(
            "{count} layers. Single layers were not measured in this verification: SQNR is that of the outputs."
        ),
        all if all == subject.parts.len() => format!("{count} layers."),
        _ => format!("{count} layers. Single layers were measured in {} only.", measured.join(", ")),
    }));
    body.push_str("<noscript><p>The layers need JavaScript; it is in this file.</p></noscript>\n<div id=\"app\"></div>\n</section>\n");
}

fn weigh(subject: &Subject, body: &mut String) {
    section("sizes", "Size", body);
    match (sizes::device(subject), sizes::partitions(subject), sizes::total(&subject.report)) {
        (Some(device), Some(partitions), Some(total)) => {
            body.push_str(&note(&format!(
                "A device that runs all partitions holds {total}. What the driver takes is not in it."
            )));
            body.push_str(&device.html());
            body.push_str(&partitions.html());
        }
        _ => body.push_str(&note("Not measured: the report has no sizes.")),
    }
    body.push_str("</section>\n");
}

fn picture(subject: &Subject, body: &mut String) {
    section("partitions", "Partitions", body);
    // As an image, a drawing can run nothing.
    let drawing = base64(subject.picture.as_bytes());
    body.push_str("<div class=\"wide\"><img alt=\"The partitions and the tensors between them\" ");
    body.push_str(&format!("src=\"data:image/svg+xml;base64,{drawing}\"></div>\n</section>\n"));
}

fn samples(subject: &Subject, body: &mut String) {
    section("samples", "Samples", body);
    let recipe = &subject.recipe;
    let (calibration, verification) = (recipe.calibration.len(), recipe.verification.len());
    body.push_str(&note(&format!(
        "Recipe {}: {calibration} samples for the ranges, {verification} for verification.",
        recipe.name
    )));
    let settled = calibration::settled(subject);
    if !settled.is_empty() {
        body.push_str(&note(
            "A range is settled after the run behind which nothing widened it by more than 1 %. A run is a picture for vision and \
             projector, a chunk of a prompt or a token for the language model; all chunks of all samples come first. Runs are \
             enough where 99 % of the ranges settled in the first four fifths of them.",
        ));
        body.push_str(&settled.html());
    }
    folded("Every sample", &provenance::samples(subject), body);
    body.push_str("</section>\n");
}

fn origin(subject: &Subject, body: &mut String) {
    section("provenance", "Provenance", body);
    body.push_str(&provenance::facts(subject).html());
    if let Some(table) = provenance::differences(subject) {
        match table.is_empty() {
            true => body.push_str(&note("Both are made from the same weights and settings.")),
            false => body.push_str(&table.html()),
        }
    }
    for given in &subject.manifest.given_encodings {
        body.push_str(&note(&format!("Encodings given: {}, sha256 {}", given.path, given.sha256)));
    }
    folded("Every file of the bundle", &provenance::files(subject), body);
    body.push_str("</section>\n</main>\n");
}
