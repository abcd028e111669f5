//! Ranges: the smallest and the largest number that a value takes while samples run.

use serde::{Deserialize, Serialize};

use super::{Site, Want};

/// How observed numbers become a range, as recipes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObserverKind {
    /// The smallest and the largest number seen.
    MinMax,
    /// The range of all but the outermost numbers.
    Percentile,
    /// The range with the least mean squared error.
    Mse,
    /// The range that loses the least information.
    Entropy,
    /// The ends of the runs one after the other, of which each moves the range a little.
    MovingAverage,
}

impl std::fmt::Display for ObserverKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ObserverKind::MinMax => "min-max",
            ObserverKind::Percentile => "percentile",
            ObserverKind::Mse => "mse",
            ObserverKind::Entropy => "entropy",
            ObserverKind::MovingAverage => "moving-average",
        })
    }
}

impl ObserverKind {
    /// The evidence that it requests about a site in order to make a range of it.
    pub fn wants(self, _site: &Site) -> Vec<Want> {
        match self {
            ObserverKind::MinMax | ObserverKind::MovingAverage => vec![Want::Range],
            ObserverKind::Percentile | ObserverKind::Mse | ObserverKind::Entropy => vec![Want::Range, Want::Histogram],
        }
    }
}

/// The range of a value, and how it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The smallest number seen.
    pub min: f32,
    /// The largest number seen.
    pub max: f32,
    /// Numbers seen.
    pub count: u64,
    /// Numbers seen that were NaN or infinite; the fields above leave them out.
    pub non_finite: u64,
    /// Runs in which numbers were seen.
    #[serde(default)]
    pub runs: u64,
    /// Number of the last run (from one) that widened the range by more than 1 %; later runs changed little.
    #[serde(default)]
    pub settled: u64,
    /// The ranges that an observer chose in place of all that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
}

/// Ranges that an observer chose, by the integers that they are for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// For integers of 8 bits.
    pub eight: [f32; 2],
    /// For integers of 16 bits.
    pub sixteen: [f32; 2],
}

impl Chosen {
    /// The range for integers of so many bits.
    pub fn of(&self, bits: u32) -> [f32; 2] {
        if bits <= 8 { self.eight } else { self.sixteen }
    }
}

/// Share of its width by which a range may grow and still count as the same.
const SAME: f32 = 0.01;

/// Whether the second range reaches beyond the first by more than 1 % of the first.
fn widens([low, high]: [f32; 2], [min, max]: [f32; 2]) -> bool {
    let room = SAME * (high - low);
    min < low - room || max > high + room
}

impl Statistics {
    /// The range to cover by integers of so many bits.
    pub fn range(&self, bits: u32) -> [f32; 2] {
        self.chosen.map_or([self.min, self.max], |chosen| chosen.of(bits))
    }

    /// Statistics of both together, those of `other` being the later ones.
    pub fn merged(self, other: Statistics) -> Statistics {
        Statistics {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            // Counts that are read from a file may be as large as their type allows.
            count: self.count.saturating_add(other.count),
            non_finite: self.non_finite.saturating_add(other.non_finite),
            runs: self.runs.saturating_add(other.runs),
            settled: match widens([self.min, self.max], [other.min, other.max]) {
                true => self.runs.saturating_add(other.settled),
                false => self.settled,
            },
            chosen: (self.chosen.is_some() || other.chosen.is_some()).then(|| {
                let union = |bits| {
                    let ([low, high], [l, h]) = (self.range(bits), other.range(bits));
                    [low.min(l), high.max(h)]
                };
                Chosen { eight: union(8), sixteen: union(16) }
            }),
        }
    }
}

/// Number of a run (from one) that changed a range, and the range after it.
pub(crate) type Step = (u64, [f32; 2]);

/// The smallest and the largest number of all runs, and how they came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Bits", into = "Bits")]
pub struct MinMax {
    seen: Option<Statistics>,
    /// The range when it was last widened by more than 1 %.
    range: [f32; 2],
    /// Every run that changed the range. From this [`MinMax::merge`] finds the run that settles the range when other
    /// runs come before these.
    steps: Vec<Step>,
}

/// A range as files hold it: the ends by their bits, since those of numbers that were never finite are infinite.
#[derive(Serialize, Deserialize)]
struct Bits {
    /// The ends, and how many numbers, numbers that were not finite, and runs were seen, and the run that settled them.
    seen: Option<([u32; 2], [u64; 4])>,
    range: [u32; 2],
    steps: Vec<(u64, [u32; 2])>,
}

impl From<MinMax> for Bits {
    fn from(MinMax { seen, range, steps }: MinMax) -> Self {
        let bits = |range: [f32; 2]| range.map(f32::to_bits);
        let counts = |seen: &Statistics| [seen.count, seen.non_finite, seen.runs, seen.settled];
        Bits {
            seen: seen.map(|seen| (bits([seen.min, seen.max]), counts(&seen))),
            range: bits(range),
            steps: steps.into_iter().map(|(run, range)| (run, bits(range))).collect(),
        }
    }
}

impl From<Bits> for MinMax {
    fn from(Bits { seen, range, steps }: Bits) -> Self {
        let ends = |bits: [u32; 2]| bits.map(f32::from_bits);
        let seen = seen.map(|(bits, [count, non_finite, runs, settled])| {
            let [min, max] = ends(bits);
            Statistics { min, max, count, non_finite, runs, settled, chosen: None }
        });
        MinMax { seen, range: ends(range), steps: steps.into_iter().map(|(run, bits)| (run, ends(bits))).collect() }
    }
}

