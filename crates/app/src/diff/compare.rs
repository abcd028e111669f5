//! Two models on one sample, layer by layer.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::alone::{Alone, Fed};
use super::around::Around;
use super::chain::Chain;
use super::compiled;
use super::judge::{Known, judge};
use super::layer::{Compiled, Diff, Figures, Layer};
use super::models::Models;
use super::units::{Made, Unit, encode};
use super::values::values;
use super::weights::{self, Constants};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_core::encoding::Encoding;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::Array;

/// Units of the first part; each one after it has twice as many. So a fault near the inputs, where values are largest, is
/// found soon.
const FIRST_UNITS: usize = 8;
/// Most units that run as one model.
const PART_UNITS: usize = 64;
/// Most bytes of float values that the units of a part make.
const PART_BYTES: u64 = 256 << 20;

/// Values by name.
type Values = HashMap<String, Array>;

/// How models are compared.
pub struct Looking<'a> {
    /// An operator may be wrong where it alone reaches less than this, in dB.
    pub floor_db: f64,
    /// Whether it ends with the part of the network in which the first operator is wrong.
    pub only_first: bool,
    /// Is told the first operator that is wrong, as soon as it is known.
    pub on_first: &'a dyn Fn(&Layer),
}

/// Compares the models on an engine: the NPU of a target, or the simulation without one. An operator is wrong where it
/// alone reaches less than the floor, and less than its integers allow.
///
/// # Errors
/// An engine that does not run a model, values that take too much memory.
pub fn compare(
    models: &Models,
    (runtime, target): (&Runtime, Option<&Target>),
    looking: &Looking,
    progress: &dyn Progress,
) -> Result<Diff> {
    let floor_db = looking.floor_db;
    let Models { float, quantized, units, pairing, encodings, .. } = models;
    let parts = parts(models, &HashMap::new());
    progress.start("compare layers", parts.len() as u64 + 1);
    progress.begin("the float model");
    let borders = units
        .iter()
        .flat_map(|unit| unit.makes.iter().map(|made| &made.border).chain(unit.reads.iter().map(|read| &read.border)));
    let wanted: HashSet<&str> = borders.filter_map(|border| pairing.get(border)).collect();
    let mut values = values(float, runtime, models.sample.clone(), &wanted)?;
    for made in units.iter().flat_map(|unit| &unit.makes) {
        let value = pairing.get(&made.border).and_then(|name| values.get_mut(name));
        value.into_iter().for_each(|value| models.cuts.apply(&made.border, value));
    }
    progress.tick("the float model");
    let inputs = models.quantized_inputs()?;
    let places: Vec<Place> = std::iter::once(Place::Cpu).chain(target.map(Place::Npu)).collect();
    let chains = places.iter().map(|&place| Chain::new(quantized, runtime, place, inputs.clone())).collect();
    let alone = Alone { float, quantized, pairing, encodings, values: &values, runtime };
    let around = Around::new(units);
    let mut work = Work {
        models,
        values: &values,
        around,
        chains,
        alone,
        places,
        floor_db,
        found: vec![],
        so_far: HashMap::new(),
        unpaired: 0,
    };
    for (name, coded) in models.coded_inputs() {
        work.conversion(&name, (&name, "input"), &coded, None);
    }
    let (mut is_told, mut left) = (work.tell_first(looking), units.len());
    for part in self::parts(models, &values) {
        if is_told && looking.only_first {
            break;
        }
        let what = format!("{} of {} operators", part.end, units.len());
        progress.begin(&what);
        left = units.len() - part.end;
        work.part(part, runtime)?;
        progress.tick(&what);
        is_told = is_told || work.tell_first(looking);
    }
    progress.finish();
    let (mut layers, unpaired, so_far) = (work.found, work.unpaired, work.so_far);
    let compiled = match target {
        None => None,
        Some(_) if left > 0 => {
            let why = "the comparison ended at the first operator that is wrong";
            Some(Compiled { refused: Some(why.into()), ..Compiled::default() })
        }
        Some(target) => {
            let in_parts = so_far.into_iter().filter_map(|(name, figures)| Some((name, figures.npu?))).collect();
            let known = compiled::Known { models, values: &values, in_parts: &in_parts, floor_db };
            let found = compiled::look(&known, (runtime, target), inputs, progress)?;
            if let Some((name, cause)) = &found.1
                && let Some(layer) = layers.iter_mut().find(|layer| layer.name == *name)
            {
                layer.fault.get_or_insert_with(|| cause.clone());
            }
            Some(found.0)
        }
    };
    Ok(Diff {
        on: if target.is_some() { "npu" } else { "simulated" },
        float: float.path.display().to_string(),
        quantized: quantized.path.display().to_string(),
        input: models.input.clone(),
        floor_db,
        unpaired,
        left,
        compiled,
        faults: layers.iter().filter(|layer| layer.fault.is_some()).map(|layer| layer.name.clone()).collect(),
        layers,
    })
}

