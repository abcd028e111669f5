//! Values of 16 bits of which an observer cuts much off. With so many steps rounding costs next to nothing, so that what is
//! cut off costs more than it saves, most where a few large numbers decide.

use crate::evidence::StatisticsTable;
use crate::partition::Partition;
use crate::program::Group;
use crate::quantize::Table;
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// A warning is due where less than this share of what was seen is left.
const MUCH: f32 = 0.5;

/// A warning about values of a group in 16 bits whose range an observer made less than half of what was seen.
pub fn of_cuts(
    partitions: &[Partition],
    group: &Group,
    tables: &[&Table],
    statistics: &StatisticsTable,
    stage: &str,
) -> Option<Warning> {
    let mut found: Vec<(f32, &str)> = Vec::new();
    let own = partitions.iter().filter(|partition| partition.group == *group);
    for (partition, table) in own.zip(tables) {
        for (_, value) in partition.graph.values() {
            let is_wide = table.activations.get(&value.name).is_some_and(|one| one.integer.bits() == 16);
            let Some(seen) = statistics.get(group, &value.name).filter(|_| is_wide) else { continue };
            let Some(chosen) = seen.chosen else { continue };
            let [low, high] = chosen.of(16);
            let left = (high - low) / (seen.max - seen.min);
            if left < MUCH && found.iter().all(|(_, name)| *name != value.name) {
                found.push((left, &value.name));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let names: Vec<String> =
        found.iter().map(|(left, name)| format!("`{name}` ({:.0} % are left)", 100.0 * left)).collect();
    let message = format!(
        "the observer cuts off more than half of the range of values in 16 bits, whose rounding costs next to nothing: {}",
        listed(&names)
    );
    let help = "observe them by `min-max`: cutting off pays where values have 8 bits";
    (!names.is_empty()).then(|| Warning::new(stage, group.name(), message).help(help))
}
