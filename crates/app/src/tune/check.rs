//! Checks of an assignment: the whole model quantized as the recipe says it, rounded as it says it, and simulated.

use crate::drivers::{Driver, Engines, LoadAny, Run, Takes, and_samples};
use crate::evaluate::{Answers, TextPlan};
use crate::stages::{emit_group, keep_recipe, measure_text, quantize_group};
use crate::verify::{Extent, LoadEngines};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{GivenFiles, Key, Making, STATISTICS};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::Partition;
use autoneural_core::recipe::Recipe;
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{Engine, EngineKind, Reference};

use super::candidates::Subject;
use super::noise::or_alone;
use crate::stages::of_graphs;

/// What assignments are checked with.
pub(crate) struct Checker<'a> {
    pub bundle: &'a Making,
    pub driver: &'a dyn Driver,
    pub partitions: &'a [Partition],
    pub subjects: &'a [Subject],
    pub statistics: &'a StatisticsTable,
    pub runtime: &'a Runtime,
    pub text: Option<&'a TextPlan>,
    pub progress: &'a dyn Progress,
}

impl Checker<'_> {
    /// The noise of each subject under a recipe, whose verification samples check. What was checked before is not
    /// checked again.
    ///
    /// # Errors
    /// A stage that fails.
    pub(crate) fn noises(&self, recipe: &Recipe) -> Result<Vec<f64>> {
        let Checker { bundle, driver, .. } = self;
        let key = bundle.key(Key::new(), |path| of_graphs(path).is_some() || path == STATISTICS)?;
        let key = key.and("quantization", recipe.quantization()).setting("steps", &recipe.steps());
        let key = and_samples(*driver, key, bundle, recipe, &recipe.calibration)?;
        let key = match self.text {
            Some(text) => {
                let sha256 = bundle.hash_input(&text.text)?;
                key.and("text", sha256).setting("windows", &(text.window, text.windows))
            }
            None => and_samples(*driver, key, bundle, recipe, &recipe.verification)?,
        };
        let name = format!("tune/check/{}", &key.digest()[..16]);
        bundle.unit(&name, "", key, self.progress, |_| {
            for subject in self.subjects {
                let of = (self.driver, self.partitions);
                let none = GivenFiles::read(&[], false)?;
                let group = &subject.group;
                quantize_group(bundle, of, group, self.statistics, recipe, &none, self.progress)?;
                emit_group(bundle, self.driver, (group, None), recipe, self.progress)?;
            }
            match self.text {
                Some(text) => self.perplexity(recipe, text),
                None => self.powers(recipe),
            }
        })
    }

    /// How many verification steps are compared: all of models that take arrays, and of others the last of each sample.
    pub(crate) fn extent(driver: &dyn Driver, partitions: &[Partition]) -> Extent {
        let is_of_words = matches!(driver.takes(partitions), Takes::Words);
        Extent { partitions: None, sampled: is_of_words }
    }

    fn powers(&self, recipe: &Recipe) -> Result<Vec<f64>> {
        let (bundle, partitions) = (self.bundle, self.partitions);
        let mut extent = Self::extent(self.driver, partitions);
        let names = self.subjects.iter().flat_map(|subject| &subject.nets).map(|(at, _)| partitions[*at].name.clone());
        extent.partitions = Some(names.collect());
        let tables = bundle.tables(partitions)?;
        let reference = |partition: &Partition| -> Result<Box<dyn Engine>> {
            Ok(Box::new(Reference::load(partition, &bundle.float_model(partition))?))
        };
        let mut engines = |partition: &Partition| -> Result<Engines> {
            let simulated = self.runtime.simulate(partition, &bundle.quantized_model(partition))?;
            Ok(Engines { simulated: Some(simulated), npu: None })
        };
        let run = Run { bundle, partitions, recipe, progress: self.progress };
        let loads: (Box<LoadAny>, &mut LoadEngines) = (Box::new(reference), &mut engines);
        let found = crate::verify::verify(self.driver, &run, &tables, loads, &extent)?;
        let noise = |subject: &Subject| {
            let judged = |at: usize| partitions[at].judged().into_iter().map(move |output| (at, output));
            let outputs = subject.nets.iter().flat_map(|(at, _)| judged(*at));
            let outputs = outputs.map(|(at, output)| &found.outputs[at][output]);
            let noise = |sqnr: Sqnr| or_alone(10f64.powf(-sqnr.db() / 10.0));
            outputs.filter_map(|output| output.simulated).map(noise).fold(0.0, f64::max)
        };
        Ok(self.subjects.iter().map(noise).collect())
    }

    fn perplexity(&self, recipe: &Recipe, text: &TextPlan) -> Result<Vec<f64>> {
        let (bundle, progress) = (self.bundle, self.progress);
        keep_recipe(bundle, recipe)?;
        let measured = |kind: EngineKind| -> Result<f64> {
            // Answers of one assignment are not those of the next.
            let scratch = tempfile::tempdir_in(bundle.path("")).map_err(|error| Error::io(&bundle.path(""), &error))?;
            let plan = TextPlan { kinds: vec![kind], ..text.clone() };
            let found = measure_text(bundle, Answers::In(scratch.path()), &plan, Some(self.runtime), progress)?;
            Ok(found.engines.first().map_or(f64::INFINITY, |engine| engine.perplexity))
        };
        let key = bundle.key(Key::new(), |path| of_graphs(path).is_some())?;
        let key = key.and("text", bundle.hash_input(&text.text)?).setting("windows", &(text.window, text.windows));
        let float: f64 = bundle.unit("tune/float", "", key, progress, |_| measured(EngineKind::Float))?;
        Ok(vec![or_alone((measured(EngineKind::Simulated)? / float).ln()).max(0.0)])
    }
}
