//! The network as it is compiled: with its own outputs alone. Where that is worse than what its parts make, operators
//! are computed wrongly only together, and a search finds which.
//!
//! The search compiles beginnings of the network, each with one output: the first that is wrong ends with one of the
//! operators. Then a second output is added before it, and another: where that makes it right, the compiler cannot join
//! the two any more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::around::Around;
use super::causes::{Cause, of_fusion};
use super::chain::Chain;
use super::judge::MARGIN_DB;
use super::layer::{Compiled, CompiledOutput};
use super::models::Models;
use super::units::{Made, Unit, decode};
use crate::verify::Sqnr;
use autoneural_base::error::{Kind, Result};
use autoneural_base::progress::Progress;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::Array;

/// Operators before a wrong one that are tried as outputs beside it.
const MOST_TRIED: usize = 12;

/// What is known of the network in parts.
pub(crate) struct Known<'a> {
    /// The models.
    pub models: &'a Models,
    /// What float makes.
    pub values: &'a HashMap<String, Array>,
    /// SQNR of what the engine made in parts, by the names of values.
    pub in_parts: &'a HashMap<String, f64>,
    /// What an output has to reach.
    pub floor_db: f64,
}

/// Compares the outputs of the network as it is compiled, and looks for operators that only go wrong together. Gives
/// the value at which they do, with the cause. A network whose parts are wrong already is not compiled as a whole: that
/// takes long and tells nothing.
///
/// # Errors
/// The CPU does not run what is its work. A compiler that refuses the network is noted, and no error.
pub(crate) fn look(
    known: &Known,
    (runtime, target): (&Runtime, &Target),
    inputs: HashMap<String, Array>,
    progress: &dyn Progress,
) -> Result<(Compiled, Option<(String, Cause)>)> {
    let models = known.models;
    let chain = Chain::new(&models.quantized, runtime, Place::Npu(target), inputs);
    let mut search = Search { known, chain, makers: makers(&models.units), judged: BTreeMap::new(), compiled: 0 };
    let outputs = search.outputs();
    let mut made = Compiled::default();
    let in_parts = outputs.iter().filter_map(|(_, one)| known.in_parts.get(&one.border));
    if in_parts.fold(f64::NEG_INFINITY, |most, db| most.max(*db)) < MARGIN_DB {
        made.refused = Some("its outputs are wrong in parts, too".into());
        return Ok((made, None));
    }
    progress.start("compare the network as it is compiled", outputs.len() as u64);
    progress.begin("the whole network");
    let borders: HashSet<&str> = outputs.iter().map(|(_, one)| one.border.as_str()).collect();
    let arrays = match search.run(&outputs.iter().map(|(at, _)| *at).collect::<Vec<_>>(), &borders) {
        Ok(arrays) => arrays,
        Err(error) if error.kind == Kind::Toolkit => {
            progress.finish();
            made.refused = Some(error.message);
            return Ok((made, None));
        }
        Err(error) => return Err(error),
    };
    let mut fault = None;
    for (at, one) in outputs {
        let in_parts_db = known.in_parts.get(&one.border).copied();
        let (Some(name), Some(compiled_db)) = (models.pairing.get(&one.border), search.db(one, &arrays)) else {
            continue;
        };
        if fault.is_none() && search.is_lost(Some(compiled_db), &one.border) {
            progress.begin(&format!("what goes wrong before `{name}`"));
            fault = search.find(at)?;
        }
        made.outputs.push(CompiledOutput { name: name.to_string(), compiled_db, in_parts_db });
        progress.tick(name);
    }
    progress.finish();
    made.searched = search.compiled;
    Ok((made, fault))
}

/// The units that make values, by all names of these.
fn makers(units: &[Unit]) -> HashMap<&str, usize> {
    let mut makers = HashMap::new();
    for (at, unit) in units.iter().enumerate() {
        makers.extend(unit.makes.iter().flat_map(|made| &made.names).map(|name| (name.as_str(), at)));
    }
    makers
}

struct Search<'a> {
    known: &'a Known<'a>,
    chain: Chain<'a>,
    makers: HashMap<&'a str, usize>,
    /// Whether the network up to a unit, with that as its only output, is lost.
    judged: BTreeMap<usize, bool>,
    compiled: usize,
}

