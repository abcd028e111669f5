//! JUnit XML as Jenkins, GitLab and others read it: a suite per partition, a case per check. A check that could not be
//! judged is an error, a warning or what an exception accepts is a case that passed with output.

use std::collections::BTreeMap;

use super::statement::Statement;
use super::words::{cause_message, causes_of, follow, message};
use crate::gate::{Cause, Check, Judgement, Outcome};
use autoneural_base::text::escape;

/// The whole file.
pub fn junit(statement: &Statement) -> String {
    let mut suites: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut sums = [0usize; 3];
    match statement.result {
        Ok(judgement) => {
            let (above, tops) = (causes_of(judgement), tops(judgement));
            for (at, check) in judgement.checks.iter().enumerate() {
                let suite = if check.place.partition.is_empty() { "bundle" } else { &check.place.partition };
                suites.entry(suite).or_default().push(case(check, &beside(judgement, at, &above, &tops)));
                sums[0] += 1;
                match check.outcome {
                    Outcome::Failed => sums[1] += 1,
                    Outcome::Unjudged => sums[2] += 1,
                    Outcome::Skipped | Outcome::Warning | Outcome::Excepted | Outcome::Passed => {}
                }
            }
        }
        Err(why) => {
            sums = [1, 0, 1];
            suites.insert("gate", vec![element("gate", "judge", &format!("<error message=\"{}\"/>", escape(why)))]);
        }
    }
    // Jenkins' schema allows the sum of what was skipped at a suite alone.
    let [tests, failures, errors] = sums;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"autoneural gate\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"{errors}\">\n"
    );
    for (name, cases) in suites {
        let count = |tag: &str| cases.iter().filter(|case| case.contains(tag)).count();
        text.push_str(&format!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
            escape(name),
            cases.len(),
            count("<failure "),
            count("<error "),
            count("<skipped "),
        ));
        cases.iter().for_each(|case| text.push_str(case));
        text.push_str("</testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// Causes by the position of their check.
fn tops(judgement: &Judgement) -> BTreeMap<usize, &Cause> {
    judgement.causes.iter().map(|cause| (cause.check, cause)).collect()
}

/// What a failed check follows from, or what follows from it, in a line.
fn beside(
    judgement: &Judgement,
    at: usize,
    above: &BTreeMap<usize, &Cause>,
    tops: &BTreeMap<usize, &Cause>,
) -> Vec<String> {
    let follows = above.get(&at).map(|cause| format!("follows from {}", cause_message(judgement, cause)));
    follows.or_else(|| follow(judgement, tops.get(&at)?)).into_iter().collect()
}

fn case(check: &Check, beside: &[String]) -> String {
    let said = escape(&message(check));
    let lines: Vec<String> = beside.iter().chain(&check.details).map(|line| escape(line)).collect();
    let inside = match check.outcome {
        Outcome::Failed => format!("<failure message=\"{said}\">{}</failure>", lines.join("\n")),
        Outcome::Unjudged => format!("<error message=\"{said}\"/>"),
        Outcome::Skipped => format!("<skipped message=\"{said}\"/>"),
        Outcome::Warning => format!("<system-out>warning: {said}</system-out>"),
        Outcome::Excepted => format!("<system-out>accepted: {said}</system-out>"),
        Outcome::Passed => format!("<system-out>{said}</system-out>"),
    };
    element(check.rule.id(), &check.place.to_string(), &inside)
}

fn element(class: &str, name: &str, inside: &str) -> String {
    let (class, name) = (escape(class), escape(name));
    format!("<testcase classname=\"gate.{class}\" name=\"{class}: {name}\" time=\"0\">{inside}</testcase>\n")
}
