//! The table of statistics, as it is written to the bundle.

use std::collections::BTreeMap;

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
}
