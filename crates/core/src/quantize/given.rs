//! Encodings that were learned elsewhere, as by quantization-aware training, and stand in place of calibrated ones.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::names::{Aliases, Names};
use super::ties::Ties;
use crate::encoding::{Encoding, IntegerType, SMALLEST_SCALE};
use crate::partition::Partition;
use crate::recipe::Recipe;
use autoneural_base::error::{Error, Result};

/// Largest scale taken: beyond it the product of two scales is no number of f32 any more.
const LARGEST_SCALE: f32 = 1e12;
/// How far the scale of a bias may be from the product it has to be, as a share of it.
const BIAS_TOLERANCE: f32 = 1e-6;

/// What an entry is as an activation and as a constant, where its file does not tell which it is.
#[derive(Debug, Clone)]
struct Either {
    activation: Result<Encoding, String>,
    param: Result<Encoding, String>,
    axis: Option<i64>,
    file: String,
}

/// Encodings by value name. A name stands for the value of that name in every partition.
#[derive(Debug, Clone, Default)]
pub struct Given {
    activations: BTreeMap<String, Entry>,
    params: BTreeMap<String, Entry>,
    either: BTreeMap<String, Either>,
}

/// The encoding given for a class of tied values.
pub struct GivenClass<'a> {
    entry: &'a Entry,
}

impl GivenClass<'_> {
    /// The file that it is from.
    pub fn file(&self) -> &str {
        &self.entry.file
    }

    /// The encoding, if it is of the integers that are wanted.
    pub fn encoding(&self, wanted: IntegerType) -> Result<Encoding> {
        refuse_other_integer(&self.entry.encoding, wanted).map_err(|message| self.entry.error(message))?;
        Ok(self.entry.encoding.clone())
    }
}

impl Given {
    /// Adds an entry of a file, with the axis of its scales if the file tells it.
    ///
    /// # Errors
    /// A scale that the NPU cannot work with, or another encoding of the same value in a file before.
    pub fn add(&mut self, is_param: bool, name: &str, file: &str, encoding: Encoding, axis: Option<i64>) -> Result<()> {
        let entry = Entry { encoding, axis, file: file.to_string(), name: name.to_string() };
        let usable = SMALLEST_SCALE..=LARGEST_SCALE;
        if let Some(scale) = entry.encoding.scale.iter().find(|scale| !usable.contains(*scale)) {
            let message = format!("scale {scale:e} is outside {SMALLEST_SCALE:e} to {LARGEST_SCALE:e}");
            return Err(entry.error(message));
        }
        let map = if is_param { &mut self.params } else { &mut self.activations };
        match map.get(name) {
            Some(known) if known.encoding != entry.encoding => {
                Err(entry.error(format!("is encoded otherwise in {}", known.file)))
            }
            Some(_) => Ok(()),
            None => {
                map.insert(name.to_string(), entry);
                Ok(())
            }
        }
    }

    /// Adds an entry of a file that does not tell activations from constants: what it is as the one and as the other.
    ///
    /// # Errors
    /// Another encoding of the same name in a file before.
    pub fn add_either(
        &mut self,
        name: &str,
        file: &str,
        activation: Result<Encoding, String>,
        param: Result<Encoding, String>,
        axis: Option<i64>,
    ) -> Result<()> {
        let made = Either { activation, param, axis, file: file.to_string() };
        if let Some(known) = self.either.get(name)
            && (&known.activation, &known.param) != (&made.activation, &made.param)
        {
            let place = format!("{file}: `{name}`");
            return Err(Error::input(place, format!("is encoded otherwise in {}", known.file)));
        }
        self.either.entry(name.to_string()).or_insert(made);
        Ok(())
    }

    /// Refuses encodings of values inside groups that the recipe has equalized: they are of the numbers before.
    ///
    /// # Errors
    /// The first one of them.
    pub fn refuse_equalized(&self, partitions: &[Partition], recipe: &Recipe) -> Result<()> {
        for partition in partitions {
            if recipe.part(&partition.group)?.equalize.is_none() {
                continue;
            }
            let ports: BTreeSet<&str> =
                partition.inputs.iter().chain(&partition.outputs).map(|port| port.name.as_str()).collect();
            for (_, value) in partition.graph.values().filter(|(_, value)| !ports.contains(value.name.as_str())) {
                let of = if value.constant().is_some() { &self.params } else { &self.activations };
                let Some(entry) = of.get(&value.name) else { continue };
                let group = &partition.group;
                let message = format!("is inside {group}, whose numbers `recipe.{group}.equalize` changes");
                return Err(entry.error(message).help(format!("leave out `equalize`, or the encodings of {group}")));
            }
        }
        Ok(())
    }

