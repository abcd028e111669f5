//! Sorting by Python's order, in which not all values can be compared.

use std::cmp::Ordering;

use minijinja::value::Value;

use super::values::{Given, compare};

/// Sorts by a key, equal ones in the order in which they came.
pub(crate) fn sort_by<T>(all: &mut [T], key: impl Fn(&T) -> Given<Value>) -> Given<()> {
    let mut failure = None;
    let mut order = |left: &T, right: &T| {
        let ordered = key(left).and_then(|left| Ok((left, key(right)?)));
        match ordered.and_then(|(left, right)| compare(&left, &right, "<")) {
            Ok(ordering) => ordering.unwrap_or(Ordering::Equal),
            Err(error) => {
                failure.get_or_insert(error);
                Ordering::Equal
            }
        }
    };
    all.sort_by(&mut order);
    failure.map_or(Ok(()), Err)
}
