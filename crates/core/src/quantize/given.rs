//! Given encodings: they were learned elsewhere, as by quantization-aware training, and replace calibrated ones.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::{of_rows, onto_grid, spread};
use super::entry::{Entry, LARGEST_SCALE};
use super::given_class::{GivenClass, refuse_other_integer};
use super::joined;
use super::kept::{self, Settled};
use super::names::{Aliases, Names};
use super::stated::Stated;
use super::ties::Ties;
use crate::encoding::{Encoding, IntegerType, SMALLEST_SCALE};
use crate::ir::ops::Axes;
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;
use crate::target::{Operator, Weights};
use autoneural_base::error::{Error, Result};

/// How far the scale of a bias may be from `input scale x weight scale`, as a share of that product.
const BIAS_TOLERANCE: f32 = 1e-6;

/// An entry of a file that does not tell activations from constants: what it is if it is the one, and if it is the
/// other.
#[derive(Debug, Clone)]
struct Either {
    activation: Result<Encoding, String>,
    param: Result<Encoding, String>,
    axis: Option<i64>,
    file: String,
}

/// Given encodings by value name. A name stands for the values of that name in all partitions.
#[derive(Debug, Clone, Default)]
pub struct Given {
    activations: BTreeMap<String, Entry>,
    params: BTreeMap<String, Entry>,
    either: BTreeMap<String, Either>,
    /// Whether what does not fit is settled, and not refused.
    settles: bool,
    /// What quantized models state, by group. It counts where no file says anything, and is settled.
    kept: BTreeMap<Group, Kept>,
}

/// What a quantized model states of a group.
#[derive(Debug, Clone, Default)]
struct Kept {
    activations: BTreeMap<String, Entry>,
    params: BTreeMap<String, Entry>,
}

/// What is given by class, and what was settled of each.
pub(crate) type Classes = (BTreeMap<usize, GivenClass>, BTreeMap<usize, Vec<Settled>>);

impl Given {
    /// The same, of which what does not fit is settled and not refused.
    pub fn settled(self) -> Self {
        Given { settles: true, ..self }
    }

    /// Adds what a quantized model states of a group; `file` is where it stands.
    pub fn keep(&mut self, group: &Group, file: &str, stated: Stated) {
        let entries = |map: BTreeMap<String, Encoding>| {
            let entry = |(name, encoding): (String, Encoding)| {
                let axis = encoding.axis.map(|axis| axis as i64);
                (name.clone(), Entry { encoding, axis, file: file.to_string(), name })
            };
            map.into_iter().map(entry).collect()
        };
        let Stated { activations, params } = stated;
        self.kept.insert(group.clone(), Kept { activations: entries(activations), params: entries(params) });
    }

    /// Whether encodings of a group are kept whatever the recipe says of bits.
    pub fn keeps(&self, group: &Group) -> bool {
        self.settles || self.kept.contains_key(group)
    }

    /// The entry of a value that is not constant, and whether it is settled.
    pub(crate) fn activation(&self, group: &Group, name: &str) -> Option<(&Entry, bool)> {
        let kept = || self.kept.get(group)?.activations.get(name);
        self.activations.get(name).map(|entry| (entry, self.settles)).or_else(|| Some((kept()?, true)))
    }

    /// The entry of a constant, and whether it is settled.
    pub(crate) fn constant(&self, group: &Group, name: &str) -> Option<(&Entry, bool)> {
        let kept = || self.kept.get(group)?.params.get(name);
        let found = self.params.get(name).map(|entry| (entry, self.settles)).or_else(|| Some((kept()?, true)));
        // What has 32 bits follows from others, wherever it is added.
        found.filter(|(entry, is_kept)| !is_kept || entry.encoding.integer != IntegerType::Int32)
    }

    /// What the target takes of an operator that is most like what is kept of its weight, which has this shape and these
    /// axes.
    pub fn kept_weights(
        &self,
        group: &Group,
        name: &str,
        operator: &Operator,
        form: (&[usize], Option<Axes>),
    ) -> Option<Weights> {
        self.constant(group, name)
            .filter(|(_, is_kept)| *is_kept)
            .and_then(|(entry, _)| kept::weights(&entry.encoding, operator, form))
    }