    /// The same with the names of the graphs, where files have those of the checkpoint.
    ///
    /// # Errors
    /// Names that no partition has (a script that misspells one would otherwise train in vain), names that fit several
    /// tensors, tensors that are given under two names.
    pub fn resolved(&self, partitions: &[Partition], aliases: &Aliases) -> Result<Given> {
        let names = Names::new(partitions, aliases);
        names.refuse_unknown(&self.activations, false)?;
        names.refuse_unknown(&self.params, true)?;
        names.refuse_unknown_of(self.either.iter().map(|(name, either)| (name.as_str(), either.file.as_str())))?;
        let mut made = Given::default();
        for (name, entry) in &self.activations {
            made.insert(false, names.resolve(name).map_err(|message| entry.error(message))?, entry.clone())?;
        }
        for (name, entry) in &self.params {
            made.insert(true, names.resolve(name).map_err(|message| entry.error(message))?, entry.clone())?;
        }
        for (name, either) in &self.either {
            let fail = |message: String| Error::input(format!("{}: `{name}`", either.file), message);
            let found = names.resolve(name).map_err(fail)?;
            let is_param = names.is_param(found);
            let encoding = if is_param { either.param.clone() } else { either.activation.clone() };
            let mut one = Given::default();
            one.add(is_param, name, &either.file, encoding.map_err(fail)?, either.axis)?;
            for (_, entry) in one.activations.into_iter().chain(one.params) {
                made.insert(is_param, found, entry)?;
            }
        }
        Ok(made)
    }

    fn insert(&mut self, is_param: bool, name: &str, entry: Entry) -> Result<()> {
        let map = if is_param { &mut self.params } else { &mut self.activations };
        match map.get(name) {
            Some(known) if known.name != entry.name => {
                let message = format!("is the same tensor as `{}` in {}", known.name, known.file);
                Err(entry.error(message).help("give it once"))
            }
            Some(known) if known.encoding != entry.encoding => {
                Err(entry.error(format!("is encoded otherwise in {}", known.file)))
            }
            Some(_) => Ok(()),
            None => {
                map.insert(name.to_string(), entry);
                Ok(())
            }
        }
    }

    /// What is given for each class of tied values.
    ///
    /// # Errors
    /// Two values that must share one encoding were given different ones.
    pub fn by_class(&self, partitions: &[Partition], ties: &Ties) -> Result<BTreeMap<usize, GivenClass<'_>>> {
        let mut found: BTreeMap<usize, GivenClass> = BTreeMap::new();
        for partition in partitions {
            for (_, value) in partition.graph.values() {
                let Some(entry) = self.activations.get(&value.name) else { continue };
                let Some(class) = ties.class(&partition.group, &value.name) else { continue };
                let first = found.entry(class).or_insert(GivenClass { entry });
                if first.entry.encoding != entry.encoding {
                    let other = match first.entry.file == entry.file {
                        true => format!("`{}`", first.entry.name),
                        false => format!("`{}` in {}", first.entry.name, first.entry.file),
                    };
                    return Err(entry
                        .error(format!("is encoded otherwise than {other}, with which it shares its encoding"))
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
        if (entry.encoding.integer, computed.integer.is_signed()) == (IntegerType::Int32, false) {
            let wanted = computed.integer.name();
            let message = format!("is a bias in 32 bits; here a node of its own adds it, which takes {wanted}");
            return Err(entry.error(message).help("leave it out of the file: its encoding follows from its values"));
        }
        refuse_other_form(&entry.encoding, computed).map_err(|message| entry.error(message))?;
        if let (Some(given), Some(0)) = (entry.axis.filter(|&axis| axis != 0), computed.axis) {
            let message = format!("has a scale for each index of axis {given}; output channels are axis 0");
            return Err(entry.error(message));
        }
        Ok(Some(Encoding { axis: computed.axis, ..entry.encoding.clone() }))
    }

    /// The file that has an encoding of a constant.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(|entry| entry.file.as_str())
    }

    /// Refuses an entry for a bias that is not what its input and weights make of it.
    pub fn refuse_other_bias(&self, name: &str, computed: &Encoding) -> Result<()> {
        let Some(entry) = self.params.get(name) else { return Ok(()) };
        let differs = || {
            refuse_other_form(&entry.encoding, computed)?;
            let pairs = entry.encoding.scale.iter().zip(&computed.scale).enumerate();
            match pairs.into_iter().find(|(_, (given, wanted))| (*given - *wanted).abs() > BIAS_TOLERANCE * *wanted) {
                Some((channel, (given, wanted))) => {
                    Err(format!("scale {given:e} of channel {channel} is not input scale x weight scale, {wanted:e}"))
                }
                None => Ok(()),
            }
        };
        differs().map_err(|why| {
            entry
                .error(format!("is a bias, whose encoding follows from its input and weights and is no other: {why}"))
                .help("leave the bias out of the file; give its input and weights")
        })
    }

    /// The constants that are given, by their names in the graphs.
    pub fn params(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.params.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Whether an error is about one of the files and not about the model or its recipe.
    pub fn is_of_file(&self, error: &Error) -> bool {
        self.activations.values().chain(self.params.values()).any(|Entry { file, .. }| {
            error.place.strip_prefix(file.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(": `"))
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
