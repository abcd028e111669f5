//! Annotations of GitHub Actions (workflow commands `::error`, `::warning` and `::notice`), at their line in the
//! baseline. GitHub shows ten of each at a step, so no more are given: what follows from a failed check is counted
//! there, and an exception is a notice.

use super::exceptions;
use super::statement::Statement;
use super::words::{MOST_SHOWN, cause_message, follow, message, of};
use crate::gate::{Check, Location, Outcome, Rule, plain};

/// One line per annotation.
pub fn github(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => {
            return format!("::error title=autoneural gate::could not be judged: {}\n", data(&plain(why)));
        }
    };
    let file = property(&plain(&statement.located.path.to_string_lossy()));
    let at = |rule: Rule, place: &Location, message: &str| {
        let (line, id) = (statement.line(rule, place), rule.id());
        format!(" file={file},line={line},title={id}::{}\n", data(message))
    };
    let of_check = |check: &Check| {
        at(check.rule, &check.place, &format!("{}: {}", plain(&check.place.to_string()), message(check)))
    };
    let mut text = String::new();
    let causes = judgement.causes.iter().map(|cause| {
        let follow = follow(judgement, cause).map_or(String::new(), |follow| format!("; {follow}"));
        at(judgement.checks[cause.check].rule, &cause.place, &format!("{}{follow}", cause_message(judgement, cause)))
    });
    let unjudged = of(judgement, Outcome::Unjudged);
    let (number, errors) =
        (judgement.causes.len() + judgement.count(Outcome::Unjudged), causes.chain(unjudged.map(of_check)));
    list(&mut text, "error", number, errors);
    list(&mut text, "warning", judgement.count(Outcome::Warning), of(judgement, Outcome::Warning).map(of_check));
    let title = |exception: String| format!(" title=autoneural gate%3A exception::{}\n", data(&exception));
    list(&mut text, "notice", judgement.exceptions.len(), exceptions::lines(judgement).map(title));
    text
}

/// As many of a number of annotations as are shown; the last place says how many more there are.
fn list(text: &mut String, command: &str, number: usize, annotations: impl Iterator<Item = String>) {
    let shown = if number > MOST_SHOWN { MOST_SHOWN - 1 } else { number };
    annotations.take(shown).for_each(|one| text.push_str(&format!("::{command}{one}")));
    if shown < number {
        let more = number - shown;
        text.push_str(&format!("::{command} title=autoneural gate::{more} more, all in the summary\n"));
    }
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