    /// Adds an entry of a file, with the axis of its scales if the file tells it.
    ///
    /// # Errors
    /// A scale is outside 1e-12 to 1e12, or an earlier file gives another encoding to the same value.
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

    /// Adds an entry of a file that does not tell activations from constants. `activation` and `param` are what the
    /// entry is as the one and as the other, or why it cannot be that.
    ///
    /// # Errors
    /// An earlier file gives another encoding to the same name.
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

    /// Refuses encodings of values inside groups that the recipe equalizes: they were learned on the numbers before
    /// equalization.
    ///
    /// # Errors
    /// There is such an encoding; the error names the first one.
    pub fn refuse_equalized(&self, partitions: &[Partition], recipe: &Recipe) -> Result<()> {
        for partition in partitions {
            if recipe.part(&partition.group)?.equalize.is_none() {
                continue;
            }
            let ports: BTreeSet<&str> =
                partition.inputs.iter().chain(&partition.outputs).map(|port| port.name.as_str()).collect();
            for (_, value) in partition.graph.values().filter(|(_, value)| !ports.contains(value.name.as_str())) {
                let entry = match value.constant() {
                    Some(_) => self.constant(&partition.group, &value.name),
                    None => self.activation(&partition.group, &value.name),
                };
                let Some((entry, _)) = entry else { continue };
                let group = &partition.group;
                let message = format!("is inside {group}, whose numbers `recipe.{group}.equalize` changes");
                return Err(entry.error(message).help(format!("leave out `equalize`, or the encodings of {group}")));
            }
        }
        Ok(())
    }

