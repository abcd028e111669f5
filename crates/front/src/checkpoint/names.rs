//! Names of tensors: what wrappers of training put around them, and those of adapters.

use std::collections::BTreeMap;

use super::place::{marked, split};

/// Parts that wrappers put anywhere into names: torch.compile, FSDP and activation checkpointing.
const PARTS: [&str; 3] = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];
/// What wrappers put before all names: DistributedDataParallel and PEFT.
const STARTS: [&str; 2] = ["module.", "base_model.model."];

/// A name without the wrappers, if there are any.
pub(crate) fn without_wrappers(name: &str) -> Option<String> {
    let mut made = name.to_string();
    for part in PARTS {
        made = match made.strip_prefix(part) {
            Some(rest) => rest.to_string(),
            None => made,
        };
        made = made.replace(&format!(".{part}"), ".");
    }
    while let Some(rest) = STARTS.iter().chain(&PARTS).find_map(|start| made.strip_prefix(start)) {
        made = rest.to_string();
    }
    (made != name).then_some(made)
}

/// The names of tensors by their names without wrappers, of those that have some. Where two tensors would have one
/// name, neither is meant by it.
pub(crate) fn unwrapped<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
    let mut made: BTreeMap<String, Option<String>> = BTreeMap::new();
    for name in names {
        let (part, bare) = split(name);
        if let Some(short) = without_wrappers(bare).map(|short| marked(part, &short)) {
            made.entry(short).and_modify(|slot| *slot = None).or_insert_with(|| Some(name.clone()));
        }
    }
    made.into_iter().filter_map(|(short, name)| Some((short, name?))).collect()
}

/// Whether a tensor changes the weights of a model that it is no part of.
pub(crate) fn is_of_adapter(name: &str) -> bool {
    const MARKS: [&str; 7] =
        ["lora_A", "lora_B", "lora_down", "lora_up", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector"];
    name.split('.').any(|part| MARKS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_wherever_they_stand() {
        for (name, wanted) in [
            ("_orig_mod.model.norm.weight", Some("model.norm.weight")),
            ("module._orig_mod.model.norm.weight", Some("model.norm.weight")),
            ("_orig_mod.module.model.norm.weight", Some("model.norm.weight")),
            ("module.module.model.norm.weight", Some("model.norm.weight")),
            ("model.layers.0._orig_mod.w1.weight", Some("model.layers.0.w1.weight")),
            ("model._fsdp_wrapped_module.layers.0._checkpoint_wrapped_module.w1", Some("model.layers.0.w1")),
            ("base_model.model.model.norm.weight", Some("model.norm.weight")),
            ("model.module.norm.weight", None),
            ("model.norm.weight", None),
        ] {
            assert_eq!(without_wrappers(name).as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn a_name_that_two_tensors_would_have_is_none() {
        let names = ["module.a", "_orig_mod.a", "module.b"].map(String::from);
        let made = unwrapped(names.iter());
        assert_eq!(made.into_iter().collect::<Vec<_>>(), [("b".to_string(), "module.b".to_string())]);
    }
}
