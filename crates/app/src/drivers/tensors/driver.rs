//! The driver: what it asks of samples, and how they go through the graphs.

use std::collections::BTreeMap;

use super::arrays::Arrays;
use super::names::Names;
use super::sample::{arrays_of, pictures_key, read};
use super::takes::{self, intakes};
use crate::drivers::{Driver, Kept, LoadAny, Parity, Phase, Run, Takes, and_samples};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, InputRecord, Key, Making, hash_bytes, short};
use autoneural_core::doubts::{Flat, Look, Shown};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::ir::le_bytes;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, Step, Visit};
use autoneural_core::recipe::{self, Recipe, Sample};
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::engine::{Data, Engine, Reference, Tensor};
use autoneural_front::Checkpoint;

/// Its name in a program.
pub const NAME: &str = "tensors";

/// The driver of plain graphs.
pub struct Tensors {
    groups: Vec<Group>,
}

impl Tensors {
    /// That of a program of these groups.
    pub fn new(groups: Vec<Group>) -> Self {
        Tensors { groups }
    }
}

impl Driver for Tensors {
    fn phases(&self) -> Vec<Phase> {
        vec![Phase { name: "samples", groups: self.groups.clone() }]
    }

    fn takes(&self, partitions: &[Partition]) -> Takes {
        Takes::Arrays { groups: self.groups.clone(), intakes: intakes(partitions) }
    }

    fn refuse_unfit(&self, recipe: &Recipe, partitions: &[Partition]) -> Result<()> {
        let names = Names::new(partitions);
        for name in recipe.preprocess.keys() {
            names.input(name, &format!("{}: preprocess.{name}", recipe.path().display()))?;
        }
        for sample in recipe.calibration.iter().chain(&recipe.verification) {
            let fits = || names.check(&read(&names, recipe, sample)?);
            fits().map_err(|error| error.within(&sample.place))?;
        }
        Ok(())
    }

    fn warnings(&self, bundle: &Bundle, recipe: &Recipe, list: &str, stage: &str) -> Vec<Warning> {
        let samples = if list == "calibration" { &recipe.calibration } else { &recipe.verification };
        let place = format!("{}: {list}", recipe.file_name());
        let notes = recipe.notes.iter().filter(|(of, ..)| *of == list);
        let mut made: Vec<Warning> =
            notes.map(|(_, message, help)| Warning::new(stage, &place, message).help(*help)).collect();
        // A bundle whose graphs cannot be read fails elsewhere.
        let partitions = bundle.partitions().unwrap_or_default();
        made.extend(takes::warnings(&Names::new(&partitions), recipe, samples, (&place, stage)));
        made
    }

    fn looks(&self, bundle: &Bundle, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<Look>> {
        let partitions = bundle.partitions()?;
        let names = Names::new(&partitions);
        let look = |sample: &Sample| {
            let arrays = read(&names, recipe, sample).map_err(|error| error.within(&sample.place))?;
            let shown = arrays.tensors.iter().map(|(name, tensor)| shown(name, tensor)).collect();
            Ok(Look { shown, words: None })
        };
        samples.iter().map(look).collect()
    }

    fn sample_key(&self, key: Key, bundle: &Making, recipe: &Recipe, sample: &Sample) -> Result<Key> {
        let within = |error: Error| error.within(&sample.place);
        let key = move || -> Result<Key> {
            let mut key = match arrays_of(sample)? {
                recipe::Arrays::File(_, None) => key,
                recipe::Arrays::File(_, Some(row)) => key.setting("row", &row),
                recipe::Arrays::Each(files) => key.setting("inputs", &files.keys()),
            };
            for path in sample.files() {
                key = key.and("tensors", bundle.hash_input(&sample.beside(path))?);
            }
            Ok(match pictures_key(recipe, sample) {
                Some(pictures) => key.and("preprocess", pictures),
                None => key,
            })
        };
        key().map_err(within)
    }

    fn inputs(&self, bundle: &Making, _recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
        let mut made: Vec<InputRecord> = Vec::new();
        for sample in samples {
            arrays_of(sample).map_err(|error| error.within(&sample.place))?;
            for file in sample.files() {
                let (path, name) = (sample.beside(file), file.display().to_string());
                if made.iter().all(|record| record.path != name) {
                    let sha256 = bundle.hash_input(&path).map_err(|error| error.within(&sample.place))?;
                    made.push(InputRecord { path: name, sha256 });
                }
            }
        }
        Ok(made)
    }

    fn layer_sample(&self, recipe: &Recipe) -> Result<usize> {
        let none = || Error::input(format!("recipe `{}`", recipe.name), "has no verification sample");
        (!recipe.verification.is_empty()).then_some(0).ok_or_else(none)
    }

    fn phase_key(&self, _phase: usize, key: Key, bundle: &Making, recipe: &Recipe) -> Result<Key> {
        and_samples(self, key, bundle, recipe, &recipe.calibration)
    }

    fn calibrate<'a>(
        &'a self,
        _phase: usize,
        run: &Run<'a>,
        load: Box<LoadAny<'a>>,
        _kept: &Kept,
    ) -> Result<StatisticsTable> {
        let what = (run.recipe.calibration.as_slice(), self.groups.as_slice());
        self.walk("calibrate samples", run, what, load, &mut |_| Ok(()))?;
        Ok(StatisticsTable::default())
    }