/// Runs of units that are run as one model, by their number and what they make.
fn parts(models: &Models, values: &Values) -> Vec<std::ops::Range<usize>> {
    let size = |unit: &Unit| -> u64 {
        let makes = unit.makes.iter().filter_map(|made| values.get(models.pairing.get(&made.border)?));
        makes.map(Array::bytes).sum()
    };
    let (mut made, mut begin, mut bytes, mut most) = (Vec::new(), 0, 0, FIRST_UNITS);
    for (at, unit) in models.units.iter().enumerate() {
        let own = size(unit);
        if at > begin && (at - begin >= most || bytes + own > PART_BYTES) {
            made.push(begin..at);
            (begin, bytes, most) = (at, 0, (2 * most).min(PART_UNITS));
        }
        bytes += own;
    }
    made.push(begin..models.units.len());
    made
}

/// A comparison under way.
struct Work<'a> {
    models: &'a Models,
    values: &'a Values,
    around: Around<'a>,
    /// Simulation, and the NPU where it is asked for.
    chains: Vec<Chain<'a>>,
    alone: Alone<'a>,
    places: Vec<Place<'a>>,
    floor_db: f64,
    found: Vec<Layer>,
    /// SQNR of what was made so far, by the names of values.
    so_far: HashMap<String, Figures>,
    unpaired: usize,
}

impl<'a> Work<'a> {
    fn on_npu(&self) -> bool {
        self.places.len() > 1
    }

    /// Tells the first layer that is wrong, if one is.
    fn tell_first(&self, looking: &Looking) -> bool {
        let first = self.found.iter().find(|layer| layer.fault.is_some());
        first.into_iter().for_each(looking.on_first);
        first.is_some()
    }

    /// Runs the units of a part on all engines and judges what they make.
    fn part(&mut self, range: std::ops::Range<usize>, runtime: &Runtime) -> Result<()> {
        let models = self.models;
        let units: Vec<&Unit> = models.units[range.clone()].iter().collect();
        let later: Vec<&Unit> = models.units[range.end..].iter().collect();
        let mut so_far = Vec::new();
        for chain in &mut self.chains {
            so_far.push(chain.run(&units)?);
            chain.forget(&later);
        }
        let operators = units.iter().filter(|unit| !unit.is_conversion);
        let fed = operators.map(|unit| self.alone.feed(unit)).collect::<Result<Vec<Option<Fed>>>>()?;
        let fed: Vec<Fed> = fed.into_iter().flatten().collect();
        let all: Vec<&Fed> = fed.iter().collect();
        let (mut alone, mut refused) = (Vec::new(), BTreeMap::new());
        for &place in &self.places {
            alone.push(self.alone.quantized(place, &all, &mut refused)?);
        }
        refused.extend(self.chains.iter().flat_map(|chain| chain.refused.clone()));
        let mut reference = self.alone.in_float(&fed)?;
        reference.iter_mut().for_each(|(border, array)| models.cuts.apply(border, array));
        let part = Part { reference, constants: constants(models, &fed, runtime)?, so_far, alone, refused };
        for at in range {
            for made in &models.units[at].makes {
                self.made(at, made, &part)?;
            }
        }
        Ok(())
    }

    /// Judges what an operator or a conversion makes.
    fn made(&mut self, at: usize, made: &Made, part: &Part) -> Result<()> {
        let (models, unit) = (self.models, &self.models.units[at]);
        let name = models.pairing.get(&made.border);
        let Some((name, float)) = name.and_then(|name| Some((name, self.values.get(name)?))) else {
            self.unpaired += usize::from(!unit.is_conversion);
            return Ok(());
        };
        let encodings = models.encodings.of_made(&models.quantized, made);
        if unit.is_conversion {
            if let Some(encodings) = &encodings {
                let found = [0, 1].map(|engine| part.so_far.get(engine)?.get(&made.border));
                let is_made_up_for = self.around.is_made_up_for(at);
                self.conversion(&made.border, (&unit.name, &unit.op), encodings, Some((found, is_made_up_for)));
                self.note(&made.names);
            }
            return Ok(());
        }
        if float.reals().is_none() {
            return Ok(());
        }
        let found = part.so_far.iter().filter_map(|values| values.get(&made.border));
        if let Some(other) = found.into_iter().find(|other| other.elements.len() != float.elements.len()) {
            let place = format!("{}: node `{}`", models.quantized.path.display(), unit.name);
            let message = format!("makes `{name}` as {:?}, which is {:?} in the float model", other.shape, float.shape);
            return Err(Error::input(place, message).help("the two models are not the same network"));
        }
        let mut layer = Layer {
            name: name.to_string(),
            node: unit.name.clone(),
            op: unit.op.clone(),
            refused: part.refused.get(&unit.name).cloned(),
            ..Layer::default()
        };
        let (weights, missing) = part.constants.get(&unit.node).cloned().unwrap_or_default();
        let known = Known {
            encodings: encodings.as_ref(),
            float,
            reference: part.reference.get(&made.border),
            so_far: [0, 1].map(|engine| part.so_far.get(engine)?.get(&made.border)),
            alone: [0, 1].map(|engine| part.alone.get(engine)?.get(&made.border)),
            weights: &weights,
            missing: &missing,
            is_masked: self.around.is_masked(at),
            in_norm: self.around.in_norm(at),
            shares_in_concat: self.around.shares_in_concat(&models.quantized, at, &models.encodings),
            wide_inputs: self.wide_inputs(unit),
            input_db: self.worst_input(unit),
            input_scale: self.input_scale(unit),
            fixed_range: self.fixed_range(unit),
        };
        judge(&mut layer, &known, self.on_npu(), self.floor_db);
        self.found.push(layer);
        self.note(&made.names);
        Ok(())
    }

