//! Sensitivity: what each choice of each layer does to the outputs, alone, with all else in float.
//!
//! Noise at a layer's own output is measured for every choice, with the integers that the recipe's rounding gives it.
//! How much of it reaches the outputs is measured once for each width of integers, by running what comes behind the
//! layer.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::candidates::{Basis, Encodings, Of, Subject, Tunable};
use super::evidence::{Wanted, collected, fed, split, stretches};
use super::net::{Fed, Net};
use super::noise::Unit;
use super::part::{MeasuredLayer, MeasuredParts};
use super::tried::Tried;
use crate::drivers::{Driver, Run, and_samples};
use crate::stages::{for_evidence, of_graphs};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Key, Making, STATISTICS};
use autoneural_core::encoding::Encoding;
use autoneural_core::evidence::{Ask, EvidenceSource, Observer};
use autoneural_core::ir::{Constant, Value};
use autoneural_core::quantize::rounding::Rounder;
use autoneural_core::quantize::{
    Constants, Item, Layer, Table, in_8_bits, lost_to_steps, readers, round_layer, unpack,
};
use autoneural_core::recipe::{Products, Recipe, WeightBits};
use autoneural_core::tune::Choice;

/// Measures the layers of a program.
pub(crate) struct Meter<'a> {
    pub bundle: &'a Making,
    pub driver: &'a dyn Driver,
    pub basis: &'a Basis<'a>,
    pub subjects: &'a [Subject],
    /// The layers of each subject that are measured here.
    pub share: Vec<Range<usize>>,
    pub unit: Unit,
    pub progress: &'a dyn Progress,
    /// Encodings of each subject, made when they are first needed.
    pub tables: Vec<OnceCell<Encodings>>,
    /// What goes into the nets.
    pub fed: OnceCell<BTreeMap<usize, Vec<Fed>>>,
    /// What rounding wants to know of the stretch of layers that is measured.
    pub evidence: RefCell<BTreeMap<Ask, Observer>>,
}

/// A layer under one choice.
type Triple<'t> = (Layer, Item<'t>, Vec<Item<'t>>);

impl<'a> Meter<'a> {
    /// Measures all layers of some subjects.
    pub(crate) fn new(
        (bundle, driver): (&'a Making, &'a dyn Driver),
        basis: &'a Basis<'a>,
        subjects: &'a [Subject],
        unit: Unit,
        progress: &'a dyn Progress,
    ) -> Self {
        let share = subjects.iter().map(|subject| 0..subject.layers.len()).collect();
        let tables = subjects.iter().map(|_| OnceCell::new()).collect();
        let (fed, evidence) = (OnceCell::new(), RefCell::default());
        Meter { bundle, driver, basis, subjects, share, unit, progress, tables, fed, evidence }
    }

    /// Measures only these layers, counted through all subjects.
    pub(crate) fn only(mut self, wanted: &Range<usize>) -> Self {
        let mut begin = 0;
        for (share, subject) in self.share.iter_mut().zip(self.subjects) {
            let end = begin + subject.layers.len();
            let within = |at: usize| at.clamp(begin, end) - begin;
            *share = within(wanted.start)..within(wanted.end);
            begin = end;
        }
        self
    }

    /// Subjects with the layers of them that are measured here.
    fn shared(&self) -> impl Iterator<Item = (&'a Subject, &[Tunable])> {
        let all = self.subjects.iter().zip(&self.share);
        all.map(|(subject, share)| (subject, &subject.layers[share.clone()])).filter(|(_, layers)| !layers.is_empty())
    }

