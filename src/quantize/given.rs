//! Encodings that were learned elsewhere, as by quantization-aware training, and stand in place of calibrated ones.

use std::collections::{BTreeMap, BTreeSet};

use super::ties::Ties;
use crate::encoding::{Encoding, IntegerType, SMALLEST_SCALE};
use crate::error::{Error, Result};
use crate::ir::ElementType;
use crate::partition::Partition;

/// Largest scale taken: beyond it the product of two scales is no number of f32 any more.
const LARGEST_SCALE: f32 = 1e12;
/// How far the scale of a bias may be from the product it has to be, as a share of it.
const BIAS_TOLERANCE: f32 = 1e-6;
/// Most unknown names that an error lists.
const MOST_LISTED: usize = 3;

/// An encoding and the file it is from. The file does not tell the axis of a per-channel encoding, only that there is one.
#[derive(Debug, Clone)]
struct Entry {
    encoding: Encoding,
    file: String,
}

/// Encodings by value name. A name stands for the value of that name in every partition.
#[derive(Debug, Clone, Default)]
pub struct Given {
    activations: BTreeMap<String, Entry>,
    params: BTreeMap<String, Entry>,
}

/// The encoding given for a class of tied values.
pub struct GivenClass<'a> {
    name: &'a str,
    entry: &'a Entry,
}

impl GivenClass<'_> {
    /// The file that it is from.
    pub fn file(&self) -> &str {
        &self.entry.file
    }

    /// The encoding, if it is of the integers that are wanted.
    pub fn encoding(&self, wanted: IntegerType) -> Result<Encoding> {
        refuse_other_integer(&self.entry.encoding, wanted).map_err(|message| self.entry.error(self.name, message))?;
        Ok(self.entry.encoding.clone())
    }
}

impl Entry {
    fn error(&self, name: &str, message: impl std::fmt::Display) -> Error {
        Error::input(format!("{}: `{name}`", self.file), message)
    }
}

impl Given {
    /// Adds an entry of a file.
    ///
    /// # Errors
    /// A scale that the NPU cannot work with, or another encoding of the same value in a file before.
    pub fn add(&mut self, is_param: bool, name: String, file: &str, encoding: Encoding) -> Result<()> {
        let entry = Entry { encoding, file: file.to_string() };
        let usable = SMALLEST_SCALE..=LARGEST_SCALE;
        if let Some(scale) = entry.encoding.scale.iter().find(|scale| !usable.contains(*scale)) {
            let message = format!("scale {scale:e} is outside {SMALLEST_SCALE:e} to {LARGEST_SCALE:e}");
            return Err(entry.error(&name, message));
        }
        let map = if is_param { &mut self.params } else { &mut self.activations };
        match map.get(&name) {
            Some(known) if known.encoding != entry.encoding => {
                Err(entry.error(&name, format!("is encoded otherwise in {}", known.file)))
            }
            Some(_) => Ok(()),
            None => {
                map.insert(name, entry);
                Ok(())
            }
        }
    }

    /// Refuses names that no partition has; a script that misspells one would otherwise train in vain.
    pub fn refuse_unknown(&self, partitions: &[Partition]) -> Result<()> {
        let (mut activations, mut params) = (BTreeSet::new(), BTreeSet::new());
        for (_, value) in partitions.iter().flat_map(|partition| partition.graph.values()) {
            if value.constant().is_some() {
                params.insert(value.name.as_str());
            } else if value.element == ElementType::F32 {
                activations.insert(value.name.as_str());
            }
        }
        refuse_unknown(&self.activations, &activations, &params, "is a constant; it belongs to param_encodings")?;
        refuse_unknown(&self.params, &params, &activations, "is no constant; it belongs to activation_encodings")
    }

    /// What is given for each class of tied values.
    ///
    /// # Errors
    /// Two values that must share one encoding were given different ones.
    pub fn by_class(&self, partitions: &[Partition], ties: &Ties) -> Result<BTreeMap<usize, GivenClass<'_>>> {
        let mut found: BTreeMap<usize, GivenClass> = BTreeMap::new();
        for partition in partitions {
            for (_, value) in partition.graph.values() {
                let Some((name, entry)) = self.activations.get_key_value(&value.name) else { continue };
                let Some(class) = ties.class(partition.component, name) else { continue };
                let first = found.entry(class).or_insert(GivenClass { name, entry });
                if first.entry.encoding != entry.encoding {
                    let other = match first.entry.file == entry.file {
                        true => format!("`{}`", first.name),
                        false => format!("`{}` in {}", first.name, first.entry.file),
                    };
                    return Err(entry
                        .error(name, format!("is encoded otherwise than {other}, with which it shares its encoding"))
                        .help("no arithmetic stands between the two: give one of them, or both the same"));
                }
            }
        }
        Ok(found)
    }

    /// The encoding given for a constant, in the form of the one that was computed for it.
    ///
    /// # Errors
    /// Other integers, another number of channels, a zero point where weights have none.
    pub fn param(&self, name: &str, computed: &Encoding) -> Result<Option<Encoding>> {
        let Some(entry) = self.params.get(name) else { return Ok(None) };
        refuse_other_form(&entry.encoding, computed).map_err(|message| entry.error(name, message))?;
        Ok(Some(Encoding { axis: computed.axis, ..entry.encoding.clone() }))
    }

    /// The file that has an encoding of a constant.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(|entry| entry.file.as_str())
    }

    /// Refuses an entry for a bias that is not what its input and weights make of it.
    pub fn refuse_other_bias(&self, name: &str, computed: &Encoding) -> Result<()> {
        let Some(entry) = self.params.get(name) else { return Ok(()) };
        refuse_other_form(&entry.encoding, computed).map_err(|message| entry.error(name, message))?;
        let pairs = entry.encoding.scale.iter().zip(&computed.scale).enumerate();
        for (channel, (given, wanted)) in pairs {
            if (given - wanted).abs() > BIAS_TOLERANCE * wanted {
                let message =
                    format!("scale {given:e} of channel {channel} is not input scale x weight scale, {wanted:e}");
                return Err(entry
                    .error(name, message)
                    .help("leave the bias out; its encoding follows from the others"));
            }
        }
        Ok(())
    }

    /// Whether an error is about one of the files and not about the model or its recipe.
    pub fn is_of_file(&self, error: &Error) -> bool {
        self.activations.values().chain(self.params.values()).any(|Entry { file, .. }| {
            error.place.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with(": `"))
        })
    }
}