    /// Judges an encoding that stands for no operator: of an input, or a change to another one. Of a change: what the
    /// engines made of it after all before, and whether what it loses is made up for.
    fn conversion(
        &mut self,
        border: &str,
        (node, op): (&str, &str),
        encodings: &(Encoding, Encoding),
        change: Option<([Option<&Array>; 2], bool)>,
    ) {
        let name = self.models.pairing.get(border);
        let Some((name, float)) = name.and_then(|name| Some((name, self.values.get(name)?))) else { return };
        let Some(reals) = float.reals() else { return };
        let codes = encode(&reals, &float.shape, &encodings.0);
        let shares = self.models.units.iter().position(|unit| unit.makes.iter().any(|made| made.border == border));
        let shares =
            shares.is_some_and(|at| self.around.shares_in_concat(&self.models.quantized, at, &self.models.encodings));
        let both = [Some(&codes), Some(&codes).filter(|_| self.on_npu())];
        let mut layer = Layer { name: name.into(), node: node.into(), op: op.into(), ..Layer::default() };
        let known = Known {
            encodings: Some(encodings),
            float,
            reference: Some(float),
            so_far: change.map_or(both, |(made, _)| made),
            alone: both,
            weights: &[],
            missing: &[],
            is_masked: false,
            in_norm: false,
            shares_in_concat: shares,
            wide_inputs: 0,
            input_db: Figures::default(),
            input_scale: None,
            fixed_range: None,
        };
        judge(&mut layer, &known, self.on_npu(), self.floor_db);
        layer.fault = layer.fault.filter(|_| !change.is_some_and(|(_, is_made_up_for)| is_made_up_for));
        self.found.push(layer);
    }

    /// Remembers the figure of the last layer for what reads it.
    fn note(&mut self, names: &[String]) {
        let figures = self.found.last().map(|layer| layer.so_far_db);
        self.so_far.extend(figures.into_iter().flat_map(|one| names.iter().map(move |name| (name.clone(), one))));
    }

    /// The worst figures of what a unit reads.
    fn worst_input(&self, unit: &Unit) -> Figures {
        let of = |engine: fn(&Figures) -> Option<f64>| {
            unit.reads.iter().filter_map(|read| engine(self.so_far.get(&read.border)?)).reduce(f64::min)
        };
        Figures { simulated: of(|one| one.simulated), npu: of(|one| one.npu) }
    }

    /// The scale of what the operator reads first, as the NPU gets it when it runs alone.
    fn input_scale(&self, unit: &Unit) -> Option<f32> {
        let first = self.models.quantized.nodes[unit.node].input.first()?;
        let read = unit.reads.iter().find(|read| read.value == *first)?;
        self.models.encodings.of(read.dequantizer?).map(|encoding| encoding.scale[0])
    }

    fn fixed_range(&self, unit: &Unit) -> Option<[f32; 2]> {
        let Some(Place::Npu(target)) = self.places.last() else { return None };
        target.operator(&unit.op)?.output_range
    }

    fn wide_inputs(&self, unit: &Unit) -> usize {
        let encodings = unit.reads.iter().filter_map(|read| self.models.encodings.of(read.dequantizer?));
        encodings.filter(|encoding| encoding.integer.bits() == 16).count()
    }
}

/// What the engines made of a part.
struct Part {
    so_far: Vec<Values>,
    alone: Vec<Values>,
    reference: Values,
    constants: HashMap<usize, Constants>,
    refused: BTreeMap<String, String>,
}

/// Constants of operators that stand for one node of the same kind, by the quantized node.
fn constants(models: &Models, fed: &[Fed], runtime: &Runtime) -> Result<HashMap<usize, Constants>> {
    let pair = |one: &Fed| {
        let same = |at: &&usize| models.float.nodes[**at].op_type == one.unit.op;
        let mut nodes = one.region.iter().filter(same);
        let first = *nodes.next()?;
        nodes.next().is_none().then_some((first, one.unit.node))
    };
    let pairs: Vec<(usize, usize)> = fed.iter().filter_map(pair).collect();
    let found = weights::compare((&models.float, &models.quantized), &pairs, runtime)?;
    Ok(pairs.into_iter().map(|(_, node)| node).zip(found).collect())
}