    /// The same encodings under the names of the graphs. Files may use the names of the checkpoint instead.
    ///
    /// # Errors
    /// No partition has a name (a script that misspells one would otherwise train in vain), a name fits several
    /// tensors, or a tensor is given under two names.
    pub fn resolved(&self, partitions: &[Partition], aliases: &Aliases) -> Result<Given> {
        let names = Names::new(partitions, aliases);
        names.refuse_unknown(&self.activations, false)?;
        names.refuse_unknown(&self.params, true)?;
        names.refuse_unknown_of(self.either.iter().map(|(name, either)| (name.as_str(), either.file.as_str())))?;
        let mut made = Given { settles: self.settles, ..Given::default() };
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
        if self.settles {
            partitions.iter().for_each(|one| joined::complete(&one.graph, &mut made.activations));
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

    /// What is given for each class of tied values, and what was settled of it.
    ///
    /// # Errors
    /// Two values that must share one encoding were given different ones.
    pub(crate) fn by_class(&self, partitions: &[Partition], ties: &Ties) -> Result<Classes> {
        let mut found: BTreeMap<usize, GivenClass> = BTreeMap::new();
        let mut said: BTreeMap<usize, Vec<Settled>> = BTreeMap::new();
        for partition in partitions {
            for (_, value) in partition.graph.values() {
                let Some((entry, is_kept)) = self.activation(&partition.group, &value.name) else { continue };
                let Some(class) = ties.class(&partition.group, &value.name) else { continue };
                let mut entry = entry.clone();
                let settled = |message: String| Settled { message, name: value.name.clone() };
                if is_kept {
                    match kept::activation(&entry.encoding) {
                        Ok(encoding) => entry.encoding = encoding,
                        Err(message) => {
                            said.entry(class).or_default().push(settled(message));
                            continue;
                        }
                    }
                }
                let Some(first) = found.get_mut(&class) else {
                    found.insert(class, GivenClass { entry, is_kept });
                    continue;
                };
                if first.entry.encoding == entry.encoding || is_kept && !first.is_kept {
                    continue;
                }
                if first.is_kept && !is_kept {
                    (first.entry, first.is_kept) = (entry, false);
                } else if is_kept {
                    let message = format!(
                        "shares one encoding with `{}`, which covers both ranges: no arithmetic stands between them",
                        first.entry.name
                    );
                    first.entry.encoding = kept::joined(&first.entry.encoding, &entry.encoding);
                    said.entry(class).or_default().push(settled(message));
                } else {
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
        Ok((found, said))
    }

    /// The encoding given for a constant, in the form of the one that was computed for it. The constant has this shape
    /// and, if it is a weight, these axes. What is kept and does not fit is added to `said`.
    ///
    /// # Errors
    /// Other integers, another number of channels, a zero point where weights have none.
    pub fn param(
        &self,
        group: &Group,
        name: &str,
        (computed, shape, axes): (&Encoding, &[usize], Option<Axes>),
        said: &mut Vec<Settled>,
    ) -> Result<Option<Encoding>> {
        let Some((entry, is_kept)) = self.constant(group, name) else { return Ok(None) };
        let on_grid = |mut made: Encoding| match axes {
            Some(axes) => onto_grid(&mut made, shape, axes).map(|()| made),
            None => Ok(made),
        };
        // Files that do not tell the axis of blocks have output channels outermost.
        let laid = match (axes, entry.encoding.block, computed.block) {
            (Some(axes), Some(_), _) if entry.axis.is_none() => of_rows(&entry.encoding, shape, axes),
            // Scales of channels are also scales of blocks.
            (Some(axes), None, Some(block)) if !is_kept => spread(&entry.encoding, shape, axes, block),
            _ => Ok(entry.encoding.clone()),
        };
        let laid = laid.map(|encoding| Entry { encoding, ..entry.clone() });
        if is_kept {
            let settle = |message| said.push(Settled { message, name: name.to_string() });
            let made = laid
                .and_then(|entry| kept::param(&entry, computed))
                .and_then(|made| on_grid(made).map_err(|message| format!("{message}; new scales are made")));
            return Ok(made.map_err(settle).ok());
        }
        let axis_of_blocks = entry.axis.filter(|_| entry.encoding.block.is_some());
        let entry = &laid.map_err(|message| entry.error(message))?;
        if (entry.encoding.integer, computed.integer.is_signed()) == (IntegerType::Int32, false) {
            let wanted = computed.integer.name();
            let message = format!("is a bias in 32 bits; here a node of its own adds it, which takes {wanted}");
            return Err(entry.error(message).help("leave it out of the file: its encoding follows from its values"));
        }
        refuse_other_form(&entry.encoding, computed)
            .map_err(|message| entry.error(message).help("was it made for another model?"))?;
        if let (Some(given), Some(0), None) = (entry.axis.filter(|&axis| axis != 0), computed.axis, computed.block) {
            let message = format!("has a scale for each index of axis {given}; output channels are axis 0");
            return Err(entry.error(message));
        }
        if let (Some(given), Some(_), Some(wanted)) = (axis_of_blocks, computed.block, computed.axis) {
            let axis = if given < 0 { given + shape.len() as i64 } else { given };
            if usize::try_from(axis) != Ok(wanted) {
                return Err(entry.error(format!("has blocks along axis {given}; input channels are axis {wanted}")));
            }
        }
        let made = on_grid(Encoding { axis: computed.axis, ..entry.encoding.clone() });
        made.map(Some).map_err(|message| entry.error(message).help("export them as LPBQ"))
    }

    /// The file that has an encoding of a constant.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        let kept = || self.kept.values().find_map(|kept| kept.params.get(name));
        self.params.get(name).or_else(kept).map(|entry| entry.file.as_str())
    }

    /// Refuses an entry for a bias that is not what its input and weights make of it.
    pub fn refuse_other_bias(&self, name: &str, computed: &Encoding) -> Result<()> {
        let Some(entry) = self.params.get(name).filter(|_| !self.settles) else { return Ok(()) };
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

    /// The constants that have a given encoding, by name.
    pub(crate) fn params(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.params.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Whether an error is about one of the files and not about the model or its recipe.
    pub fn is_of_file(&self, error: &Error) -> bool {
        self.activations.values().chain(self.params.values()).any(|Entry { file, .. }| {
            error.place.strip_prefix(file.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(": `"))
        })
    }
}

fn refuse_other_form(given: &Encoding, computed: &Encoding) -> Result<(), String> {
    refuse_other_integer(given, computed.integer)?;
    let form = |encoding: &Encoding| match (encoding.axis, encoding.block) {
        (Some(_), Some(block)) => format!("{} scales in blocks of {block}", encoding.scale.len()),
        (Some(_), None) => format!("{} scales by channel", encoding.scale.len()),
        (None, _) => "one scale for all channels".to_string(),
    };
    if given.block != computed.block
        || given.axis.is_some() != computed.axis.is_some()
        || given.scale.len() != computed.scale.len()
    {
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