/// Numbers that are looked at at once.
const LANES: usize = 16;

/// The smallest and the largest of the finite numbers, and how many there are. Every value of calibration passes through
/// here: without branches, and with ends for each lane, the compiler makes vector instructions of it.
fn ends(values: &[f32]) -> ([f32; 2], u64) {
    let (mut low, mut high, mut count) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES], [0u32; LANES]);
    let mut take = |at: usize, value: f32| {
        let is_finite = value.abs() <= f32::MAX;
        low[at] = if is_finite & (value < low[at]) { value } else { low[at] };
        high[at] = if is_finite & (value > high[at]) { value } else { high[at] };
        count[at] += u32::from(is_finite);
    };
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        #[expect(clippy::needless_range_loop, reason = "of an iterator the compiler makes no vector instructions")]
        for at in 0..LANES {
            take(at, chunk[at]);
        }
    }
    rest.iter().enumerate().for_each(|(at, value)| take(at, *value));
    // Which of two zeros comes first in a lane makes no difference.
    let [low, high] =
        [low.iter().copied().fold(f32::INFINITY, f32::min), high.iter().copied().fold(f32::NEG_INFINITY, f32::max)];
    ([low + 0.0, high + 0.0], count.iter().map(|count| u64::from(*count)).sum())
}

impl MinMax {
    /// Adds the numbers of one run.
    pub fn observe(&mut self, values: &[f32]) {
        let ([min, max], count) = ends(values);
        let non_finite = values.len() as u64 - count;
        let seen = Statistics { min, max, count, non_finite, runs: 1, settled: 1, chosen: None };
        let range = [seen.min, seen.max];
        self.merge(&MinMax { seen: Some(seen), range, steps: vec![(1, range)] });
    }

    /// Adds what was seen in later runs. Afterwards this is what one observer of all runs would be.
    pub fn merge(&mut self, other: &MinMax) {
        let (Some(known), Some(seen)) = (self.seen, other.seen) else {
            if other.seen.is_some() {
                self.clone_from(other);
            }
            return;
        };
        let mut all = known;
        for &(run, [min, max]) in &other.steps {
            let ([low, high], run) = ([all.min.min(min), all.max.max(max)], known.runs.saturating_add(run));
            if [low, high] == [all.min, all.max] {
                continue;
            }
            (all.min, all.max) = (low, high);
            self.steps.push((run, [low, high]));
            // Compared with the range at the last such run, so that many small steps count in the end.
            if widens(self.range, [low, high]) {
                self.range = [low, high];
                all.settled = run;
            }
        }
        let together = known.merged(seen);
        self.seen = Some(Statistics { settled: all.settled, ..together });
    }

    /// What was seen so far; `None` before the first number.
    pub fn statistics(&self) -> Option<Statistics> {
        // Where no number was finite there is no range; its ends would be infinite, which no file holds.
        let ends = |seen: Statistics| if seen.count == 0 { Statistics { min: 0.0, max: 0.0, ..seen } } else { seen };
        self.seen.map(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_max_keeps_the_ends_over_all_runs() {
        let mut made = MinMax::default();
        assert_eq!(made.statistics(), None);
        made.observe(&[1.0, -2.0]);
        made.observe(&[0.5, f32::NAN, 7.0]);
        let wanted = Statistics { min: -2.0, max: 7.0, count: 4, non_finite: 1, runs: 2, settled: 2, chosen: None };
        assert_eq!(made.statistics(), Some(wanted));
    }

    #[test]
    fn statistics_of_nothing_finite_can_be_kept_and_impossible_ones_are_refused() {
        let mut made = MinMax::default();
        made.observe(&[f32::NAN, f32::INFINITY]);
        let seen = made.statistics().unwrap();
        assert_eq!((seen.count, seen.non_finite), (0, 2));
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Statistics>(&text).unwrap(), seen);
        // A shard hands on what a later one goes on from.
        let kept: MinMax = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        assert_eq!(kept, made);
        let beyond = r#"{"min": -1e39, "max": 1, "count": 1, "non_finite": 0}"#;
        assert!(serde_json::from_str::<Statistics>(beyond).unwrap_err().to_string().contains("out of range"));
    }

    #[test]
    fn counts_of_a_file_do_not_wrap() {
        let all =
            Statistics { min: 0.0, max: 1.0, count: u64::MAX, non_finite: 1, runs: u64::MAX, settled: 1, chosen: None };
        let wider = Statistics { max: 2.0, ..all };
        let both = all.merged(wider);
        assert_eq!((both.count, both.non_finite, both.runs, both.settled), (u64::MAX, 2, u64::MAX, u64::MAX));
    }

    #[test]
    fn a_range_is_settled_when_it_stays_within_a_hundredth() {
        let mut made = MinMax::default();
        for values in [[-1.0, 1.0], [-0.5, 1.5], [-1.0, 1.51], [0.0, 1.5], [-1.0, 1.52]] {
            made.observe(&values);
        }
        let seen = made.statistics().unwrap();
        assert_eq!((seen.runs, seen.settled), (5, 2));
        // Three steps of less than a hundredth are more than one.
        made.observe(&[1.53]);
        assert_eq!(made.statistics().unwrap().settled, 6);
        let other = Statistics { min: -1.0, max: 1.5, count: 2, non_finite: 0, runs: 3, settled: 3, chosen: None };
        assert_eq!(seen.merged(other).settled, 2);
        assert_eq!(seen.merged(Statistics { max: 9.0, ..other }).settled, 8);
    }
}
