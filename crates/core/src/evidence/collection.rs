//! Collections: what observers see while the samples run once through a model. A collection is shared between the
//! graphs that run and the code that requested the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Ask, EvidenceSource, Observer, Plan, Ranges, Want};
use crate::ir::index_of;
use crate::program::Group;
use autoneural_base::error::{Error, Result};

/// Looks at values while a model runs.
pub trait Watcher: Send + Sync {
    /// Whether it looks at the value of this name. An engine may compute values that nobody looks at in another way, or
    /// not at all.
    fn wants(&self, name: &str) -> bool {
        let _ = name;
        true
    }

    /// Is shown a value that was computed: its shape and its numbers, row-major.
    fn see(&self, name: &str, shape: &[usize], values: &[f32]);
}

/// What is collected in one pass of the samples.
#[derive(Default)]
pub struct Collection {
    /// The requests, by group and value.
    asks: BTreeMap<(Group, String), Vec<Ask>>,
    seen: Mutex<Seen>,
}

/// A number that is none, or is infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct NotFinite {
    /// The value that has it.
    pub value: String,
    /// Where in the value.
    pub at: Vec<usize>,
    /// NaN or an infinity.
    pub number: f32,
}

impl NotFinite {
    fn first(value: &str, shape: &[usize], numbers: &[f32]) -> Option<Self> {
        let at = numbers.iter().position(|number| !number.is_finite())?;
        Some(NotFinite { value: value.to_string(), at: index_of(at, shape), number: numbers[at] })
    }
}

#[derive(Default)]
struct Seen {
    ranges: Ranges,
    /// Whether the first number that is not finite is looked for.
    looks: bool,
    /// The first one that was seen since it was asked for.
    not_finite: Option<NotFinite>,
    /// All other evidence, which is large: graphs of a group share it.
    others: BTreeMap<Ask, Observer>,
}

impl Collection {
    /// A collection for these requests.
    pub fn new(asks: impl IntoIterator<Item = Ask>) -> Arc<Self> {
        let mut made = Collection::default();
        for ask in asks {
            made.asks.entry((ask.group.clone(), ask.site.clone())).or_default().push(ask);
        }
        Arc::new(made)
    }

    /// A collection for a pass of a plan. It also watches the values of the other passes, and keeps nothing of them:
    /// engines compute a watched value separately, so passes see the same numbers to the last bit only if they watch
    /// the same values.
    pub fn of_pass(plan: &Plan, pass: usize) -> Arc<Self> {
        let mut made = Collection::default();
        for (number, ask) in plan.passes.iter().enumerate().flat_map(|(at, asks)| asks.iter().map(move |ask| (at, ask)))
        {
            let own = made.asks.entry((ask.group.clone(), ask.site.clone())).or_default();
            own.extend((number == pass).then(|| ask.clone()));
        }
        Arc::new(made)
    }

    /// Whether there are requests about values of a group.
    pub fn is_of(&self, group: &Group) -> bool {
        self.asks.keys().any(|(of, _)| of == group)
    }

    /// A watcher for a graph of a group, which adds what it sees to this collection.
    pub fn watcher(self: &Arc<Self>, group: &Group, graph: &str) -> Arc<dyn Watcher> {
        let mut seen = self.seen();
        let place = seen.ranges.place(group, graph);
        let own = self.asks.iter().filter(|((of, _), _)| of == group);
        let asks = own.map(|((_, name), asks)| (name.clone(), asks.clone())).collect();
        drop(seen);
        Arc::new(OfGraph { collection: Arc::clone(self), place, asks })
    }

    /// From now on looks for the first number that is not finite, of the values whose ranges are asked for. Values come
    /// behind those that they are computed of, so it is where the trouble begins.
    pub fn look_for_not_finite(&self) {
        self.seen().looks = true;
    }

    /// Takes out the first number that was seen and is not finite.
    pub fn take_not_finite(&self) -> Option<NotFinite> {
        self.seen().not_finite.take()
    }

    /// The ranges that were seen.
    pub fn ranges(&self) -> Ranges {
        self.seen().ranges.clone()
    }

    /// Takes out everything but ranges, by request.
    ///
    /// # Errors
    /// A value that was requested was never seen, or cannot be cut into the requested rows.
    pub fn take(&self) -> Result<BTreeMap<Ask, Observer>> {
        let others = self.take_seen();
        let wanted: BTreeSet<&Ask> = self.asks.values().flatten().filter(|ask| ask.want != Want::Range).collect();
        match wanted.into_iter().find(|ask| !others.contains_key(ask)) {
            Some(ask) => Err(Error::internal(&ask.site, format!("was not seen, and its {} are wanted", ask.want))),
            None => Ok(others),
        }
    }

