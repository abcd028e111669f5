//! From measurements to an assignment: predictions of noise are corrected by what checks find, until the goal is met at
//! few bytes.

use super::candidates::{Subject, Tunable};
use super::plan::Goal;
use super::record::Checked;
use super::tried::Tried;
use autoneural_base::error::Result;
use autoneural_core::tune::{Cost, Narrow, Point, WidthsUsed, curve, within_noise, within_price};

/// Bytes that are not worth another check, as a share of all.
const NEAR: f64 = 0.005;
/// Room that is left for what predictions miss, as a share of the noise.
const ROOM: f64 = 0.97;

/// What the choices of a subject cost.
pub(crate) struct Costs {
    /// Of each layer, product and value.
    pub all: Vec<Vec<Cost>>,
    /// What is searched: layers and products by themselves, and behind them the sets of values that may have 8 bits, as
    /// one.
    pub searched: Vec<Vec<Cost>>,
    /// These sets; none where the bits of values are not chosen.
    sets: Vec<Narrow>,
}

impl Costs {
    /// The costs of what was tried.
    pub(crate) fn of(subject: &Subject, tried: &[Vec<Tried>]) -> Self {
        let of = |(layer, tried): (&Tunable, &Vec<Tried>)| {
            let pairs = layer.choices.iter().zip(tried);
            pairs.map(|(choice, tried)| Cost { price: layer.price(*choice), noise: tried.noise }).collect()
        };
        let mut all: Vec<Vec<Cost>> = subject.layers.iter().zip(tried).map(of).collect();
        let Some(operators) = &subject.operators else {
            return Costs { searched: all.clone(), all, sets: vec![] };
        };
        let (alone, values) = all.split_at_mut(subject.alone().len());
        // Each in 8 and in 16 bits, which bring no more.
        values.iter_mut().for_each(|value| value[1].noise = value[1].noise.min(value[0].noise));
        let wide: f64 = values.iter().map(|value| value[1].noise).sum();
        let more: Vec<f64> = values.iter().map(|value| value[0].noise - value[1].noise).collect();
        let widths = operators.widths(&more);
        let sets = widths.chain();
        let least = sets.iter().map(|set| widths.price(set)).min().unwrap_or_default();
        let of_set = |set: &Narrow| Cost { price: widths.price(set).abs_diff(least), noise: wide + widths.noise(set) };
        let mut searched = alone.to_vec();
        searched.push(sets.iter().map(of_set).collect());
        Costs { all, searched, sets }
    }

    /// The values that have 8 bits.
    pub(crate) fn narrow(&self, point: &Point) -> Narrow {
        point.chosen.last().and_then(|&at| self.sets.get(at)).cloned().unwrap_or_default()
    }

    /// What a run has in 8 bits; nothing where the bits of values are not chosen.
    pub(crate) fn used(&self, subject: &Subject, point: &Point) -> Option<WidthsUsed> {
        subject.operators.as_ref().map(|operators| operators.used(&self.narrow(point)))
    }

    /// The choice of each layer, product and value.
    pub(crate) fn chosen(&self, point: &Point) -> Vec<usize> {
        if self.sets.is_empty() {
            return point.chosen.clone();
        }
        let (alone, narrow) = (self.searched.len() - 1, self.narrow(point));
        let of_values = (0..self.all.len() - alone).map(|value| usize::from(!narrow.contains(&value)));
        point.chosen[..alone].iter().copied().chain(of_values).collect()
    }
}

/// The assignment of one subject, as far as it is known.
pub(crate) struct Quest {
    /// What choices cost.
    pub costs: Vec<Vec<Cost>>,
    curve: Vec<Point>,
    most: f64,
    /// Checks, each with its assignment.
    pub checks: Vec<(Checked, Point)>,
}

impl Quest {
    pub(crate) fn new(costs: Vec<Vec<Cost>>, most: f64) -> Self {
        let curve = curve(&costs);
        Quest { costs, curve, most, checks: vec![] }
    }

    /// What has the least noise of all.
    pub(crate) fn least(&self) -> Point {
        self.curve[self.curve.len() - 1].clone()
    }

    /// The assignment that is best by what is known, and whether it should be checked.
    pub(crate) fn next(&self) -> (Point, bool) {
        let met = self.met();
        let missed = self.checks.iter().filter(|(check, _)| check.measured > self.most);
        let missed = missed.min_by(|a, b| a.0.predicted.total_cmp(&b.0.predicted));
        let wanted = match (met, missed) {
            (None, None) => self.most,
            (Some((met, _)), Some((missed, _))) => between(met, missed, self.most),
            (Some((check, _)), None) | (None, Some((check, _))) => {
                check.predicted * self.most / check.measured.max(f64::MIN_POSITIVE) * ROOM
            }
        };
        let point = within_noise(&self.costs, wanted).unwrap_or_else(|| self.least());
        let known = self.checks.iter().any(|(_, known)| known.chosen == point.chosen);
        let is_near = |(_, met): &&(Checked, Point)| (met.price as f64 - point.price as f64) < NEAR * met.price as f64;
        match met {
            Some((_, met)) if known || self.met().as_ref().is_some_and(is_near) => (met.clone(), false),
            // What is known to miss says that nothing else is left to try.
            None if known => (self.best(), false),
            _ => (point, true),
        }
    }

