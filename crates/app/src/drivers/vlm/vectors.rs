//! Golden vectors: one sample of verification on integer engines, as a host takes it.

use super::golden::{self, Case};
use super::samples::{and_images, and_words};
use crate::drivers::GoldenExtent;
use autoneural_base::error::Result;
use autoneural_base::progress::Progress;
use autoneural_bundle::{GOLDEN, GoldenRecord, Key, Making, Stage, is_behind_figures};
use autoneural_core::partition::Partition;
use autoneural_core::program::Load;
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_engines::back::qnn::{Compiler, Runtime};
use autoneural_engines::engine::{EngineKind, OrtSession};
use autoneural_host::{Asking, Embeddings};

/// Name of the unit of work.
const UNIT: &str = "verify/golden";

/// Makes golden vectors on those of the `wanted` engines that are available, and names them in the manifest; or takes
/// out earlier ones, if none are wanted. If `wanted` is `None`, they are made for as much as verification compares, and
/// earlier ones for more than that stay.
///
/// # Errors
/// An engine cannot be loaded or fails, a sample cannot be read, or a file cannot be written.
pub(crate) fn make_golden(
    bundle: &mut Making,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    (wanted, compared): (Option<GoldenExtent>, GoldenExtent),
    progress: &dyn Progress,
) -> Result<()> {
    bundle.manifest.golden = None;
    let (Some(runtime), Some(sample)) = (runtime, sample_of(recipe)) else { return Ok(()) };
    let has_npu = bundle.manifest.has(Stage::Build.name()) && runtime.has_npu();
    let engines = |extent: GoldenExtent| -> Vec<EngineKind> {
        let is_here = |engine: &&EngineKind| **engine == EngineKind::Simulated || has_npu;
        extent.engines().iter().filter(is_here).copied().collect()
    };
    let mut extent = wanted.unwrap_or(compared);
    if wanted.is_none() {
        for more in [GoldenExtent::Simulated, GoldenExtent::Npu] {
            if engines(more).len() > engines(extent).len()
                && bundle.knows(UNIT, &key_of(bundle, recipe, runtime, sample, &engines(more))?)?
            {
                extent = more;
            }
        }
    }
    let engines = engines(extent);
    if engines.is_empty() {
        return Ok(());
    }
    let key = key_of(bundle, recipe, runtime, sample, &engines)?;
    bundle.unit(UNIT, GOLDEN.trim_end_matches('/'), key, progress, |folder| {
        let (definition, target, partitions) = (bundle.definition()?, bundle.target()?, bundle.partitions()?);
        let (tables, host) = (bundle.tables(&partitions)?, bundle.host_folder()?);
        let tokens = Asking::read(&host, &definition)?.tokens(&definition, recipe, sample)?;
        let embeddings = Embeddings::read(&host.join(Embeddings::FILE), &definition.language)?;
        let places = sample.images.iter().zip(recipe.image_paths(sample));
        let pictures = places.map(|(name, path)| {
            let sha256 = bundle.hash_input(&path).map_err(|error| error.within(&sample.place))?;
            Ok((name.display().to_string(), path, sha256))
        });
        let what = Case {
            definition: &definition,
            partitions: &partitions,
            tables: &tables,
            embeddings: &embeddings,
            prompt: &sample.shown(),
            tokens: &tokens,
            pictures: &pictures.collect::<Result<Vec<_>>>()?,
            most: recipe.steps(),
        };
        let load = |engine: EngineKind| -> Box<Load<OrtSession>> {
            let (bundle, target) = (&*bundle, &target);
            Box::new(move |partition: &Partition| match engine {
                EngineKind::Npu => {
                    runtime.open_segments(partition, &bundle.segments(partition)?, &bundle.path(""), target)
                }
                _ => runtime.simulate(partition, &bundle.quantized_model(partition)),
            })
        };
        golden::make(&what, &engines, load, progress)?.write(folder)
    })?;
    let (file, tensors) = (golden::FILE.to_string(), golden::TENSORS.to_string());
    bundle.manifest.golden = Some(GoldenRecord { file, tensors, engines });
    Ok(())
}

/// What golden vectors depend on.
fn key_of(bundle: &Making, recipe: &Recipe, runtime: &Runtime, sample: &Sample, engines: &[EngineKind]) -> Result<Key> {
    let key = bundle
        .key(Key::new(), is_behind_figures)?
        .setting("engines", &engines)
        .and("toolkit", runtime.identity())
        .setting("recipe", &(&recipe.name, recipe.steps()));
    and_images(and_words(key, bundle, sample)?, bundle, recipe, sample)
}

/// The sample that golden vectors are made of: one whose answer is still to be found, with the most pictures, and of
/// these the one that says most, because a host can do more wrong with it. The first of several.
fn sample_of(recipe: &Recipe) -> Option<&Sample> {
    let comes_to = |sample: &&Sample| (sample.answer.is_none(), sample.images.len(), sample.shown().len());
    recipe.verification.iter().rev().max_by_key(comes_to)
}