    fn run(&self) -> Run<'_> {
        let Meter { bundle, basis, progress, .. } = self;
        Run { bundle, partitions: basis.partitions, recipe: basis.recipe, progress: *progress }
    }

    fn recipe(&self) -> &Recipe {
        self.basis.recipe
    }

    fn rounder(&self, subject: &Subject) -> Result<Rounder> {
        self.recipe().part(&subject.group)?.rounder().alone()
    }

    fn fed(&self) -> Result<&BTreeMap<usize, Vec<Fed>>> {
        if let Some(known) = self.fed.get() {
            return Ok(known);
        }
        let (_, samples) = split(&self.recipe().calibration);
        let subjects: Vec<&Subject> = self.shared().map(|(subject, _)| subject).collect();
        let made = fed(self.driver, &self.run(), samples, &subjects)?;
        Ok(self.fed.get_or_init(|| made))
    }

    /// Layers of a subject, each with its rounder.
    fn wanted(&self, subject: &'a Subject, layers: Range<usize>) -> Result<Vec<Wanted<'a>>> {
        let rounder = self.rounder(subject)?;
        Ok(subject.layers[layers].iter().map(|layer| (subject, layer, rounder)).collect())
    }

    /// Stretches of the layers of a subject that are measured here, of which memory holds what rounding wants to know.
    fn stretches(&self, at: usize) -> Result<Vec<Range<usize>>> {
        let (subject, all) = (&self.subjects[at], self.share[at].clone());
        let begin = all.start;
        let made = stretches(self.basis.partitions, &self.wanted(subject, all)?, for_evidence());
        Ok(made.into_iter().map(|stretch| begin + stretch.start..begin + stretch.end).collect())
    }

    /// Looks at what a stretch of layers reads.
    fn look(&self, subject: &'a Subject, stretch: Range<usize>) -> Result<()> {
        let (samples, _) = split(&self.recipe().calibration);
        // What is known of other layers goes first.
        self.evidence.take();
        self.evidence.replace(collected(self.driver, &self.run(), samples, &self.wanted(subject, stretch)?)?);
        Ok(())
    }

    fn tables(&self, at: usize) -> Result<&Encodings> {
        if let Some(known) = self.tables[at].get() {
            return Ok(known);
        }
        let made = self.basis.encodings(&self.subjects[at])?;
        Ok(self.tables[at].get_or_init(|| made))
    }

    fn nets(&self, subject: &'a Subject) -> Result<Vec<Net<'a>>> {
        let fed = self.fed()?;
        let net = |(at, partition): &'a (usize, _)| Net::new(partition, fed.get(at).cloned().unwrap_or_default());
        subject.nets.iter().map(net).collect()
    }

    /// Everything that measurements of a subject read.
    fn key(&self, subject: &Subject) -> Result<Key> {
        let recipe = self.recipe();
        let key = self.bundle.key(Key::new(), |path| of_graphs(path).is_some() || path == STATISTICS)?;
        let key = key.and("bits", recipe.bits()).setting("rounding", &recipe.part(&subject.group)?.rounder());
        let key = key.setting("unit", &self.unit).setting("steps", &recipe.steps());
        let key = if self.basis.has_widths { key.setting("widths", &true) } else { key };
        and_samples(self.driver, key, self.bundle, recipe, &recipe.calibration)
    }

    /// A first answer within a minute: every weight becomes the nearest integer, one sample is run, and noise at a
    /// layer's output counts as much as noise at the outputs of the graph.
    ///
    /// # Errors
    /// An engine that fails.
    pub(crate) fn guessed(&self, at: usize) -> Result<Vec<Vec<Tried>>> {
        let subject = &self.subjects[at];
        let unit = format!("tune/first/{}", subject.group);
        self.bundle.unit(&unit, "", self.key(subject)?, self.progress, |_| {
            let (mut nets, tables) = (self.nets(subject)?, self.tables(at)?);
            let share = match self.unit {
                Unit::Power => 1.0,
                // Of logits with independent noise: half of its variance.
                Unit::Divergence => nets.first().map_or(Ok(1.0), Net::variance)? / 2.0,
            };
            let constants = constants(subject, tables)?;
            self.progress.start(&format!("guess {}", subject.group), subject.layers.len() as u64);
            let mut made = Vec::new();
            for tunable in &subject.layers {
                let mut tried = Vec::new();
                let net = &mut nets[tunable.net];
                for choice in &tunable.choices {
                    let local = match (&tunable.of, choice) {
                        (Of::Layer(_), Choice::Weights(bits)) => {
                            let triple = of(&constants, tunable, *bits)?;
                            let own = numbers(Rounder::default(), triple, &BTreeMap::new())?;
                            let rounded = net.with(&tunable.name, &given(&own), None, 1)?.0;
                            rounded + self.lost_to_steps(at, tunable, *bits, net, 1)?
                        }
                        (Of::Product(second), choice) => net.product(&tunable.name, &read(second, *choice), None, 1)?.0,
                        (Of::Value { members, encodings }, choice) => {
                            let change = given_as(&encodings[place(tunable, *choice)]);
                            net.values(members, &change, None, 1)?.0
                        }
                        (Of::Layer(_), _) => 0.0,
                    };
                    tried.push(Tried { local, noise: local * share });
                }
                made.push(tried);
                self.progress.tick(&tunable.name);
            }
            self.progress.finish();
            Ok(made)
        })
    }

    /// The whole measurement of a subject, or of a share of its layers, layer by layer. Each is kept at once, so that a run
    /// that was stopped goes on where it was. What `parts` have is not measured again.
    ///
    /// # Errors
    /// An engine that fails, or parts that lack a layer or are of something else.
    pub(crate) fn measured(&self, at: usize, parts: Option<&MeasuredParts>) -> Result<Vec<MeasuredLayer>> {
        let (subject, wanted) = (&self.subjects[at], self.share[at].clone());
        if wanted.is_empty() {
            return Ok(vec![]);
        }
        let (key, group) = (self.key(subject)?, subject.group.name());
        let key_of = |number: usize| key.clone().and("layer", subject.layers[number].record());
        let unit = |number: usize| format!("tune/layer/{group}/{number}");
        let what = format!("measure {group}");
        let (mut made, mut open, mut is_new) = (Vec::new(), None, false);
        for stretch in self.stretches(at)? {
            let mut known = true;
            for number in stretch.clone() {
                known &= self.bundle.knows(&unit(number), &key_of(number))?;
            }
            if !known {
                if parts.is_none() {
                    // Before the bar, because this has its own.
                    self.look(subject, stretch.clone())?;
                }
                self.progress.start(&what, stretch.len() as u64);
            }
            is_new |= !known;
            for number in stretch {
                let (tunable, key) = (&subject.layers[number], key_of(number));
                let (name, digest) = (&tunable.record(), key.digest());
                if !known {
                    self.progress.begin(name);
                }
                let tried = self.bundle.unit(&unit(number), "", key, &Silent, |_| {
                    if let Some(parts) = parts {
                        return parts.find((group, name), &digest, tunable.choices.len());
                    }
                    let (nets, kinds) = match &mut open {
                        Some(open) => open,
                        none => none.insert((self.nets(subject)?, constants(subject, self.tables(at)?)?)),
                    };
                    self.layer(at, tunable, &mut nets[tunable.net], kinds)
                })?;
                if !known {
                    self.progress.tick(name);
                }
                made.push(MeasuredLayer { group: group.to_string(), layer: name.clone(), key: digest, tried });
            }
            if !known {
                self.progress.finish();
            }
        }
        if !is_new {
            self.progress.reuse(&what);
        }
        Ok(made)
    }

    fn layer(&self, at: usize, tunable: &Tunable, net: &mut Net, kinds: &Kinds) -> Result<Vec<Tried>> {
        let subject = &self.subjects[at];
        let (rounder, seen) = (self.rounder(subject)?, self.evidence.borrow());
        let name = &tunable.name;
        if let Of::Product(second) = &tunable.of {
            let mut tried = Vec::new();
            for choice in &tunable.choices {
                let (local, noise) = net.product(name, &read(second, *choice), Some(self.unit), usize::MAX)?;
                tried.push(Tried { local, noise: noise.unwrap_or_default() });
            }
            return Ok(tried);
        }
        if let Of::Value { members, encodings } = &tunable.of {
            return self.value(members, encodings, net);
        }
        let choices: Vec<WeightBits> = tunable.choices.iter().filter_map(|choice| choice.weights()).collect();
        let (mut locals, mut rounded) = (Vec::new(), Vec::new());
        for bits in &choices {
            let own = numbers(rounder, of(kinds, tunable, *bits)?, &*seen)?;
            locals.push(net.with(name, &given(&own), None, usize::MAX)?.0);
            rounded.push(own);
        }
        // How much of the noise at the layer arrives at the outputs, by bits.
        let mut arrives: BTreeMap<u32, f64> = BTreeMap::new();
        for bits in [4, 8] {
            let of_width = (0..locals.len()).filter(|&at| choices[at].integer.bits() == bits && locals[at] > 0.0);
            if let Some(at) = of_width.min_by(|&a, &b| locals[a].total_cmp(&locals[b])) {
                let (local, noise) = net.with(name, &given(&rounded[at]), Some(self.unit), usize::MAX)?;
                arrives.insert(bits, noise.unwrap_or_default() / local);
            }
        }
        let share = |bits: WeightBits| {
            let near = arrives.iter().min_by_key(|(width, _)| width.abs_diff(bits.integer.bits()));
            near.map_or(1.0, |(_, share)| *share)
        };
        let mut made = Vec::new();
        for (local, bits) in locals.iter().zip(choices) {
            let local = local + self.lost_to_steps(at, tunable, bits, net, usize::MAX)?;
            made.push(Tried { local, noise: local * share(bits) });
        }
        Ok(made)
    }

    /// What the chip's steps of sums take from the output of a layer under a choice, as a share of it, in at most `most`
    /// steps of the net. Engines do not show it.
    fn lost_to_steps(&self, at: usize, tunable: &Tunable, bits: WeightBits, net: &mut Net, most: usize) -> Result<f64> {
        let kind = self.tables(at)?.iter().find(|(kind, _)| *kind == bits);
        let table = kind.map(|(_, tables)| &tables[tunable.net]);
        let table = table.ok_or_else(|| Error::internal(&tunable.name, format!("has no encodings of {bits}")))?;
        let graph = &*self.subjects[at].nets[tunable.net].1.graph;
        let lost = readers(graph, &tunable.name)
            .map(|node| lost_to_steps(self.basis.target, graph, node, table))
            .fold(0.0, f64::max);
        Ok(if lost > 0.0 { lost / net.power(&tunable.name, most)?.max(f64::MIN_POSITIVE) } else { 0.0 })
    }
}

impl Meter<'_> {
    /// What the encodings of values do, the coarsest first: how much of their noise arrives at the outputs is measured with
    /// that one.
    fn value(&self, members: &BTreeSet<String>, encodings: &[Encoding], net: &mut Net) -> Result<Vec<Tried>> {
        let (mut made, mut arrives) = (Vec::new(), None);
        for encoding in encodings {
            let unit = arrives.is_none().then_some(self.unit);
            let (local, noise) = net.values(members, &given_as(encoding), unit, usize::MAX)?;
            let share = *arrives.get_or_insert(noise.unwrap_or_default() / local.max(f64::MIN_POSITIVE));
            made.push(Tried { local, noise: if local > 0.0 { local * share } else { 0.0 } });
        }
        Ok(made)
    }
}

