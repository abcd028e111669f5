//! Observers: what is kept of the numbers a value takes while samples run.

use serde::{Deserialize, Serialize};

/// Ways to turn observed numbers into a range, as recipes name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObserverKind {
    /// The smallest and the largest number seen.
    MinMax,
}

/// Keeps statistics of a value, never the value itself.
pub trait Observer: Send {
    /// Takes in the numbers of one run.
    fn observe(&mut self, values: &[f32]);
    /// What was seen so far; `None` before the first number.
    fn statistics(&self) -> Option<Statistics>;
}

/// What an observer kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Lower end of the range to cover.
    pub min: f32,
    /// Upper end of the range to cover.
    pub max: f32,
    /// Numbers seen.
    pub count: u64,
    /// Numbers seen that were NaN or infinite; they are in none of the above.
    pub non_finite: u64,
}

impl Statistics {
    /// Statistics of both together.
    pub fn merged(self, other: Statistics) -> Statistics {
        Statistics {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            count: self.count + other.count,
            non_finite: self.non_finite + other.non_finite,
        }
    }
}

/// A new observer of a kind.
pub fn observer(kind: ObserverKind) -> Box<dyn Observer> {
    match kind {
        ObserverKind::MinMax => Box::new(MinMax(None)),
    }
}

struct MinMax(Option<Statistics>);

impl Observer for MinMax {
    fn observe(&mut self, values: &[f32]) {
        let mut seen = Statistics { min: f32::INFINITY, max: f32::NEG_INFINITY, count: 0, non_finite: 0 };
        // Without a branch, which the compiler turns into vector instructions: every value of calibration comes by here.
        for &value in values {
            let finite = value.is_finite();
            seen.min = seen.min.min(if finite { value } else { f32::INFINITY });
            seen.max = seen.max.max(if finite { value } else { f32::NEG_INFINITY });
            seen.non_finite += u64::from(!finite);
        }
        seen.count = values.len() as u64 - seen.non_finite;
        self.0 = Some(self.0.map_or(seen, |known| known.merged(seen)));
    }

    fn statistics(&self) -> Option<Statistics> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_max_keeps_the_ends_over_all_runs() {
        let mut made = observer(ObserverKind::MinMax);
        assert_eq!(made.statistics(), None);
        made.observe(&[1.0, -2.0]);
        made.observe(&[0.5, f32::NAN, 7.0]);
        let wanted = Statistics { min: -2.0, max: 7.0, count: 4, non_finite: 1 };
        assert_eq!(made.statistics(), Some(wanted));
    }
}
