//! JUnit XML as Jenkins, GitLab and others read it: a suite per partition, a case per check. A check that could not be
//! judged is an error, a warning is a case that passed with output.

use std::collections::BTreeMap;

use super::{Statement, message};
use crate::gate::{Check, Outcome};
use crate::text::escape;

/// The whole file.
pub fn junit(statement: &Statement) -> String {
    let mut suites: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut sums = [0usize; 3];
    match statement.result {
        Ok(judgement) => {
            for check in &judgement.checks {
                let suite = if check.place.partition.is_empty() { "bundle" } else { &check.place.partition };
                suites.entry(suite).or_default().push(case(check));
                sums[0] += 1;
                match check.outcome {
                    Outcome::Failed => sums[1] += 1,
                    Outcome::Unjudged => sums[2] += 1,
                    Outcome::Skipped | Outcome::Warning | Outcome::Passed => {}
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

fn case(check: &Check) -> String {
    let said = escape(&message(check));
    let lines: Vec<String> = check.details.iter().map(|line| escape(line)).collect();
    let inside = match check.outcome {
        Outcome::Failed => format!("<failure message=\"{said}\">{}</failure>", lines.join("\n")),
        Outcome::Unjudged => format!("<error message=\"{said}\"/>"),
        Outcome::Skipped => format!("<skipped message=\"{said}\"/>"),
        Outcome::Warning => format!("<system-out>warning: {said}</system-out>"),
        Outcome::Passed => format!("<system-out>{said}</system-out>"),
    };
    element(check.rule.id(), &check.place.to_string(), &inside)
}

fn element(class: &str, name: &str, inside: &str) -> String {
    let (class, name) = (escape(class), escape(name));
    format!("<testcase classname=\"gate.{class}\" name=\"{class}: {name}\" time=\"0\">{inside}</testcase>\n")
}