/// Numbers as the integers of an encoding stand for them.
fn given_as(encoding: &Encoding) -> impl Fn(&[f32]) -> Vec<f32> {
    move |values| encoding.through(values, &[values.len()])
}

/// The place of a choice.
fn place(tunable: &Tunable, choice: Choice) -> usize {
    tunable.choices.iter().position(|one| *one == choice).unwrap_or_default()
}

/// The constants of each net, by what the layers are.
type Kinds<'t> = Vec<(WeightBits, Vec<Constants<'t>>)>;

fn constants<'t>(subject: &'t Subject, tables: &'t [(WeightBits, Vec<Table>)]) -> Result<Kinds<'t>> {
    let of_kind = |(bits, tables): &'t (WeightBits, Vec<Table>)| {
        let nets = subject.nets.iter().zip(tables);
        let made = nets.map(|((_, net), table)| Constants::of(std::iter::once((net, table))));
        Ok((*bits, made.collect::<Result<Vec<_>>>()?))
    };
    tables.iter().map(of_kind).collect()
}

/// A layer as one of its choices.
fn of<'k, 't>(kinds: &'k Kinds<'t>, tunable: &Tunable, bits: WeightBits) -> Result<&'k Triple<'t>> {
    let kind = kinds.iter().find(|(kind, _)| *kind == bits);
    let layers = kind.map(|(_, nets)| nets[tunable.net].layers.iter());
    let found = layers.and_then(|mut layers| layers.find(|(layer, ..)| layer.name == tunable.name));
    found.ok_or_else(|| Error::internal(&tunable.name, format!("has no encoding of {bits}")))
}