    fn walk<'a>(
        &'a self,
        title: &str,
        run: &Run<'a>,
        (samples, groups): (&[Sample], &[Group]),
        mut load: Box<LoadAny<'a>>,
        visit: &mut Visit,
    ) -> Result<()> {
        let (partitions, names) = (run.partitions, Names::new(run.partitions));
        let last = partitions.iter().rposition(|partition| groups.contains(&partition.group));
        let reached = &partitions[..last.map_or(0, |last| last + 1)];
        let mut handed: Vec<BTreeMap<String, Tensor>> = vec![BTreeMap::new(); samples.len()];
        run.progress.start(title, (reached.len() * samples.len()) as u64);
        for (at, partition) in reached.iter().enumerate() {
            // One graph after the other, so that no two engines need memory together.
            let mut engine = None;
            for (number, (sample, handed)) in samples.iter().zip(&mut handed).enumerate() {
                run.progress.begin(sample.title());
                let mut one = || -> Result<()> {
                    let arrays = read(&names, run.recipe, sample)?;
                    let Some(inputs) = names.inputs(&arrays, at, handed)? else { return Ok(()) };
                    let engine = match &mut engine {
                        Some(engine) => engine,
                        empty => empty.insert(load(partition)?),
                    };
                    let outputs = engine.run(&inputs)?;
                    visit(Step {
                        partition: at,
                        inputs: &inputs,
                        outputs: &outputs,
                        tokens: None,
                        is_last: true,
                        sample: number,
                    })?;
                    names.hand_over(at, outputs, handed);
                    Ok(())
                };
                one().map_err(|error| error.within(&sample.place))?;
                run.progress.tick(sample.title());
            }
        }
        run.progress.finish();
        Ok(())
    }

    fn how_to_reach(&self) -> &'static str {
        "give the recipe samples with an array for each of its inputs"
    }

    fn about_runs(&self) -> &'static str {
        "A run is a sample."
    }

    fn reads(&self, _group: &Group, file: &str) -> bool {
        file.ends_with(".toml")
    }

    fn parity(&self, bundle: &Bundle, recorded: &Checkpoint, progress: &dyn Progress) -> Result<Vec<Parity>> {
        let (partitions, path) = (bundle.partitions()?, recorded.path());
        let names = Names::new(&partitions);
        let arrays = Arrays::of_ports(path, &|name| names.element(name))?;
        let (mut made, mut handed) = (Vec::new(), BTreeMap::new());
        progress.start("parity", partitions.len() as u64);
        for (at, partition) in partitions.iter().enumerate() {
            progress.begin(&partition.name);
            if let Some(inputs) = names.inputs(&arrays, at, &handed)? {
                let mut engine = Reference::load(partition, &bundle.float_model(partition))?;
                let outputs = engine.run(&inputs)?;
                for (place, output) in outputs.iter().enumerate() {
                    if let Some((name, wanted)) = names.output(&arrays, at, place)? {
                        made.push(Parity { sqnr_db: Sqnr::of(wanted.as_f32()?, output.as_f32()?)?, name });
                    }
                }
                names.hand_over(at, outputs, &mut handed);
            }
            progress.tick(&partition.name);
        }
        progress.finish();
        match made.is_empty() {
            true => Err(Error::input(path.display(), "records no output that can be compared")
                .help("it holds the inputs of a graph and outputs of it, by their names or as `graph/name`")),
            false => Ok(made),
        }
    }
}

/// What an array shows. Integers may well be the same everywhere, as those of a mask.
fn shown(input: &str, tensor: &Tensor) -> Shown {
    let (digest, flat) = match &tensor.data {
        Data::F32(values) => (hash_bytes(&le_bytes(values)), Flat::of(values, &tensor.shape)),
        Data::I32(values) => {
            (hash_bytes(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()), None)
        }
        // No input takes codes.
        Data::U8(codes) => (hash_bytes(codes), None),
        Data::U16(codes) => (hash_bytes(&codes.iter().flat_map(|code| code.to_le_bytes()).collect::<Vec<u8>>()), None),
    };
    Shown { input: input.to_string(), digest: short(&digest), flat }
}
