//! The section of what `autoneural eval` found: sets of samples, questions with known answers, or texts.

use super::subject::Subject;
use super::table::{Table, note};
use super::{glance, sections, sets, texts};

/// What the figures of sets are.
const SETS_NOTE: &str = "Every sample goes through all graphs on each engine, so errors add up from graph to graph. \
                         SQNR is over all samples together; 5 % of the samples are below the 5th percentile.";

/// The section.
pub(crate) fn html(subject: &Subject) -> String {
    let report = &subject.report;
    let (has_sets, has_questions) = (!report.array_evaluations.is_empty(), !report.evaluations.is_empty());
    let has_texts = !report.texts.is_empty();
    let shown = |table: Table| if table.is_empty() { String::new() } else { table.html() };
    let mut body = String::new();
    if has_sets {
        body.push_str(&format!("<h3 id=\"questions\">Sets of samples</h3>\n{}", note(SETS_NOTE)));
        body.push_str(&shown(sets::classes(subject)));
        body.push_str(&shown(sets::outputs(subject)));
    }
    if has_questions || !has_sets {
        let id = if has_sets { "" } else { " id=\"questions\"" };
        body.push_str(&format!("<h3{id}>Questions with known answers</h3>\n"));
        body.push_str(&shown(sections::evaluations(subject)));
    }
    if has_texts {
        body.push_str("<h3>Texts</h3>\n");
        body.push_str(&shown(texts::texts(subject)));
    }
    if !has_sets && !has_questions && !has_texts {
        let name = shlex::try_quote(&subject.name).unwrap_or_default();
        body.push_str(&note(&format!("Accuracy: {}.", glance::not_evaluated(subject))));
        body.push_str(&note(&format!("To evaluate: autoneural eval {name} --set DIR --on float,npu")));
    }
    body
}
