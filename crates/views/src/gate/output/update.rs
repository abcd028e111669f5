//! What `gate --update` says: a line for each kind of thing that changed, with the farthest of it.

use crate::gate::{Change, Changes, Group, plain};

/// What came of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none before.
    New,
    /// What is worse within the thresholds stays as it was.
    Kept,
    /// The facts of the bundle, on purpose.
    Loosened,
    /// It was not written.
    Refused,
}

/// The whole summary; `all` leaves nothing out.
pub fn update(changes: &Changes, file: &str, written: Written, all: bool) -> String {
    let is_loosened = written == Written::Loosened
        && !(changes.looser.is_empty() && changes.kept.is_empty() && changes.excepted.is_empty());
    let mut text = match written {
        Written::New => format!("baseline: {file} (new)\n"),
        Written::Refused => format!(
            "baseline: {file} was not written: {}",
            match changes.looser.iter().all(|change| change.group == Group::Goals) {
                true => "goals of the recipe are looser; --loosen accepts them\n",
                false => "figures are worse than the thresholds allow; --loosen accepts them\n",
            }
        ),
        _ if changes.is_empty() => format!("baseline: {file} (the same figures)\n"),
        Written::Loosened if is_loosened => format!("baseline: {file} (loosened)\n"),
        Written::Loosened | Written::Kept => format!("baseline: {file}\n"),
    };
    let is_taken = written == Written::Loosened;
    let words = [
        "worse than allowed",
        "better",
        "changed",
        if is_taken { "worse or moved within the thresholds" } else { "kept" },
        if is_taken { "under an exception" } else { "kept under an exception" },
    ];
    let mut groups: Vec<(bool, Group, String)> = Vec::new();
    for group in Group::ALL {
        let lists = [&changes.looser, &changes.tighter, &changes.others, &changes.kept, &changes.excepted];
        let lists = lists.map(|list| list.iter().filter(|change| change.group == group).collect::<Vec<&Change>>());
        let counts: Vec<String> = lists
            .iter()
            .zip(words)
            .filter(|(list, _)| !list.is_empty())
            .map(|(list, word)| format!("{} {word}", list.len()))
            .collect();
        let Some(first) = lists.iter().find_map(|list| list.first()) else { continue };
        let mut lines = format!("  {}: {}", group.name(), counts.join(", "));
        if all {
            lines.push('\n');
            for (list, word) in lists.iter().zip(words) {
                list.iter().for_each(|change| lines.push_str(&format!("    {word}: {}\n", line(change))));
            }
        } else {
            let the = if lists.iter().map(Vec::len).sum::<usize>() > 1 { "; farthest: " } else { ": " };
            lines.push_str(&format!("{the}{}\n", line(first)));
        }
        groups.push((lists[0].is_empty(), group, lines));
    }
    // What is worse first.
    groups.sort_by_key(|(is_well, group, _)| (*is_well, *group));
    groups.iter().for_each(|(_, _, lines)| text.push_str(lines));
    if written == Written::Kept && !changes.kept.is_empty() {
        text.push_str(
            "kept: worse or moved within the thresholds, so the accepted figures stand and updates do not add up; \
             --loosen takes them as they are\n",
        );
    }
    if written == Written::Kept && !changes.excepted.is_empty() {
        text.push_str(
            "kept under an exception: what an exception accepts, and what stands beside it, stays as it was accepted \
             before; --loosen takes it as it is\n",
        );
    }
    let Changes { looser, tighter, kept, excepted, others } = changes;
    let number: usize = [looser, tighter, kept, excepted, others].iter().map(|list| list.len()).sum();
    if !all && number > groups.len() {
        text.push_str("all of it: with -v or --json\n");
    }
    text
}

fn line(change: &Change) -> String {
    plain(&format!("{}: {}", change.place, change.message))
}