fn refuse_other_integer(given: &Encoding, wanted: IntegerType) -> Result<(), String> {
    match given.integer == wanted {
        true => Ok(()),
        false => Err(format!("is {}, the recipe wants {}", given.integer.name(), wanted.name())),
    }
}

fn refuse_other_form(given: &Encoding, computed: &Encoding) -> Result<(), String> {
    refuse_other_integer(given, computed.integer)?;
    let form = |encoding: &Encoding| match encoding.axis {
        Some(_) => format!("{} scales by channel", encoding.scale.len()),
        None => "one scale for all channels".to_string(),
    };
    if given.axis.is_some() != computed.axis.is_some() || given.scale.len() != computed.scale.len() {
        return Err(format!("has {} where it should have {}", form(given), form(computed)));
    }
    let symmetric = computed.integer.is_signed() && computed.zero_point.iter().all(|&zero_point| zero_point == 0);
    match given.zero_point.iter().find(|zero_point| symmetric && **zero_point != 0) {
        Some(zero_point) => {
            let offset = computed.integer.limits().0;
            Err(format!("has zero point {zero_point}; weights are symmetric, their offset is {offset}"))
        }
        None => Ok(()),
    }
}

fn refuse_unknown(
    entries: &BTreeMap<String, Entry>,
    known: &BTreeSet<&str>,
    other_list: &BTreeSet<&str>,
    misplaced: &str,
) -> Result<()> {
    let unknown: Vec<(&String, &Entry)> = entries.iter().filter(|(name, _)| !known.contains(name.as_str())).collect();
    let Some(&(first, entry)) = unknown.first() else { return Ok(()) };
    if let Some((name, entry)) = unknown.iter().find(|(name, _)| other_list.contains(name.as_str())) {
        return Err(entry.error(name, misplaced));
    }
    if unknown.len() == 1 {
        return Err(entry.error(first, "is no tensor of the model").help(suggestion(first, known)));
    }
    let names: Vec<String> = unknown.iter().take(MOST_LISTED).map(|(name, _)| format!("`{name}`")).collect();
    let more = if unknown.len() > MOST_LISTED { ", …" } else { "" };
    let message = format!("{} names are no tensors of the model: {}{more}", unknown.len(), names.join(", "));
    Err(Error::input(&entry.file, message).help(suggestion(first, known)))
}

fn suggestion(name: &str, known: &BTreeSet<&str>) -> String {
    let where_listed = "the names are those in encodings/*.json of a bundle of this model";
    let best = known.iter().max_by_key(|other| (likeness(name, other), std::cmp::Reverse(other.len())));
    match best.filter(|other| 2 * likeness(name, other) > name.len()) {
        Some(best) => format!("`{name}`: did you mean `{best}`? {where_listed}"),
        None => where_listed.to_string(),
    }
}

/// Bytes that two names have in common at their start and end. Scripts err in a prefix, in `.scaled` or in one part.
fn likeness(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (start + end).min(a.len()).min(b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_suggested_for_the_ways_in_which_scripts_err() {
        let known = BTreeSet::from(["layers.1.q_norm.weight.scaled", "layers.1.k_norm.weight", "layers.1.k_norm"]);
        for (name, wanted) in [
            ("model.layers.1.k_norm.weight", Some("`layers.1.k_norm.weight`")),
            ("layers.1.q_norm.weight", Some("`layers.1.q_norm.weight.scaled`")),
            ("layers.1.k_norm.wieght", Some("`layers.1.k_norm.weight`")),
            ("something else", None),
        ] {
            let made = suggestion(name, &known);
            assert_eq!(made.contains("did you mean"), wanted.is_some(), "{name}: {made}");
            assert!(made.contains(wanted.unwrap_or_default()), "{name}: {made}");
        }
    }
}
