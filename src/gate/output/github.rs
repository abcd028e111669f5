//! Annotations of GitHub Actions (workflow commands `::error` and `::warning`), at their line in the baseline. GitHub shows
//! ten of each at a step, so no more are given.

use super::{MOST_SHOWN, Statement, count, message, of};
use crate::gate::{Outcome, plain};

/// One line per annotation.
pub fn github(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => {
            return format!("::error title=autoneural gate::could not be judged: {}\n", data(&plain(why)));
        }
    };
    let mut text = String::new();
    for (outcomes, command) in [(&[Outcome::Failed, Outcome::Unjudged][..], "error"), (&[Outcome::Warning], "warning")]
    {
        let checks: Vec<_> = outcomes.iter().flat_map(|outcome| of(judgement, *outcome)).collect();
        // The last place says how many there are.
        let shown = if checks.len() > MOST_SHOWN { MOST_SHOWN - 1 } else { checks.len() };
        for check in &checks[..shown] {
            let (file, line) = (property(&plain(&statement.located.path.to_string_lossy())), statement.line(check));
            let said = data(&format!("{}: {}", plain(&check.place.to_string()), message(check)));
            text.push_str(&format!("::{command} file={file},line={line},title={}::{said}\n", check.rule.id()));
        }
        if shown < checks.len() {
            let more = count(checks.len() - shown, "more check");
            text.push_str(&format!("::{command} title=autoneural gate::{more}, all in the summary\n"));
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