/// What the integers of a layer and its biases stand for.
fn numbers(rounder: Rounder, triple: &Triple, source: &dyn EvidenceSource) -> Result<BTreeMap<String, Constant>> {
    let (codes, of_biases) = round_layer(rounder, triple, source)?;
    let (_, weights, biases) = triple;
    let all = std::iter::once((weights, codes)).chain(biases.iter().zip(of_biases));
    let real = |(Item { value, encoding }, codes): (&Item, Vec<u8>)| {
        let codes = unpack(encoding.integer, &codes, value.shape.iter().product());
        let real = encoding.dequantize(&codes, &value.shape);
        (value.name.clone(), Constant::from_values(real, value.shape.clone()))
    };
    Ok(all.map(real).collect())
}

/// The second operand of a product as the chip reads it: in 8 bits of its range where the product is whole.
fn read(second: &Encoding, choice: Choice) -> impl Fn(&[f32]) -> Vec<f32> {
    let encoding = match choice {
        Choice::Product(Products::Whole) => in_8_bits(second),
        _ => second.clone(),
    };
    move |values| encoding.through(values, &[values.len()])
}

fn given(own: &BTreeMap<String, Constant>) -> impl Fn(&Value, &Constant) -> Constant {
    |value, constant| own.get(&value.name).unwrap_or(constant).clone()
}
