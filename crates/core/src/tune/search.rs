//! The search: a knapsack in which each layer takes one of its choices. A sweep of the exchange rate gives all
//! assignments that are best at some rate (Everett, "Generalized Lagrange multiplier method", Operations Research 11,
//! 1963): the lower convex hull of noise over price. Between two of them single changes find what the hull leaves out.

/// What a choice costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// What it takes on the device, in bytes: its own, and what its multiply-adds count as.
    pub price: u64,
    /// Noise that it alone brings to the outputs, in a unit in which noises add up.
    pub noise: f64,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Price of all layers.
    pub price: u64,
    /// Noise of all layers.
    pub noise: f64,
    /// The choice of each layer.
    pub chosen: Vec<usize>,
}

impl Point {
    fn of(layers: &[Vec<Cost>], chosen: Vec<usize>) -> Self {
        let costs = || layers.iter().zip(&chosen).map(|(layer, &at)| layer[at]);
        Point { price: costs().map(|cost| cost.price).sum(), noise: costs().map(|cost| cost.noise).sum(), chosen }
    }
}

/// A step along the hull of one layer.
struct Step {
    layer: usize,
    choice: usize,
    /// Noise that a step of the price takes away.
    gain: f64,
}

/// The choices of a layer that are best at some rate of noise for price, the cheapest first. Of equal ones the first counts.
fn hull(layer: &[Cost]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..layer.len()).collect();
    order.sort_by(|&a, &b| layer[a].price.cmp(&layer[b].price).then(layer[a].noise.total_cmp(&layer[b].noise)));
    let mut made: Vec<usize> = Vec::new();
    for at in order {
        if made.last().is_some_and(|&last| layer[at].noise >= layer[last].noise) {
            continue;
        }
        while let [.., before, last] = made[..]
            && gain(layer[before], layer[last]) <= gain(layer[before], layer[at])
        {
            made.pop();
        }
        made.push(at);
    }
    made
}

/// Noise that each byte of the price takes away between two choices, of which the second is dearer.
fn gain(from: Cost, to: Cost) -> f64 {
    (from.noise - to.noise) / (to.price - from.price) as f64
}

/// All assignments that are best at some rate of noise for price, from the cheapest to the least noise. Prices rise and noise
/// falls from each to the next. Layers must have a choice; noises must be finite.
///
/// ```
/// use autoneural_core::tune::{Cost, curve};
///
/// let of = |price, noise| Cost { price, noise };
/// // The second layer minds far more.
/// let layers = [vec![of(4, 1.0), of(8, 0.0)], vec![of(4, 100.0), of(8, 1.0)]];
/// let made: Vec<_> = curve(&layers).into_iter().map(|point| (point.price, point.noise)).collect();
/// assert_eq!(made, [(8, 101.0), (12, 2.0), (16, 1.0)]);
/// ```
pub fn curve(layers: &[Vec<Cost>]) -> Vec<Point> {
    let hulls: Vec<Vec<usize>> = layers.iter().map(|layer| hull(layer)).collect();
    let mut steps = Vec::new();
    for (at, (layer, hull)) in layers.iter().zip(&hulls).enumerate() {
        for pair in hull.windows(2) {
            steps.push(Step { layer: at, choice: pair[1], gain: gain(layer[pair[0]], layer[pair[1]]) });
        }
    }
    // Along a hull gains fall, so that the steps of a layer stay in their order.
    steps.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    let mut made = vec![Point::of(layers, hulls.iter().map(|hull| hull[0]).collect())];
    let mut chosen = made[0].chosen.clone();
    for step in steps {
        chosen[step.layer] = step.choice;
        made.push(Point::of(layers, chosen.clone()));
    }
    made
}

/// An assignment of at most this price with little noise; `None` if the cheapest costs more. Its noise is at most that
/// of the last point of the [`curve`] that fits.
pub fn within_price(layers: &[Vec<Cost>], most: u64) -> Option<Point> {
    let mut point = curve(layers).into_iter().take_while(|point| point.price <= most).last()?;
    loop {
        let room = most - point.price;
        let current = |at: usize| layers[at][point.chosen[at]];
        let less = |(at, cost): (usize, Cost)| {
            (cost.noise < current(at).noise && cost.price <= current(at).price + room)
                .then(|| current(at).noise - cost.noise)
        };
        let Some((layer, choice)) = best(layers, less) else { return Some(point) };
        point.chosen[layer] = choice;
        point = Point::of(layers, point.chosen);
    }
}

/// A cheap assignment of at most so much noise; `None` if even the one with the least noise has more. It costs
/// at most as much as the first point of the [`curve`] that is good enough.
pub fn within_noise(layers: &[Vec<Cost>], most: f64) -> Option<Point> {
    let mut point = curve(layers).into_iter().find(|point| point.noise <= most)?;
    loop {
        let room = most - point.noise;
        let current = |at: usize| layers[at][point.chosen[at]];
        let less = |(at, cost): (usize, Cost)| {
            (cost.price < current(at).price && cost.noise <= current(at).noise + room)
                .then(|| (current(at).price - cost.price) as f64)
        };
        let Some((layer, choice)) = best(layers, less) else { return Some(point) };
        let mut chosen = point.chosen.clone();
        chosen[layer] = choice;
        let next = Point::of(layers, chosen);
        // A sum in another order may be a bit larger.
        if next.noise > most {
            return Some(point);
        }
        point = next;
    }
}

