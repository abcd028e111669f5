//! The page as one HTML file.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::base64::base64;
use super::state::State;
use super::subject::Subject;
use super::table::{Table, breakable, note};
use super::{accuracy, calibration, changes, findings, glance, provenance, sections, sizes, speed, weak};
use autoneural_app::report::VerdictState;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::escape;

/// What a page was held against stands in it under this name.
const COMPARED: &str = "<meta name=\"autoneural-compared\" content=\"";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a page that this program made was held against, as it stands in the page's beginning; nothing in other text.
pub fn compared_with(page: &str) -> Option<String> {
    let text = page.split_once(COMPARED)?.1.split_once('"')?.0;
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let plain = marks.iter().fold(text.to_string(), |text, (mark, character)| text.replace(mark, character));
    (!plain.is_empty()).then_some(plain)
}

/// The whole file.
///
/// # Errors
/// None that a user can cause.
pub fn html(subject: &Subject) -> Result<String> {
    let title = format!("{} for {}", subject.report.model, subject.report.target);
    let mut body = String::new();
    head(subject, &title, &mut body);
    verdict(subject, &mut body);
    changed(subject, &mut body);
    layers(subject, &mut body);
    weigh(subject, &mut body);
    samples(subject, &mut body);
    origin(subject, &mut body);
    picture(subject, &mut body);
    body.push_str("</main>\n");
    let data = json!({ "parts": subject.parts, "against": subject.other.as_ref().map(|other| &other.name) });
    let data = serde_json::to_string(&data).map_err(|error| Error::internal("page", error))?;
    // Within a script element the text of a file can end nothing but a JSON string.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let hash = |text: &str| base64(&Sha256::digest(text.as_bytes()));
    // Only this script and this style, and no network.
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         {COMPARED}{}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&references(subject)),
        escape(&title)
    ))
}

/// What the page is held against, as options of the command line.
fn references(subject: &Subject) -> String {
    let options = subject.references().into_iter().map(|reference| {
        let option = if reference.title == "baseline" { "--baseline" } else { "--against" };
        format!("{option} {}", shlex::try_quote(reference.name).unwrap_or_default())
    });
    options.collect::<Vec<_>>().join(" ")
}

fn head(subject: &Subject, title: &str, body: &mut String) {
    let made = &subject.manifest.tool;
    let names: Vec<String> =
        subject.references().iter().map(|reference| format!("{} {}", reference.title, reference.name)).collect();
    let against = match names.is_empty() {
        true => "not held against a baseline or another bundle".into(),
        false => format!("held against {}", names.join(" and ")),
    };
    let line = format!("Bundle {}, {against}. Made by {} {}.", subject.name, made.name, made.version);
    body.push_str(&format!("<header><h1>{}</h1><p>{}</p>\n<nav class=\"controls\">", escape(title), escape(&line)));
    for (id, title) in SECTIONS {
        if id != "changes" || !names.is_empty() {
            body.push_str(&format!("<a href=\"#{id}\">{title}</a> "));
        }
    }
    body.push_str("</nav></header>\n<main>\n");
}

/// The sections, for the links on top.
const SECTIONS: [(&str, &str); 8] = [
    ("verdict", "Verdict"),
    ("changes", "What changed"),
    ("layers", "Layers"),
    ("speed", "Speed"),
    ("sizes", "Size"),
    ("samples", "Samples"),
    ("provenance", "Provenance"),
    ("partitions", "Picture"),
];

fn section(id: &str, title: &str, body: &mut String) {
    body.push_str(&format!("<section id=\"{id}\">\n<h2>{}</h2>\n", escape(title)));
}

fn folded(title: &str, table: &Table, body: &mut String) {
    body.push_str(&format!("<details><summary>{}</summary>\n{}</details>\n", escape(title), table.html()));
}

