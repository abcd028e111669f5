//! The table of statistics, as it is written to the bundle.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Statistics;
use crate::partition::Component;

/// Statistics by component and value name. Prefill and decode are one component: what both saw is merged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatisticsTable(BTreeMap<Component, BTreeMap<String, Statistics>>);

impl StatisticsTable {
    /// Adds statistics of a value to what is known of it.
    pub fn add(&mut self, component: Component, name: &str, statistics: Statistics) {
        let slot = self.0.entry(component).or_default().entry(name.to_string());
        slot.and_modify(|known| *known = known.merged(statistics)).or_insert(statistics);
    }

    /// Statistics of a value.
    pub fn get(&self, component: Component, name: &str) -> Option<Statistics> {
        self.0.get(&component)?.get(name).copied()
    }

    /// The statistics of these components alone.
    pub fn of(&self, components: &BTreeSet<Component>) -> Self {
        let own = self.0.iter().filter(|(component, _)| components.contains(component));
        StatisticsTable(own.map(|(component, values)| (*component, values.clone())).collect())
    }

    /// Statistics of all values of a component, by name.
    pub fn iter(&self, component: Component) -> impl Iterator<Item = (&str, Statistics)> {
        self.0.get(&component).into_iter().flatten().map(|(name, statistics)| (name.as_str(), *statistics))
    }

    /// Adds all statistics of another table.
    pub fn merge(&mut self, other: &StatisticsTable) {
        for (component, values) in &other.0 {
            values.iter().for_each(|(name, statistics)| self.add(*component, name, *statistics));
        }
    }
}