    /// The cheapest checked assignment that meets the goal.
    fn met(&self) -> Option<&(Checked, Point)> {
        let met = self.checks.iter().filter(|(check, _)| check.measured <= self.most);
        met.min_by_key(|(_, point)| point.price)
    }

    /// What was found best: the smallest that meets the goal, or what comes nearest to it.
    pub(crate) fn best(&self) -> Point {
        let nearest = || self.checks.iter().min_by(|a, b| a.0.measured.total_cmp(&b.0.measured));
        match self.met().or_else(nearest) {
            Some((_, point)) => point.clone(),
            None => within_noise(&self.costs, self.most).unwrap_or_else(|| self.least()),
        }
    }

    /// Whether the goal is met, in checks where there are some, else by the prediction.
    pub(crate) fn is_met(&self) -> bool {
        match self.checks.is_empty() {
            true => self.least().noise <= self.most,
            false => self.met().is_some(),
        }
    }

    /// Adds what a check found of an assignment with so many bytes.
    pub(crate) fn add(&mut self, point: Point, (bytes, widths): (u64, Option<WidthsUsed>), measured: f64) {
        let check = Checked { bytes, widths, predicted: point.noise, measured };
        self.checks.push((check, point));
    }
}

/// The prediction at which the goal would just be met, between one check that meets it and one that does not: noise that
/// is measured is taken for a power of the noise that is predicted.
fn between(met: &Checked, missed: &Checked, most: f64) -> f64 {
    let [low, high] = [met, missed].map(|check| check.predicted.max(f64::MIN_POSITIVE).ln());
    let [at_low, at_high] = [met, missed].map(|check| check.measured.max(f64::MIN_POSITIVE).ln());
    let share = if at_high > at_low { (most.ln() - at_low) / (at_high - at_low) } else { 0.5 };
    (low + share.clamp(0.1, 0.9) * (high - low)).exp()
}

/// The assignments of all subjects that take so many bytes together; `None` if no assignment does.
///
/// # Errors
/// None that a user can cause.
pub(crate) fn budget(costs: &[Vec<Vec<Cost>>], goal: &Goal) -> Result<Option<Vec<Point>>> {
    let Goal::Bytes(most) = goal else { return Ok(None) };
    let all: Vec<Vec<Cost>> = costs.iter().flatten().cloned().collect();
    let Some(found) = within_price(&all, *most) else { return Ok(None) };
    Ok(Some(apart(costs, &found.chosen)))
}

/// An assignment of all subjects, by subject.
pub(crate) fn apart(costs: &[Vec<Vec<Cost>>], chosen: &[usize]) -> Vec<Point> {
    let mut rest = chosen;
    let mut made = Vec::new();
    for layers in costs {
        let (own, others) = rest.split_at(layers.len());
        rest = others;
        let used = || layers.iter().zip(own).map(|(layer, &at)| layer[at]);
        let (price, noise) = (used().map(|cost| cost.price).sum(), used().map(|cost| cost.noise).sum());
        made.push(Point { price, noise, chosen: own.to_vec() });
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quest(most: f64) -> Quest {
        let cost = |price, noise| Cost { price, noise };
        let layer = |weight: f64| vec![cost(400, weight * 16.0), cost(600, weight * 4.0), cost(800, weight)];
        Quest::new((1..40).map(|at| layer(f64::from(at))).collect(), most)
    }

    #[test]
    fn what_is_found_meets_the_goal_though_predictions_are_wrong() {
        for (factor, floor) in [(0.3, 0.0), (5.0, 0.0), (2.0, 100.0), (1.0, 900.0)] {
            let mut quest = quest(3000.0);
            for _ in 0..8 {
                let (point, is_new) = quest.next();
                if !is_new {
                    break;
                }
                let measured = factor * point.noise + floor;
                let bytes = point.price;
                quest.add(point, (bytes, None), measured);
            }
            let best = quest.best();
            let ideal = within_noise(&quest.costs, (3000.0 - floor) / factor);
            match ideal {
                Some(ideal) => {
                    assert!(quest.is_met() && factor * best.noise + floor <= 3000.0, "{factor} {floor}");
                    assert!(best.price as f64 <= ideal.price as f64 * 1.05, "{} {}", best.price, ideal.price);
                }
                None => assert!(!quest.is_met() && best == quest.least(), "{factor} {floor}"),
            }
        }
    }
}
