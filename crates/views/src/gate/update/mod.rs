//! A new baseline in place of an old one. It is judged by the thresholds, as a bundle is: what is worse than they allow
//! is not accepted without leave. What is worse within them stays as it was accepted, so that no number of updates
//! drifts further than one bundle may; what is better is taken. What is under an exception stays as it was in every
//! respect, so that a bundle without what the exception is for passes again.

mod changes;
mod encodings;
mod excepted;
mod facts;
mod held;
mod sets;

use std::collections::BTreeSet;

pub use changes::{Change, Changes, Group};

use super::check::Location;
use super::date::Date;
use super::facts::Facts;
use super::judge::{Judge, Measure, NPU_DB, TOKENS};
use super::look::look;
use super::rule::Rule;
use super::thresholds::Thresholds;
use autoneural_app::report::Report;
use held::{Held, Update};

/// What a baseline becomes with a bundle, and what that changes. The facts are to be written where nothing is looser;
/// to accept what is, the facts of the bundle itself are.
pub fn update(before: &Facts, now: &Facts, report: &Report, thresholds: &Thresholds, today: Date) -> (Facts, Changes) {
    let mut update = Update { judge: Judge::new(thresholds, today), changes: Changes::default() };
    let mut made = now.clone();
    update.partitions(before, now, &mut made);
    let sequences = Location::of("", "sequences");
    let (old, new) = (before.chain.logits_db, now.chain.logits_db);
    let simulated = update.judge.column(old, new).1;
    let held =
        Held { group: Group::Sequences, rule: Rule::ChainSqnr, what: "logits", measure: Measure::Drop, unit: NPU_DB };
    made.chain.logits_db = update.columns(&held, &sequences, thresholds.chain.drop_db, simulated, old, new);
    let (old, new) = (before.chain.same_token_percent, now.chain.same_token_percent);
    let simulated = update.judge.column(old, new).1;
    let held = Held { rule: Rule::ChainTokens, what: "tokens", unit: TOKENS, ..held };
    let limit = thresholds.chain.same_token_drop_points;
    made.chain.same_token_percent = update.columns(&held, &sequences, limit, simulated, old, new);
    let place = Location::of("", "device");
    let limit = thresholds.size.device_growth_percent;
    made.device_bytes = update.bytes(Rule::DeviceSize, &place, limit, before.device_bytes, now.device_bytes);
    update.evaluations(before, now, &mut made);
    update.sets(before, now, &mut made);
    update.goals(before, now, &mut made);
    for (is_version, old, new) in [(true, &before.versions, &now.versions), (false, &before.inputs, &now.inputs)] {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let message = match (old.get(name), new.get(name)) {
                (Some(_), Some(_)) if !is_version => "is another file".to_string(),
                (Some(old), Some(new)) => format!("version {new}, {old} before"),
                (None, _) => "is new".to_string(),
                (_, None) => "is gone".to_string(),
            };
            // Versions are few and tell more than the files.
            let size = f64::from(u8::from(is_version));
            update.changes.others.push(Change { group: Group::Versions, place: Location::of("", name), message, size });
        }
    }
    let mut judge = Judge::new(thresholds, today);
    look(&mut judge, before, now, report);
    update.keep_excepted(&judge.finish().0, before, &mut made);
    update.changes.sort();
    (made, update.changes)
}
