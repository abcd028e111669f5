//! Names of tensors in files of encodings: either those of the graphs, or those of the checkpoint for the same tensors.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use crate::partition::Partition;
use crate::program::Group;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::listed;

/// What a checkpoint calls the tensors of graphs.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    /// For a group, the prefix that the checkpoint puts before its names.
    pub prefixes: Vec<(Group, String)>,
    /// Whole names of the checkpoint, each with the name of the same tensor in the graphs.
    pub names: Vec<(String, String)>,
}

/// All names of tensors in the graphs of a model.
pub(crate) struct Names<'a> {
    activations: BTreeSet<&'a str>,
    params: BTreeSet<&'a str>,
    by_group: BTreeMap<Group, BTreeSet<&'a str>>,
    aliases: &'a Aliases,
}

impl<'a> Names<'a> {
    /// Names of all partitions, and what the checkpoint calls them.
    pub(crate) fn new(partitions: &'a [Partition], aliases: &'a Aliases) -> Self {
        let mut made =
            Names { activations: BTreeSet::new(), params: BTreeSet::new(), by_group: BTreeMap::new(), aliases };
        for partition in partitions {
            for (_, value) in partition.graph.values() {
                let name = value.name.as_str();
                match (value.element.is_real(), value.constant()) {
                    (true, Some(_)) => made.params.insert(name),
                    (true, None) => made.activations.insert(name),
                    (false, _) => continue,
                };
                made.by_group.entry(partition.group.clone()).or_default().insert(name);
            }
        }
        made
    }

    /// Whether a name of the graphs is that of a constant.
    pub(crate) fn is_param(&self, name: &str) -> bool {
        self.params.contains(name)
    }

    /// The names of the graphs that a name in a file may stand for.
    fn candidates(&self, name: &str) -> BTreeSet<&'a str> {
        let known = |name: &str| self.activations.get(name).or_else(|| self.params.get(name)).copied();
        if let Some(found) = known(name) {
            return BTreeSet::from([found]);
        }
        let of_prefix = |(group, prefix): &(Group, String)| {
            let rest = name.strip_prefix(prefix.as_str())?;
            self.by_group.get(group)?.get(rest).copied()
        };
        let whole = self.aliases.names.iter().filter(|(alias, _)| alias == name).filter_map(|(_, own)| known(own));
        self.aliases.prefixes.iter().filter_map(of_prefix).chain(whole).collect()
    }

    /// The name in the graphs for a name in a file.
    ///
    /// # Errors
    /// The name fits no tensor, or several; or it is a name of the checkpoint for one of several tensors with the same
    /// name in the graphs.
    pub(crate) fn resolve(&self, name: &str) -> Result<&'a str, String> {
        let candidates = self.candidates(name);
        let mut found = candidates.iter();
        match (found.next(), found.next()) {
            (Some(one), None) if name != *one && self.parts_with(one) > 1 => Err(format!(
                "is one of several tensors `{one}` of the graphs, which have one encoding; give it as `{one}`"
            )),
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) => {
                Err(format!("may be `{one}` or `{other}` of the graphs; give one of these names"))
            }
            (None, _) => Err("is no tensor of the model".into()),
        }
    }

    fn parts_with(&self, name: &str) -> usize {
        self.by_group.values().filter(|names| names.contains(name)).count()
    }

    /// Refuses names in one of the two lists of a file, that of constants (`are_params`) or that of activations.
    ///
    /// # Errors
    /// A name fits no tensor, or belongs into the other list.
    pub(crate) fn refuse_unknown(&self, entries: &BTreeMap<String, Entry>, are_params: bool) -> Result<()> {
        let misplaced = match are_params {
            true => "is no constant; it belongs to activation_encodings",
            false => "is a constant; it belongs to param_encodings",
        };
        for (name, entry) in entries {
            if self.candidates(name).iter().any(|found| self.is_param(found) != are_params) {
                return Err(entry.error(misplaced));
            }
        }
        self.refuse_unknown_of(entries.iter().map(|(name, entry)| (name.as_str(), entry.file())))
    }

    /// Refuses names that fit no tensor. Each name comes with its file, for the message.
    ///
    /// # Errors
    /// A name fits no tensor; the error suggests another one.
    pub(crate) fn refuse_unknown_of<'n>(&self, names: impl Iterator<Item = (&'n str, &'n str)>) -> Result<()> {
        let unknown: Vec<(&str, &str)> = names.filter(|(name, _)| self.candidates(name).is_empty()).collect();
        let Some(&(first, file)) = unknown.first() else { return Ok(()) };
        if unknown.len() == 1 {
            let error = Error::input(format!("{file}: `{first}`"), "is no tensor of the model");
            return Err(error.help(self.suggestion(first)));
        }
        let names: Vec<String> = unknown.iter().map(|(name, _)| format!("`{name}`")).collect();
        let message = format!("{} names are no tensors of the model: {}", unknown.len(), listed(&names));
        Err(Error::input(file, message).help(self.suggestion(first)))
    }

    fn suggestion(&self, name: &str) -> String {
        let where_listed =
            "the names are those in encodings/*.json of a bundle of this model, or those of the checkpoint";
        let prefixes = self.aliases.prefixes.iter();
        let rests = prefixes.filter_map(|(_, prefix)| name.strip_prefix(prefix.as_str()));
        let known = || self.activations.iter().chain(&self.params);
        // A right name with the name of a wrapper before it.
        let ending = known().find(|known| name.strip_suffix(**known).is_some_and(|rest| rest.ends_with('.')));
        let best = |name: &str| {
            let best = known().max_by_key(|other| (likeness(name, other), std::cmp::Reverse(other.len())))?;
            (2 * likeness(name, best) > name.len()).then_some(*best)
        };
        match rests.chain([name]).find_map(best).or(ending.copied()) {
            Some(best) => format!("`{name}`: did you mean `{best}`? {where_listed}"),
            None => where_listed.to_string(),
        }
    }
}

