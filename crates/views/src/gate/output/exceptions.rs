//! Exceptions: those in force, in a line each, and those that would be needed, as the thresholds take them.

use std::collections::BTreeMap;

use crate::gate::check::days;
use crate::gate::{Check, Date, ExceptionReport, Judgement, Outcome, Rule, State, plain};

/// Places of a partition that are named one by one; of more a glob stands for all.
const MOST_PLACES: usize = 3;
/// How long a proposed exception holds, in days.
const PROPOSED_DAYS: u64 = 90;

/// A line for each exception.
pub fn lines(judgement: &Judgement) -> impl Iterator<Item = String> {
    judgement.exceptions.iter().map(|exception| plain(&line(exception)))
}

fn line(exception: &ExceptionReport) -> String {
    let limit = exception.limit.map_or(String::new(), |limit| format!(", limit {limit}"));
    let (subject, reason) = (exception.subject(), &exception.reason);
    let (last_day, left) = (exception.last_day, days(exception.days_left));
    match exception.state {
        State::Expired => format!("{subject}{limit}: over since {last_day}: {reason}"),
        State::Unmatched => format!("{subject}{limit}: until {last_day}, {left}, fits no check: {reason}"),
        State::Unneeded => format!("{subject}{limit}: until {last_day}, {left}, not needed now: {reason}"),
        State::Used => format!("{subject}{limit}: until {last_day}, {left}: {reason}"),
    }
}

/// An exception that is needed.
struct Needed<'a> {
    rule: Rule,
    place: String,
    limit: Option<f64>,
    check: &'a Check,
}

/// What would have to be excepted for a bundle to pass, in the order of the checks.
fn needed(judgement: &Judgement) -> Vec<Needed<'_>> {
    let mut groups: BTreeMap<(Rule, &str, Outcome), Vec<&Check>> = BTreeMap::new();
    let mut order = Vec::new();
    for check in &judgement.checks {
        let is_told = matches!(check.outcome, Outcome::Failed | Outcome::Unjudged);
        if !is_told || !check.rule.can_be_excepted() {
            continue;
        }
        let key = (check.rule, check.place.partition.as_str(), check.outcome);
        let group = groups.entry(key).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(check);
    }
    let mut made = Vec::new();
    for key in order {
        let checks = &groups[&key];
        let places: Vec<String> = checks.iter().flat_map(|check| places(check)).collect();
        let (rule, partition, _) = key;
        let of = |check: &Check| check.needs;
        if places.len() > MOST_PLACES && !partition.is_empty() {
            let limits = checks.iter().map(|check| of(check));
            // Where one needs to be free of limits, all are.
            let limit = limits.reduce(|a, b| Some(if rule.is_floor() { a?.min(b?) } else { a?.max(b?) })).flatten();
            made.push(Needed { rule, place: format!("{}: *", glob(partition)), limit, check: checks[0] });
            continue;
        }
        for check in checks {
            made.extend(self::places(check).into_iter().map(|place| Needed { rule, place, limit: of(check), check }));
        }
    }
    made
}

/// The places that an exception from a check is for: tensors that moved are one each.
fn places(check: &Check) -> Vec<String> {
    let is_of_tensors = matches!(check.rule, Rule::ActivationsMoved | Rule::ConstantsMoved);
    match is_of_tensors && !check.about.is_empty() {
        true => check.about.iter().map(|name| glob(&format!("{}: {name}", check.place.partition))).collect(),
        false => vec![glob(&check.place.to_string())],
    }
}

/// A place as a glob: what a terminal would obey is left open.
fn glob(place: &str) -> String {
    plain(place).replace('\u{fffd}', "*")
}

/// The exceptions that a bundle needs to pass, for the thresholds; their reasons are left to people, and refused until
/// then.
pub fn snippets(judgement: &Judgement, today: Date) -> String {
    let all = needed(judgement);
    match all.is_empty() {
        true => "# No exception is needed.\n".to_string(),
        false => all.iter().map(|needed| snippet(needed, today)).collect::<Vec<_>>().join("\n"),
    }
}

/// The exception for the first cause, and how many it takes for all; `None` if nothing failed, or no exception helps.
pub(crate) fn first_snippet(judgement: &Judgement, today: Date) -> Option<(String, usize)> {
    let first = judgement.causes.iter().map(|cause| &judgement.checks[cause.check]);
    let first =
        first.filter(|check| check.rule.can_be_excepted()).map(|check| (check.rule, &check.place.partition)).next()?;
    let all = needed(judgement);
    let needed = all.iter().find(|needed| (needed.rule, &needed.check.place.partition) == first)?;
    Some((snippet(needed, today), all.len()))
}

fn snippet(needed: &Needed, today: Date) -> String {
    // A string of JSON is one of TOML where nothing in it is a control character.
    let string = |text: &str| serde_json::Value::from(text).to_string();
    let limit = match (needed.limit, needed.rule.unit()) {
        (Some(limit), Some(unit)) => format!("limit = {limit:?} #{}\n", if unit.is_empty() { " nodes" } else { unit }),
        _ => String::new(),
    };
    format!(
        "[[exception]]\nplace = {}\ncheck = {}\n{limit}reason = \"\" # say why; an empty one is refused\nlast_day = \
         {}\n",
        string(&needed.place),
        string(needed.rule.id()),
        today.days_later(PROPOSED_DAYS),
    )
}
