//! Which values get 8 bits: an operator gains only where all that it reads and makes has 8 bits, and each value of 8 bits
//! beside an operator in 16 costs a change of width. So what values cost depends on each other. For one exchange rate of
//! noise for price the best set of values is a closure of largest weight, found by a minimal cut (Picard, "Maximal closure
//! of a graph and applications to combinatorial problems", Management Science 22, 1976); for falling rates these sets grow.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::search::Cost;

/// Fractions of a price that cuts are computed in.
const FINE: f64 = 1024.0;
/// More than all prices together.
const ALL: u64 = 1 << 60;
/// Most values between two sets of the hull that are taken away one by one.
const MOST: usize = 256;

/// What 8 bits of values cost and bring.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Widths {
    /// Of each value: the price of its 8 bits where nothing around it has them, and the noise that they add.
    pub values: Vec<Cost>,
    /// What is saved where all of these values have 8 bits.
    pub gains: Vec<(BTreeSet<usize>, u64)>,
}

/// Values that have 8 bits.
pub type Narrow = BTreeSet<usize>;

impl Widths {
    /// What a set of values costs, above what none costs; it may be less.
    pub fn price(&self, narrow: &Narrow) -> i64 {
        let own: u64 = narrow.iter().map(|&at| self.values[at].price).sum();
        let gained = self.gains.iter().filter(|(values, _)| values.is_subset(narrow)).map(|(_, price)| price);
        own as i64 - gained.sum::<u64>() as i64
    }

    /// Noise that a set of values adds.
    pub fn noise(&self, narrow: &Narrow) -> f64 {
        narrow.iter().map(|&at| self.values[at].noise).sum()
    }

    /// The sets that are best at some rate of noise for price, the cheapest first and none last, and between two of them
    /// those that are left when values are taken away one by one. Each has less noise than the one before.
    pub fn chain(&self) -> Vec<Narrow> {
        let (cheapest, none) = (self.best(0.0), Narrow::new());
        let mut hull = vec![cheapest.clone()];
        self.between(&cheapest, &none, &mut hull);
        if !cheapest.is_empty() {
            hull.push(none);
        }
        let mut made: Vec<Narrow> = Vec::new();
        for pair in hull.windows(2) {
            made.push(pair[0].clone());
            self.thin_out(&pair[0], &pair[1], &mut made);
        }
        made.extend(hull.pop());
        made
    }

    /// Sets of the hull between two of it, of which the second has less noise.
    fn between(&self, cheap: &Narrow, quiet: &Narrow, made: &mut Vec<Narrow>) {
        let (price, noise) = (self.price(quiet) - self.price(cheap), self.noise(cheap) - self.noise(quiet));
        if price <= 0 || noise <= 0.0 {
            return;
        }
        let rate = price as f64 / noise;
        let found = self.best(rate);
        let at_rate = |set: &Narrow| self.price(set) as f64 + rate * self.noise(set);
        // Equal but for what cuts are rounded to.
        if found == *cheap || found == *quiet || at_rate(&found) >= at_rate(cheap) - 1.0 {
            return;
        }
        self.between(cheap, &found, made);
        made.push(found.clone());
        self.between(&found, quiet, made);
    }

    /// Takes values away one by one, each time the one whose noise is worth most, until a smaller set is left.
    fn thin_out(&self, from: &Narrow, to: &Narrow, made: &mut Vec<Narrow>) {
        let mut left: Vec<usize> = from.difference(to).copied().collect();
        let mut set = from.clone();
        while left.len() > 1 && left.len() <= MOST {
            let price = self.price(&set);
            let worth = |&at: &usize| {
                let mut less = set.clone();
                less.remove(&at);
                self.values[at].noise / ((self.price(&less) - price).max(0) as f64 + 1.0)
            };
            let worths: Vec<f64> = left.iter().map(worth).collect();
            let most = (0..left.len()).max_by(|&a, &b| worths[a].total_cmp(&worths[b])).unwrap_or_default();
            set.remove(&left.remove(most));
            made.push(set.clone());
        }
    }

