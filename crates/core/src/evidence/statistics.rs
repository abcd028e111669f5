//! The table of statistics, as it is written to the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Chosen, Statistics};
use crate::program::Group;

/// Statistics by group and value name. The groups are in the order in which samples reached them. What the graphs of a
/// group saw of values with the same name is merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatisticsTable(Vec<(Group, BTreeMap<String, Statistics>)>);

impl StatisticsTable {
    /// Merges statistics of a value into those that the table has.
    pub fn add(&mut self, group: &Group, name: &str, statistics: Statistics) {
        let slot = self.of_group(group).entry(name.to_string());
        slot.and_modify(|known| *known = known.merged(statistics)).or_insert(statistics);
    }

    /// Sets the ranges that an observer chose for a value that was seen.
    pub fn choose(&mut self, group: &Group, name: &str, choose: impl FnOnce([f32; 2]) -> Option<Chosen>) {
        if let Some(seen) = self.of_group(group).get_mut(name) {
            seen.chosen = choose([seen.min, seen.max]);
        }
    }

    /// The values of a group. A new group is added behind the others.
    fn of_group(&mut self, group: &Group) -> &mut BTreeMap<String, Statistics> {
        let at = self.0.iter().position(|(other, _)| other == group).unwrap_or_else(|| {
            self.0.push((group.clone(), BTreeMap::new()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// Statistics of a value; `None` if it was not seen.
    pub fn get(&self, group: &Group, name: &str) -> Option<Statistics> {
        self.0.iter().find(|(other, _)| other == group)?.1.get(name).copied()
    }

    /// A table with these groups only.
    pub fn of(&self, groups: &BTreeSet<Group>) -> Self {
        StatisticsTable(self.0.iter().filter(|(group, _)| groups.contains(group)).cloned().collect())
    }

    /// The groups, in order.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.0.iter().map(|(group, _)| group)
    }

    /// Statistics of all values of a group, by name.
    pub fn iter(&self, group: &Group) -> impl Iterator<Item = (&str, Statistics)> {
        let own = self.0.iter().filter(move |(other, _)| other == group).flat_map(|(_, values)| values);
        own.map(|(name, statistics)| (name.as_str(), *statistics))
    }

    /// Merges all statistics of another table into this one.
    pub fn merge(&mut self, other: &StatisticsTable) {
        for (group, values) in &other.0 {
            values.iter().for_each(|(name, statistics)| self.add(group, name, *statistics));
        }
    }
}

impl Serialize for StatisticsTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(group, values)| (group, values)))
    }
}

impl<'de> Deserialize<'de> for StatisticsTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Groups;
        impl<'de> Visitor<'de> for Groups {
            type Value = StatisticsTable;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                write!(out, "statistics by group")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut made = StatisticsTable::default();
                while let Some((group, values)) = map.next_entry()? {
                    *made.of_group(&group) = values;
                }
                Ok(made)
            }
        }
        deserializer.deserialize_map(Groups)
    }
}
