//! What the gate found: the first of what got worse on top, and under it what follows.

use super::subject::Subject;
use super::table::{Cell, Table};
use crate::gate::output::{exception_lines, follow};
use crate::gate::{Cause, Check, Judgement, Outcome, plain};

/// Lines of a list that are shown at most.
const MOST: usize = 50;

/// A cause of failed checks.
pub struct Finding {
    /// Where it is and what happened there.
    pub text: String,
    /// What follows from it, in a line; nothing where nothing does.
    pub follows: Option<String>,
    /// The checks that follow.
    pub checks: Table,
}

/// The causes of what failed, those that most follows from first, and how many are left out.
pub fn causes(subject: &Subject) -> (Vec<Finding>, usize) {
    let Some(gate) = &subject.gate else { return (vec![], 0) };
    let judgement = &gate.judgement;
    let more = judgement.causes.len().saturating_sub(MOST);
    (judgement.causes.iter().take(MOST).map(|cause| finding(judgement, cause)).collect(), more)
}

fn finding(judgement: &Judgement, cause: &Cause) -> Finding {
    let rule = judgement.checks.get(cause.check).map_or("", |check| check.rule.id());
    let follows = cause.follows.iter().filter_map(|&at| judgement.checks.get(at));
    Finding {
        text: format!("{}: {} ({rule})", plain(&cause.place.to_string()), plain(&cause.message)),
        follows: follow(judgement, cause).map(|line| plain(&line)),
        checks: table(follows.take(MOST)),
    }
}

/// What could not be judged, and warnings; and how many are left out.
pub fn others(subject: &Subject) -> (Table, usize) {
    let checks = || {
        let all = subject.gate.iter().flat_map(|gate| &gate.judgement.checks);
        all.filter(|check| matches!(check.outcome, Outcome::Unjudged | Outcome::Warning))
    };
    (table(checks().take(MOST)), checks().count().saturating_sub(MOST))
}

/// The exceptions of the thresholds, a line each, also where all is well.
pub fn exceptions(subject: &Subject) -> Vec<String> {
    subject.gate.as_ref().map_or(vec![], |gate| exception_lines(&gate.judgement).collect())
}

fn table<'a>(checks: impl Iterator<Item = &'a Check>) -> Table {
    let mut table = Table::new(&["", "where", "check", "what"]);
    for check in checks {
        let word = match check.outcome {
            Outcome::Failed => Cell::Fault("failed".into()),
            Outcome::Unjudged => Cell::text("not judged"),
            _ => Cell::text("warning"),
        };
        let place = plain(&check.place.to_string());
        table.row(vec![word, Cell::Text(place), Cell::text(check.rule.id()), Cell::Text(plain(&check.message))]);
    }
    table
}
