//! The section of what `autoneural eval` found: sets of samples, questions with known answers, or texts.

use super::subject::Subject;
use super::table::note;
use super::{glance, sections, sets, texts};

/// What the figures of sets are.
const SETS_NOTE: &str = "Every sample goes through all graphs on each engine, so errors add up from graph to graph. SQNR \
                         is over all samples together; 5 % of the samples are below the 5th percentile.";

/// The section.
pub(crate) fn html(subject: &Subject) -> String {
    let tables =
        [sets::classes(subject), sets::outputs(subject), sections::evaluations(subject), texts::texts(subject)];
    let mut body = String::new();
    match subject.report.array_evaluations.is_empty() {
        true => body.push_str("<h3 id=\"questions\">Questions with known answers</h3>\n"),
        false => {
            body.push_str(&format!("<h3 id=\"questions\">Sets of samples</h3>\n{}", note(SETS_NOTE)));
        }
    }
    tables.iter().filter(|table| !table.is_empty()).for_each(|table| body.push_str(&table.html()));
    if tables.iter().all(|table| table.is_empty()) {
        let name = shlex::try_quote(&subject.name).unwrap_or_default();
        body.push_str(&note(&format!("Accuracy: {}.", glance::not_evaluated(subject))));
        body.push_str(&note(&format!("To evaluate: autoneural eval {name} --set DIR --on float,npu")));
    }
    body
}