fn verdict(subject: &Subject, body: &mut String) {
    section("verdict", "Verdict", body);
    let said = |(state, sentence): (State, String), body: &mut String| {
        body.push_str(&format!("<p class=\"verdict {}\">{}</p>\n", state.class(), escape(&sentence)));
    };
    said(subject.verdict(), body);
    for line in subject.report.verdict.todo(&subject.name) {
        body.push_str(&note(&format!("Next: {line}")));
    }
    if let Some(found) = subject.gate_verdict() {
        said(found, body);
    }
    body.push_str("<dl class=\"glance\">\n");
    for answer in glance::answers(subject) {
        let text = breakable(&answer.text);
        let text = match &answer.link {
            Some(link) => format!("{text} <a class=\"controls\" href=\"#{}\">more</a>", escape(link)),
            None => text,
        };
        body.push_str(&format!("<dt>{}</dt><dd>{text}</dd>\n", breakable(&answer.title)));
    }
    body.push_str("</dl>\n");
    for warning in &subject.report.warnings {
        body.push_str(&note(&format!("Warning: {}", warning.line())));
    }
    if !subject.report.left_out.is_empty() {
        body.push_str(&note(&format!("Not measured: {}.", subject.report.left_out.join(", "))));
    }
    let open = sections::goals(subject, &[VerdictState::Missed, VerdictState::NotMeasured]);
    if !subject.report.verdict.goals.is_empty() {
        body.push_str("<h3>Goals of the recipe and of the command line</h3>\n");
    }
    if !open.is_empty() {
        body.push_str(&open.html());
    }
    match subject.report.verdict.goals_in(VerdictState::Met).count() {
        0 => {}
        1 => folded("1 goal is met", &sections::goals(subject, &[VerdictState::Met]), body),
        met => folded(&format!("{met} goals are met"), &sections::goals(subject, &[VerdictState::Met]), body),
    }
    body.push_str("<h3 id=\"outputs\">Main and worst output of each partition</h3>\n");
    body.push_str(&sections::partitions(subject).html());
    body.push_str(&note(&outputs_note(subject)));
    folded("Every output", &sections::outputs(subject), body);
    folded("Where each output is lowest", &sections::lowest_of_outputs(subject), body);
    body.push_str("<h3 id=\"sequences\">Whole sequences</h3>\n");
    body.push_str(&note(
        "Every engine goes on from its own state, so errors add up from step to step. The tokens are those of float.",
    ));
    body.push_str(&sections::sequences(subject).html());
    body.push_str(&accuracy::html(subject));
    body.push_str("</section>\n");
}

/// Which steps the figures of outputs are from.
fn outputs_note(subject: &Subject) -> String {
    let samples = &subject.report.samples;
    let compared = |partition: &autoneural_app::report::PartitionReport| {
        let steps = &partition.steps;
        match steps.compared {
            0 => None,
            all if all == steps.taken => Some(format!("{} all {all}", partition.name)),
            some => Some(format!("{} {some} of {}", partition.name, steps.taken)),
        }
    };
    let steps: Vec<String> = subject.report.partitions.iter().filter_map(compared).collect();
    let steps = if steps.is_empty() { String::new() } else { format!(" Steps compared: {}.", steps.join(", ")) };
    format!(
        "SQNR against float over the {} verification samples of recipe {}, up to {} decoded tokens each.{steps} Each \
         partition is measured alone, on float inputs. NPU: the context binary on the NPU or its emulator. Simulated: \
         the quantized model on a CPU.{}",
        samples.samples,
        samples.recipe,
        samples.steps,
        match subject.references().is_empty() {
            true => String::new(),
            false => format!(
                " Comparisons are this bundle against the other; a difference of at most {} dB counts as the same, as \
                 in the gate.",
                subject.tolerances.output_db
            ),
        }
    )
}

/// What the gate found: causes on top, what follows from each under it.
fn found(subject: &Subject, body: &mut String) {
    let (causes, more) = findings::causes(subject);
    if !causes.is_empty() {
        body.push_str("<h3>What got worse first</h3>\n");
    }
    for cause in causes {
        body.push_str(&format!("<p class=\"cause bad\">{}</p>\n", breakable(&cause.text)));
        match (cause.follows, cause.checks.is_empty()) {
            (Some(line), false) => folded(&line, &cause.checks, body),
            (Some(line), true) => body.push_str(&note(&line)),
            (None, _) => {}
        }
    }
    if more > 0 {
        body.push_str(&note(&format!("{more} more are not shown here; `autoneural gate` names all.")));
    }
    let (others, more) = findings::others(subject);
    if !others.is_empty() {
        body.push_str(&format!("<h3>Not judged, and warnings</h3>\n{}", others.html()));
    }
    if more > 0 {
        body.push_str(&note(&format!("{more} more are not shown here.")));
    }
    let exceptions = findings::exceptions(subject);
    if !exceptions.is_empty() {
        body.push_str("<h3>Exceptions</h3>\n");
        exceptions.iter().for_each(|line| body.push_str(&note(line)));
    }
}

