//! Annotations of GitHub Actions (workflow commands `::error`, `::warning` and `::notice`), at their line in the baseline.
//! GitHub shows ten of each at a step, so no more are given: what follows from a failed check is counted there, and an
//! exception is a notice.

use super::{MOST_SHOWN, Statement, cause_message, exceptions, follow, message, of};
use crate::gate::{Check, Outcome, plain};

/// One line per annotation.
pub fn github(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => {
            return format!("::error title=autoneural gate::could not be judged: {}\n", data(&plain(why)));
        }
    };
    let file = property(&plain(&statement.located.path.to_string_lossy()));
    let at = |check: &Check, message: &str| {
        let (line, id) = (statement.line(check), check.rule.id());
        format!(" file={file},line={line},title={id}::{}\n", data(message))
    };
    let of_check = |check: &Check| at(check, &format!("{}: {}", plain(&check.place.to_string()), message(check)));
    let causes = judgement.causes.iter().map(|cause| {
        let follow = follow(judgement, cause).map_or(String::new(), |follow| format!("; {follow}"));
        let place = Check { place: cause.place.clone(), ..judgement.checks[cause.check].clone() };
        at(&place, &format!("{}{follow}", cause_message(judgement, cause)))
    });
    let errors: Vec<String> = causes.chain(of(judgement, Outcome::Unjudged).map(of_check)).collect();
    let warnings: Vec<String> = of(judgement, Outcome::Warning).map(of_check).collect();
    let title = |exception: String| format!(" title=autoneural gate%3A exception::{}\n", data(&exception));
    let notices: Vec<String> = exceptions::lines(judgement).map(title).collect();
    let mut text = String::new();
    for (command, said) in [("error", errors), ("warning", warnings), ("notice", notices)] {
        // The last place says how many there are.
        let shown = if said.len() > MOST_SHOWN { MOST_SHOWN - 1 } else { said.len() };
        said[..shown].iter().for_each(|one| text.push_str(&format!("::{command}{one}")));
        if shown < said.len() {
            let more = said.len() - shown;
            text.push_str(&format!("::{command} title=autoneural gate::{more} more, all in the summary\n"));
        }
    }
    text
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
