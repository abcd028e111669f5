//! `tensors`: the driver of plain graphs. A sample is a file of named arrays; each graph runs once with those that are
//! its inputs, and with what graphs before it hand over.

mod arrays;
mod models;
mod source;

pub use models::Models;
pub use source::{Graphs, partition};

use std::collections::BTreeMap;
use std::path::Path;

use super::{Driver, LoadAny, Parity, Phase, Run};
use arrays::{Arrays, Names};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, InputRecord, Key, Making};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, Step, Visit};
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::engine::{Engine, Reference, Tensor};
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

/// The file of a sample.
///
/// # Errors
/// The sample is none of arrays.
fn file(recipe: &Recipe, sample: &Sample) -> Result<std::path::PathBuf> {
    match &sample.tensors {
        Some(tensors) => Ok(recipe.beside(tensors)),
        None => Err(Error::input("", "is no file of tensors, which is what this model takes")
            .help("write the sample as `tensors = \"FILE.safetensors\"`, with one array for each input")),
    }
}

impl Driver for Tensors {
    fn phases(&self) -> Vec<Phase> {
        vec![Phase { name: "samples", groups: self.groups.clone() }]
    }

    fn refuse_unfit(&self, recipe: &Recipe, partitions: &[Partition]) -> Result<()> {
        let names = Names::new(partitions);
        for sample in recipe.calibration.iter().chain(&recipe.verification) {
            let fits = || names.check(&Arrays::read(&file(recipe, sample)?)?);
            fits().map_err(|error| error.within(&sample.place))?;
        }
        Ok(())
    }

    fn sample_key(&self, key: Key, bundle: &Making, recipe: &Recipe, sample: &Sample) -> Result<Key> {
        let hash = file(recipe, sample).and_then(|path| bundle.hash_input(&path));
        Ok(key.and("tensors", hash.map_err(|error| error.within(&sample.place))?))
    }

    fn inputs(&self, bundle: &Making, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
        let mut made: Vec<InputRecord> = Vec::new();
        for sample in samples {
            let (path, name) = (file(recipe, sample).map_err(|error| error.within(&sample.place))?, sample.title());
            if made.iter().all(|record| record.path != name) {
                let sha256 = bundle.hash_input(&path).map_err(|error| error.within(&sample.place))?;
                made.push(InputRecord { path: name.to_string(), sha256 });
            }
        }
        Ok(made)
    }

    fn layer_sample(&self, recipe: &Recipe) -> Result<usize> {
        let none = || Error::input(format!("recipe `{}`", recipe.name), "has no verification sample");
        (!recipe.verification.is_empty()).then_some(0).ok_or_else(none)
    }

    fn phase_key(&self, _phase: usize, key: Key, bundle: &Making, recipe: &Recipe) -> Result<Key> {
        super::and_samples(self, key, bundle, recipe, &recipe.calibration)
    }

    fn calibrate<'a>(
        &'a self,
        _phase: usize,
        run: &Run<'a>,
        load: Box<LoadAny<'a>>,
        _folder: &Path,
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
                    let arrays = Arrays::read(&file(run.recipe, sample)?)?;
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
        let (names, arrays) = (Names::new(&partitions), Arrays::read(path)?);
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