    /// The set with the least `price + rate x noise`.
    fn best(&self, rate: f64) -> Narrow {
        let fine = |price: f64| (price * FINE).min(ALL as f64) as u64;
        let mut graph: DiGraph<(), u64> = DiGraph::new();
        let [source, sink] = [graph.add_node(()), graph.add_node(())];
        let values: Vec<NodeIndex> = self.values.iter().map(|_| graph.add_node(())).collect();
        for (cost, &value) in self.values.iter().zip(&values) {
            graph.add_edge(value, sink, fine(cost.price as f64 + rate * cost.noise.max(0.0)));
        }
        for (wanted, price) in &self.gains {
            let gain = graph.add_node(());
            graph.add_edge(source, gain, fine(*price as f64));
            for &at in wanted {
                graph.add_edge(gain, values[at], ALL);
            }
        }
        let (_, flows) = dinics(&graph, source, sink);
        // What the source still reaches is the closure.
        let (mut reached, mut open) = (vec![false; graph.node_count()], vec![source]);
        reached[source.index()] = true;
        while let Some(at) = open.pop() {
            let ahead = graph.edges_directed(at, Direction::Outgoing);
            let ahead = ahead.filter(|edge| flows[edge.id().index()] < *edge.weight()).map(|edge| edge.target());
            let back = graph.edges_directed(at, Direction::Incoming);
            let back = back.filter(|edge| flows[edge.id().index()] > 0).map(|edge| edge.source());
            for next in ahead.chain(back).collect::<Vec<_>>() {
                if !std::mem::replace(&mut reached[next.index()], true) {
                    open.push(next);
                }
            }
        }
        (0..values.len()).filter(|&at| reached[values[at].index()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn widths() -> impl Strategy<Value = Widths> {
        let cost = (0u64..30, 0u32..1000).prop_map(|(price, noise)| Cost { price, noise: f64::from(noise) });
        prop::collection::vec(cost, 1..8).prop_flat_map(|values| {
            let gain = (prop::collection::btree_set(0..values.len(), 1..4), 1u64..60);
            prop::collection::vec(gain, 0..10).prop_map(move |gains| Widths { values: values.clone(), gains })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn at_every_rate_some_set_of_the_chain_is_as_good_as_the_best_of_all(widths in widths()) {
            let all: Vec<Narrow> = (0..1u32 << widths.values.len())
                .map(|bits| (0..widths.values.len()).filter(|at| bits >> at & 1 == 1).collect()).collect();
            let chain = widths.chain();
            prop_assert!(chain.last().unwrap().is_empty());
            for pair in chain.windows(2) {
                prop_assert!(pair[1].is_subset(&pair[0]) && pair[1] != pair[0], "{chain:?}");
            }
            for rate in [0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0] {
                let least = |sets: &[Narrow]| sets.iter()
                    .map(|set| widths.price(set) as f64 + rate * widths.noise(set)).fold(f64::INFINITY, f64::min);
                prop_assert!(least(&chain) <= least(&all) + 1.5, "{rate}: {} {}", least(&chain), least(&all));
            }
        }
    }

    #[test]
    fn neighbours_get_8_bits_together_or_not_at_all() {
        let value = |noise| Cost { price: 10, noise };
        // A row of values with an operator between each two: one alone pays for two changes and gains nothing.
        let row = |noises: &[f64]| {
            let operator = |at: usize| (BTreeSet::from([at, at + 1]), 15);
            let gains = (0..noises.len() - 1).map(operator).collect();
            Widths { values: noises.iter().copied().map(value).collect(), gains }
        };
        assert_eq!(row(&[1.0, 1.0]).chain(), [Narrow::new()]);
        // Five of them gain, and without the loud one at the end four do.
        let chain = row(&[1.0, 1.0, 1.0, 1.0, 1e6]).chain();
        let wanted = [Narrow::from([0, 1, 2, 3, 4]), Narrow::from([0, 1, 2, 3])];
        assert_eq!(chain[..2], wanted);
        assert!(row(&[1.0, 1.0, 1e6, 1.0, 1.0]).chain().contains(&Narrow::new()));
    }
}
