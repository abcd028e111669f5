//! Observers: what is kept of a value while samples run, one kind for each [`Want`] but ranges, which [`super::Ranges`]
//! keeps of all values.

use super::{Ask, Exact, Histogram, Means, MinMax, Peaks, SecondMoments, Want};
use crate::ir::ops::Rows;

/// Keeps evidence of one value. What two observers of the same kind saw can be merged.
#[derive(Debug, Clone, PartialEq)]
pub enum Observer {
    /// Of [`Want::Histogram`].
    Histogram(Histogram),
    /// Of [`Want::Means`].
    Means(Means),
    /// Of [`Want::Peaks`].
    Peaks(Peaks),
    /// Of [`Want::SecondMoments`].
    SecondMoments(SecondMoments),
}

impl Observer {
    /// An observer for a request about a value of this shape; `None` if such a value cannot be cut into the requested
    /// rows, or if its range is requested.
    pub fn new(ask: &Ask, shape: &[usize]) -> Option<Self> {
        let groups = ask.rows.groups();
        let width = || ask.rows.width(shape);
        Some(match ask.want {
            Want::Range => return None,
            Want::Histogram => Observer::Histogram(Histogram::default()),
            Want::Means => Observer::Means(Means::new(width()?, groups)),
            Want::Peaks => Observer::Peaks(Peaks::new(width()?, groups)),
            Want::SecondMoments => Observer::SecondMoments(SecondMoments::new(width()?, groups)),
        })
    }

    /// Bytes of memory that the observer of a request takes, for a value of this shape.
    pub fn bytes(ask: &Ask, shape: &[usize]) -> u64 {
        let (groups, width) = (ask.rows.groups(), ask.rows.width(shape).unwrap_or(0));
        let numbers = |count: usize| (count as u64).saturating_mul(width as u64);
        match ask.want {
            Want::Range => size_of::<MinMax>() as u64,
            Want::Histogram => 8 * Histogram::BINS as u64,
            Want::Means => numbers(groups).saturating_mul(Exact::BYTES),
            Want::Peaks => numbers(groups).saturating_mul(4),
            Want::SecondMoments => SecondMoments::bytes(width, groups),
        }
    }

    /// Adds a value of this shape, row-major. `rows` are those of the request.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        match self {
            Observer::Histogram(made) => made.observe(values),
            Observer::Means(made) => made.observe(rows, shape, values),
            Observer::Peaks(made) => made.observe(rows, shape, values),
            Observer::SecondMoments(made) => made.observe(rows, shape, values),
        }
    }

    /// Adds what another observer saw. Returns whether both are of one kind and of the same rows; if not, nothing
    /// changes.
    #[must_use]
    pub fn merge(&mut self, other: &Observer) -> bool {
        match (self, other) {
            (Observer::Histogram(own), Observer::Histogram(other)) => own.merge(other),
            (Observer::Means(own), Observer::Means(other)) => return own.merge(other),
            (Observer::Peaks(own), Observer::Peaks(other)) => return own.merge(other),
            (Observer::SecondMoments(own), Observer::SecondMoments(other)) => return own.merge(other),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::program::Group;

    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -4f32..4.0, 4 => (-9..9i32).prop_map(|n| n as f32), 1 => Just(f32::NAN), 1 => Just(0.0)]
    }

    /// What the observer of a request holds after these runs.
    fn seen(ask: &Ask, runs: &[Vec<f32>]) -> Observer {
        let mut made = Observer::new(ask, &[2, 3]).unwrap();
        runs.iter().for_each(|run| made.observe(&ask.rows, &[run.len() / 3, 3], run));
        made
    }

    fn merged(parts: &[&Observer]) -> Observer {
        let mut made = parts[0].clone();
        parts[1..].iter().for_each(|part| assert!(made.merge(part)));
        made
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn shards_together_are_what_one_pass_is(
            runs in prop::collection::vec(prop::collection::vec(number(), 6), 3..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 2),
        ) {
            let (mut first, mut second) = (cuts[0].index(runs.len() - 1) + 1, cuts[1].index(runs.len() - 1) + 1);
            if first > second {
                std::mem::swap(&mut first, &mut second);
            }
            for want in [Want::Histogram, Want::Means, Want::Peaks, Want::SecondMoments] {
                let ask = Ask::new(&Group::fixed("other"), "x", want, &Rows::LastAxis);
                let whole = seen(&ask, &runs);
                let shards = [&runs[..first], &runs[first..second], &runs[second..]].map(|runs| seen(&ask, runs));
                let [a, b, c] = shards.each_ref();
                // In either order of merging.
                let (left, right) = (merged(&[&merged(&[a, b]), c]), merged(&[a, &merged(&[b, c])]));
                prop_assert_eq!(&whole, &left);
                prop_assert_eq!(&whole, &right);
            }
        }
    }

    #[test]
    fn what_is_of_two_kinds_is_not_put_together() {
        let of = |want| Observer::new(&Ask::new(&Group::fixed("other"), "x", want, &Rows::LastAxis), &[2, 3]).unwrap();
        let mut histogram = of(Want::Histogram);
        assert!(!histogram.merge(&of(Want::Means)));
        assert_eq!(histogram, of(Want::Histogram));
        let ask = Ask::new(&Group::fixed("other"), "x", Want::SecondMoments, &Rows::LastAxis);
        assert_eq!(Observer::new(&ask, &[]), None);
        assert_eq!(Observer::bytes(&ask, &[4, 8192]), 570_634_257);
    }
}
