//! Lists in messages.

/// Most names that a message lists.
const MOST: usize = 4;

/// The first of these names, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let first = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
