//! The files of a bundle that graphs stand in, and keys of them.

use autoneural_base::error::Result;
use autoneural_bundle::{EQUALIZED, Key, Making};
use autoneural_core::program::Group;

/// A key of the float models of groups and of what the source stated.
pub fn float_models(bundle: &Making, groups: &[Group]) -> Result<Key> {
    let is_read = |path: &str| {
        let file = of_graphs(path).unwrap_or_default();
        file == "definition.toml" || groups.iter().any(|group| group.owns(file))
    };
    bundle.key(Key::new(), is_read)
}

/// The name of a file that export made, or that stands for such a file, in its folder.
pub fn of_graphs(path: &str) -> Option<&str> {
    path.strip_prefix("model/").or_else(|| path.strip_prefix(EQUALIZED))
}