/// How many bytes two names have in common at their start and end. Wrong names of scripts mostly differ from right ones
/// in a prefix, in `.scaled` or in one part.
fn likeness(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (start + end).min(a.len()).min(b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases() -> Aliases {
        let prefixes =
            [("vision", "model.vision_tower.timm_model."), ("language", "model."), ("vision", "model.inner.")];
        Aliases {
            prefixes: prefixes.map(|(part, prefix)| (Group::fixed(part), prefix.to_string())).to_vec(),
            names: vec![],
        }
    }

    fn names(aliases: &Aliases) -> Names<'_> {
        let vision = BTreeSet::from(["blocks.0.0.conv_exp.weight", "norm.weight", "final.weight"]);
        let language = BTreeSet::from([
            "layers.1.q_norm.weight.scaled",
            "layers.1.k_norm.weight",
            "layers.1.k_norm",
            "inner.norm.weight",
            "final.weight",
        ]);
        let mut params: BTreeSet<&str> = vision.union(&language).copied().collect();
        params.remove("layers.1.k_norm");
        Names {
            activations: BTreeSet::from(["layers.1.k_norm"]),
            params,
            by_group: BTreeMap::from([(Group::fixed("vision"), vision), (Group::fixed("language"), language)]),
            aliases,
        }
    }

    #[test]
    fn names_are_suggested_for_the_ways_in_which_scripts_err() {
        for (name, wanted) in [
            ("modul.layers.1.k_norm.weight", Some("`layers.1.k_norm.weight`")),
            ("layers.1.q_norm.weight", Some("`layers.1.q_norm.weight.scaled`")),
            ("layers.1.k_norm.wieght", Some("`layers.1.k_norm.weight`")),
            ("model.vision_tower.timm_model.blocks.0.0.conv_exp.wieght", Some("`blocks.0.0.conv_exp.weight`")),
            ("model.layers.1.q_norm.weight", Some("`layers.1.q_norm.weight.scaled`")),
            ("a.long.wrapper.around.everything.norm.weight", Some("`norm.weight`")),
            ("something else", None),
        ] {
            let made = names(&aliases()).suggestion(name);
            assert_eq!(made.contains("did you mean"), wanted.is_some(), "{name}: {made}");
            assert!(made.contains(wanted.unwrap_or_default()), "{name}: {made}");
        }
    }

    #[test]
    fn a_name_of_the_checkpoint_stands_for_one_tensor_of_its_part() {
        let aliases = aliases();
        let names = names(&aliases);
        assert_eq!(names.resolve("layers.1.k_norm"), Ok("layers.1.k_norm"));
        assert_eq!(names.resolve("model.layers.1.k_norm.weight"), Ok("layers.1.k_norm.weight"));
        let vision = "model.vision_tower.timm_model.blocks.0.0.conv_exp.weight";
        assert_eq!(names.resolve(vision), Ok("blocks.0.0.conv_exp.weight"));
        // Another part's prefix does not fit.
        assert!(names.resolve("model.blocks.0.0.conv_exp.weight").is_err());
        assert!(names.resolve("model.final.weight").unwrap_err().contains("several tensors `final.weight`"));
        let message = names.resolve("model.inner.norm.weight").unwrap_err();
        assert!(message.contains("`inner.norm.weight` or `norm.weight`"), "{message}");
    }
}