    /// The same where values may not have been seen, since samples of other shards reach them.
    pub fn take_seen(&self) -> BTreeMap<Ask, Observer> {
        std::mem::take(&mut self.seen().others)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EvidenceSource for BTreeMap<Ask, Observer> {
    fn get(&self, ask: &Ask) -> Result<Observer> {
        BTreeMap::get(self, ask).cloned().ok_or_else(|| super::source::not_collected(ask))
    }
}

/// The watcher of one graph.
struct OfGraph {
    collection: Arc<Collection>,
    /// Place of the graph in [`Seen::ranges`].
    place: usize,
    asks: BTreeMap<String, Vec<Ask>>,
}

impl Watcher for OfGraph {
    fn wants(&self, name: &str) -> bool {
        self.asks.contains_key(name)
    }

    fn see(&self, name: &str, shape: &[usize], values: &[f32]) {
        let Some(asks) = self.asks.get(name) else { return };
        let mut seen = self.collection.seen();
        for ask in asks {
            if ask.want == Want::Range {
                let are_finite = seen.ranges.observe(self.place, name, values);
                if seen.looks && !are_finite && seen.not_finite.is_none() {
                    seen.not_finite = NotFinite::first(name, shape, values);
                }
                continue;
            }
            if let Some(observer) = seen.others.get_mut(ask) {
                observer.observe(&ask.rows, shape, values);
            } else if let Some(mut observer) = Observer::new(ask, shape) {
                observer.observe(&ask.rows, shape, values);
                seen.others.insert(ask.clone(), observer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ops::Rows;

    #[test]
    fn what_is_asked_for_is_seen_and_nothing_else() {
        let ask = |name: &str, want| Ask::new(&Group::fixed("some"), name, want, &Rows::LastAxis);
        let asks = [ask("x", Want::Range), ask("x", Want::SecondMoments), ask("y", Want::Range)];
        let made = Collection::new(asks.clone());
        assert!(made.is_of(&Group::fixed("some")) && !made.is_of(&Group::fixed("other")));
        let [first, second] = ["some.first", "some.second"].map(|graph| made.watcher(&Group::fixed("some"), graph));
        assert!(first.wants("x") && !first.wants("z") && !made.watcher(&Group::fixed("other"), "other").wants("x"));
        first.see("x", &[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
        first.see("z", &[1], &[9.0]);
        second.see("x", &[1, 1, 2], &[-5.0, 6.0]);
        let table = made.ranges().statistics(&[]);
        let x = table.get(&Group::fixed("some"), "x").unwrap();
        assert_eq!((x.min, x.max, x.count, x.runs), (-5.0, 6.0, 6, 2));
        assert_eq!((table.get(&Group::fixed("some"), "y"), table.get(&Group::fixed("some"), "z")), (None, None));
        // Both graphs are in one sum.
        let found = made.take().unwrap();
        let Observer::SecondMoments(moments) = EvidenceSource::get(&found, &asks[1]).unwrap() else { panic!() };
        assert_eq!((moments.rows(), moments.of(0, 0, 1)), (&[3][..], 2.0 + 12.0 - 30.0));
        let said = EvidenceSource::get(&found, &ask("y", Want::Means)).unwrap_err().to_string();
        assert!(said.contains("some: `y`: no means were collected") && said.contains("autoneural calibrate"), "{said}");
        // Another pass of the same plan watches what this one did, and keeps its own.
        let plan = Plan { passes: vec![vec![asks[0].clone(), asks[2].clone()], vec![asks[1].clone()]] };
        let later = Collection::of_pass(&plan, 1);
        let watcher = later.watcher(&Group::fixed("some"), "some.first");
        assert!(watcher.wants("x") && watcher.wants("y") && !watcher.wants("z"));
        watcher.see("y", &[1], &[1.0]);
        watcher.see("x", &[1, 2], &[1.0, 2.0]);
        assert_eq!(later.ranges().statistics(&[]), Default::default());
        assert_eq!(later.take().unwrap().into_keys().collect::<Vec<_>>(), [asks[1].clone()]);
        // Numbers that are not finite are told where that is asked for: the first of each run.
        first.see("y", &[1, 2], &[f32::NAN, 0.0]);
        assert_eq!(made.take_not_finite(), None);
        made.look_for_not_finite();
        first.see("y", &[2, 2], &[0.0, 1.0, 2.0, f32::INFINITY]);
        first.see("x", &[1, 1, 2], &[f32::NAN, 0.0]);
        let found = NotFinite { value: "y".into(), at: vec![1, 1], number: f32::INFINITY };
        assert_eq!((made.take_not_finite(), made.take_not_finite()), (Some(found), None));
        made.take_seen();
        // It was taken, and nothing came since.
        assert!(made.take().unwrap_err().to_string().contains("was not seen"));
    }
}