/// What changed against the baseline and the other bundle.
fn changed(subject: &Subject, body: &mut String) {
    if subject.references().is_empty() {
        return;
    }
    section("changes", "What changed", body);
    found(subject, body);
    for reference in subject.references() {
        body.push_str(&format!("<h3>Against {} {}</h3>\n", reference.title, breakable(reference.name)));
        body.push_str(&note(&format!(
            "This bundle against the other: {}. Differences of at most {} dB of outputs and {} dB of layers count as \
             the same, and so do layers above {} dB.",
            changes::sentence(subject, &reference),
            subject.tolerances.output_db,
            subject.tolerances.layer_db,
            subject.tolerances.layer_enough_db
        )));
        body.push_str(&changes::figures(subject, &reference).html());
        let (places, more) = changes::places(subject, &reference);
        if !places.is_empty() {
            let more = if more > 0 { format!(", {more} more are left out") } else { String::new() };
            folded(&format!("Outputs and layers that got better or worse{more}"), &places, body);
        }
        let tables = [
            (
                "Made from and with",
                changes::made_from(subject, &reference),
                "weights, settings and versions are the same",
            ),
            ("Encodings", changes::encodings(subject, &reference), "the same, but for moves that the gate allows"),
        ];
        for (title, table, same) in tables {
            match table.is_empty() {
                true => body.push_str(&note(&format!("{title}: {same}."))),
                false => body.push_str(&format!("<h4>{title}</h4>\n{}", table.html())),
            }
        }
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
    let steps = layer_steps(subject);
    body.push_str(&note(&match measured.len() {
        0 => format!("{count} layers. Single layers were not measured: SQNR is that of the outputs."),
        all if all == subject.parts.len() => format!("{count} layers. {steps}"),
        _ => format!("{count} layers. Single layers were measured in {} only. {steps}", measured.join(", ")),
    }));
    body.push_str(
        "<noscript><p>The layers need JavaScript, which is in this file.</p></noscript>\n<div \
         id=\"app\"></div>\n</section>\n",
    );
}

/// Which steps the figures of layers are from.
fn layer_steps(subject: &Subject) -> String {
    let of = |partition: &autoneural_app::report::PartitionReport| {
        Some(format!("{} {}", partition.name, partition.layer_step?))
    };
    let steps: Vec<String> = subject.report.partitions.iter().filter_map(of).collect();
    let steps = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join("; ")) };
    format!(
        "Layers are measured in one step{steps}, outputs in all steps that were compared: the same tensor may have \
         another figure as a layer than as an output. Layer figures may differ from the shipped binary, because the \
         compiler fuses operators otherwise where every intermediate value is read."
    )
}

fn weigh(subject: &Subject, body: &mut String) {
    section("speed", "Speed", body);
    body.push_str(&note(speed::NOT_MEASURED));
    body.push_str(&speed::table(subject).html());
    body.push_str("</section>\n");
    section("sizes", "Size", body);
    match (sizes::device(subject), sizes::partitions(subject), sizes::total(&subject.report)) {
        (Some(device), Some(partitions), Some(total)) => {
            body.push_str(&note(&format!(
                "A device that runs all partitions needs {total}. What the driver takes is not counted."
            )));
            body.push_str(&device.html());
            body.push_str(&partitions.html());
        }
        _ => body.push_str(&note("Not measured: the report has no sizes.")),
    }
    body.push_str("</section>\n");
}

fn picture(subject: &Subject, body: &mut String) {
    section("partitions", "Picture of the partitions", body);
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
        "Recipe {}: {calibration} samples for calibration, {verification} for verification.",
        recipe.name
    )));
    let coverage = calibration::coverage(subject);
    if !coverage.is_empty() {
        body.push_str(&note(
            "Were the calibration samples enough? Each range that calibration saw is held against what is left of it \
             without the one run that reaches furthest: a run like it is as likely to come later. They are enough when \
             at most 5 % of the ranges are narrower by more than the room that the recipe gives (headroom), or a tenth.",
        ));
        body.push_str(&coverage.html());
    }
    let settled = calibration::settled(subject);
    if !settled.is_empty() {
        body.push_str(&note(&format!(
            "A range has settled when no later run widens it by more than 1 %; this depends on the order of the runs. {}",
            subject.about_runs
        )));
        body.push_str(&settled.html());
    }
    folded("Every sample", &provenance::samples(subject), body);
    body.push_str("</section>\n");
}

fn origin(subject: &Subject, body: &mut String) {
    section("provenance", "Provenance", body);
    body.push_str(&provenance::facts(subject).html());
    for given in &subject.manifest.given_encodings {
        body.push_str(&note(&format!("Encodings given: {}, sha256 {}", given.path, given.sha256)));
    }
    folded("Every file of the bundle", &provenance::files(subject), body);
    body.push_str("</section>\n");
}