/// The single change that gains most: layer and choice.
fn best(layers: &[Vec<Cost>], gained: impl Fn((usize, Cost)) -> Option<f64>) -> Option<(usize, usize)> {
    let mut found: Option<(f64, (usize, usize))> = None;
    for (at, layer) in layers.iter().enumerate() {
        for (choice, cost) in layer.iter().enumerate() {
            if let Some(gain) = gained((at, *cost))
                && found.is_none_or(|(most, _)| gain > most)
            {
                found = Some((gain, (at, choice)));
            }
        }
    }
    found.map(|(_, change)| change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every assignment there is.
    fn all(layers: &[Vec<Cost>]) -> Vec<Point> {
        let mut made = vec![vec![]];
        for layer in layers {
            let longer = |chosen: &Vec<usize>| (0..layer.len()).map(|at| [&chosen[..], &[at]].concat()).collect();
            made = made.iter().flat_map::<Vec<Vec<usize>>, _>(longer).collect();
        }
        made.into_iter().map(|chosen| Point::of(layers, chosen)).collect()
    }

    /// Of all assignments the least `price + rate * noise`.
    fn least(points: &[Point], price: f64) -> f64 {
        points.iter().map(|point| point.price as f64 + price * point.noise).fold(f64::INFINITY, f64::min)
    }

    fn layers() -> impl Strategy<Value = Vec<Vec<Cost>>> {
        let cost = (1u64..40, 0u32..1000).prop_map(|(price, noise)| Cost { price, noise: f64::from(noise) });
        prop::collection::vec(prop::collection::vec(cost, 1..5), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn what_is_chosen_is_never_dearer_than_the_hull_of_all_assignments(
            layers in layers(), most_price in 1u64..250, most_noise in 0u32..6000,
        ) {
            let (all, made) = (all(&layers), curve(&layers));
            for pair in made.windows(2) {
                prop_assert!(pair[0].price < pair[1].price && pair[0].noise > pair[1].noise, "{pair:?}");
            }
            // At every price of noise some point of the curve is as good as the best assignment.
            for price in [0.0, 0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 1e6] {
                prop_assert!(least(&made, price) <= least(&all, price) + 1e-6, "{price}");
            }
            let on_hull = |point: &Point| {
                let of = |at: f64| least(&all, at) >= point.price as f64 + at * point.noise - 1e-6;
                made.iter().any(|own| own == point) || of(0.0)
            };
            let (fewest, least_noise) = (all.iter().map(|p| p.price).min().unwrap(),
                all.iter().map(|p| p.noise).fold(f64::INFINITY, f64::min));
            match within_price(&layers, most_price) {
                None => prop_assert!(fewest > most_price),
                Some(point) => {
                    prop_assert!(point.price <= most_price && point == Point::of(&layers, point.chosen.clone()));
                    let hull = made.iter().rfind(|own| own.price <= most_price).unwrap();
                    prop_assert!(on_hull(hull) && point.noise <= hull.noise);
                }
            }
            match within_noise(&layers, f64::from(most_noise)) {
                None => prop_assert!(least_noise > f64::from(most_noise)),
                Some(point) => {
                    prop_assert!(point.noise <= f64::from(most_noise));
                    let hull = made.iter().find(|own| own.noise <= f64::from(most_noise)).unwrap();
                    prop_assert!(on_hull(hull) && point.price <= hull.price);
                }
            }
        }
    }

    #[test]
    fn a_choice_that_is_larger_and_worse_is_never_taken() {
        let of = |price, noise| Cost { price, noise };
        let layer = vec![of(8, 5.0), of(4, 9.0), of(6, 9.5), of(16, 1.0), of(12, 4.9)];
        assert_eq!(hull(&layer), [1, 0, 3]);
        assert_eq!(within_noise(std::slice::from_ref(&layer), 0.5), None);
        assert_eq!(within_price(&[layer], 3), None);
    }

    #[test]
    fn what_lies_between_two_points_of_the_curve_is_used() {
        let of = |price, noise| Cost { price, noise };
        // The hull goes from 4 bytes to 16; the choice of 10 is above it, and all that 12 bytes hold.
        let layer = vec![of(4, 12.0), of(10, 7.0), of(16, 0.0)];
        assert_eq!(curve(std::slice::from_ref(&layer)).len(), 2);
        assert_eq!(within_price(std::slice::from_ref(&layer), 12).unwrap().chosen, [1]);
        assert_eq!(within_noise(&[layer], 8.0).unwrap().chosen, [1]);
    }
}