impl<'a> Search<'a> {
    fn units(&self) -> &'a [Unit] {
        &self.known.models.units
    }

    /// The outputs of the network, with the units that make them.
    fn outputs(&self) -> Vec<(usize, &'a Made)> {
        let mut seen = BTreeSet::new();
        let of = |name: &String| {
            let at = *self.makers.get(name.as_str())?;
            let unit = &self.units()[at];
            let made = unit.makes.iter().find(|made| made.names.contains(name))?;
            (seen.insert(made.border.as_str())).then_some((at, made))
        };
        self.known.models.quantized.outputs.iter().filter_map(of).collect()
    }

    /// The units that these need, and they themselves, in order.
    fn before(&self, ends: &[usize]) -> BTreeSet<usize> {
        let (mut found, mut open) = (BTreeSet::new(), ends.to_vec());
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(self.read_by(at));
            }
        }
        found
    }

    /// The units whose values a unit reads.
    fn read_by(&self, at: usize) -> impl Iterator<Item = usize> {
        self.units()[at].reads.iter().filter_map(|read| self.makers.get(read.border.as_str()).copied())
    }

    /// Runs the network up to these units with these outputs alone.
    fn run(&mut self, ends: &[usize], wanted: &HashSet<&str>) -> Result<HashMap<String, Array>> {
        let units: Vec<&Unit> = self.before(ends).into_iter().map(|at| &self.units()[at]).collect();
        self.compiled += 1;
        self.chain.run_as_one(&units, wanted)
    }

    /// SQNR of a value against float.
    fn db(&self, made: &Made, arrays: &HashMap<String, Array>) -> Option<f64> {
        let models = self.known.models;
        let float = self.known.values.get(models.pairing.get(&made.border)?)?.reals()?;
        let array = arrays.get(&made.border)?;
        let read = models.encodings.of_made(&models.quantized, made).map(|(_, read)| read);
        let values = read.and_then(|read| decode(array, &read)).or_else(|| array.reals())?;
        Sqnr::of(&float, &values).ok()
    }

    /// Whether a value is much worse than in parts, and wrong.
    fn is_lost(&self, db: Option<f64>, border: &str) -> bool {
        let in_parts = self.known.in_parts.get(border);
        db.zip(in_parts).is_some_and(|(db, in_parts)| db < self.known.floor_db && db < in_parts - MARGIN_DB)
    }

    /// The first value of a unit that has a figure.
    fn judgeable(&self, at: usize) -> Option<&'a Made> {
        let unit = &self.units()[at];
        let has_figure = |made: &&Made| self.known.in_parts.contains_key(&made.border);
        unit.makes.iter().find(has_figure).filter(|_| !unit.is_conversion)
    }

    /// Whether the network up to a unit is lost. One that is refused tells nothing, and counts as sound.
    fn loses(&mut self, at: usize) -> Result<bool> {
        if let Some(&known) = self.judged.get(&at) {
            return Ok(known);
        }
        let Some(made) = self.judgeable(at) else { return Ok(false) };
        let found = match self.run(&[at], &HashSet::from([made.border.as_str()])) {
            Ok(arrays) => self.is_lost(self.db(made, &arrays), &made.border),
            Err(error) if error.kind == Kind::Toolkit => false,
            Err(error) => return Err(error),
        };
        self.judged.insert(at, found);
        Ok(found)
    }

    /// The operators before an output that go wrong together.
    fn find(&mut self, end: usize) -> Result<Option<(String, Cause)>> {
        if !self.loses(end)? {
            // It is wrong only beside the other outputs.
            return Ok(None);
        }
        let mut wrong = end;
        loop {
            let all: Vec<usize> = self.before(&[wrong]).into_iter().collect();
            let all: Vec<usize> = all.into_iter().filter(|&at| self.judgeable(at).is_some()).collect();
            // All before `sound` are right, and `lost` is not.
            let (mut sound, mut lost) = (0, all.len() - 1);
            while sound < lost {
                let middle = sound.midpoint(lost);
                match self.loses(all[middle])? {
                    true => lost = middle,
                    false => sound = middle + 1,
                }
            }
            wrong = all[lost];
            // Beginnings are no chain: what was found may only follow from what is wrong beside it.
            let before: Vec<usize> = self.read_by(wrong).collect();
            let mut earlier = None;
            for at in before {
                if self.loses(at)? {
                    earlier = Some(at);
                }
            }
            match earlier {
                Some(at) => wrong = at,
                None => break,
            }
        }
        self.explain(wrong)
    }

    /// Which operator before a wrong one it is wrong together with, in words.
    fn explain(&mut self, wrong: usize) -> Result<Option<(String, Cause)>> {
        let Some(made) = self.judgeable(wrong) else { return Ok(None) };
        let units = self.units();
        let name = |at: usize| format!("`{}` ({})", units[at].name, units[at].op);
        let border = made.border.as_str();
        let db = match self.run(&[wrong], &HashSet::from([border])) {
            Ok(arrays) => self.db(made, &arrays).unwrap_or_default(),
            Err(error) => return Err(error),
        };
        let in_parts = self.known.in_parts.get(border).copied().unwrap_or_default();
        let figures = format!("{db:.1} dB, where every value is an output {in_parts:.1} dB");
        let in_norm = Around::new(units).in_norm(wrong);
        let what = format!("compiled with what comes before, {} reaches {figures}", name(wrong));
        let mut cause = of_fusion(what, in_norm);
        for other in self.nearest(wrong) {
            let Some(beside) = self.judgeable(other) else { continue };
            let arrays = match self.run(&[wrong], &HashSet::from([border, beside.border.as_str()])) {
                Ok(arrays) => arrays,
                Err(error) if error.kind == Kind::Toolkit => continue,
                Err(error) => return Err(error),
            };
            if !self.is_lost(self.db(made, &arrays), border) {
                cause.what = format!(
                    "{} and {} are wrong where they are compiled together: {figures}; with {} as an output, too, it is \
                     right",
                    name(other),
                    name(wrong),
                    name(other)
                );
                break;
            }
        }
        let float = self.known.models.pairing.get(border).unwrap_or_default();
        Ok(Some((float.to_string(), cause)))
    }

    /// Operators before one, the nearest first.
    fn nearest(&self, at: usize) -> Vec<usize> {
        let (mut found, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), vec![at]);
        while !last.is_empty() && found.len() < MOST_TRIED {
            let next: BTreeSet<usize> = last.iter().flat_map(|&one| self.read_by(one)).collect();
            // Of several as near as each other the later one first.
            last = next.into_iter().rev().filter(|one| !found.contains(one)).collect();
            found.extend(&last);
        }
        found.truncate(MOST_TRIED);
        found
    }
}
