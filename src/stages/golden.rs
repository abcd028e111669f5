//! Golden vectors: one sample of verification on integer engines, as a host takes it.

use super::samples::and_samples;
use crate::back::bundle::{Bundle, GOLDEN, GoldenRecord, Key, Stage, is_of_model};
use crate::back::qnn::{Compiler, Runtime};
use crate::engine::OrtSession;
use crate::error::Result;
use crate::golden::{self, Extent, Making};
use crate::host::{Asking, Embeddings, Load};
use crate::partition::Partition;
use crate::progress::Progress;
use crate::recipe::{Recipe, Sample};
use crate::runner::EngineKind;

/// Makes golden vectors on the engines that are wanted and here, and names them in the manifest; or takes out those
/// that are there, if none are wanted.
pub fn make_golden(
    bundle: &mut Bundle,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    extent: Extent,
    progress: &dyn Progress,
) -> Result<()> {
    bundle.manifest.golden = None;
    let has_npu = bundle.manifest.has(Stage::Build.name()) && runtime.is_some_and(Runtime::has_npu);
    let is_here = |engine: &&EngineKind| **engine == EngineKind::Simulated || has_npu;
    let engines: Vec<EngineKind> = extent.engines().iter().filter(is_here).copied().collect();
    let (Some(runtime), Some(sample), false) = (runtime, sample_of(recipe), engines.is_empty()) else {
        return Ok(());
    };
    let mut key = bundle.key(Key::new(), |path| is_of_model(path) && !path.starts_with("calibration/"))?;
    key = key
        .setting("engines", &engines)
        .and("toolkit", runtime.identity())
        .setting("recipe", &(&recipe.name, recipe.decode_steps));
    key = and_samples(key, bundle, recipe, std::slice::from_ref(sample))?;
    bundle.unit("verify/golden", GOLDEN.trim_end_matches('/'), key, progress, |folder| {
        let (definition, target, partitions) = (bundle.definition()?, bundle.target()?, bundle.partitions()?);
        let (tables, host) = (bundle.tables(&partitions)?, bundle.host_folder()?);
        let tokens = Asking::read(&host, &definition)?.tokens(&definition, recipe, sample)?;
        let embeddings = Embeddings::read(&host.join(Embeddings::FILE), &definition.language)?;
        let places = sample.images.iter().zip(recipe.image_paths(sample));
        let pictures = places.map(|(name, path)| {
            let sha256 = bundle.hash_input(&path).map_err(|error| error.within(&sample.place))?;
            Ok((name.display().to_string(), path, sha256))
        });
        let what = Making {
            definition: &definition,
            partitions: &partitions,
            tables: &tables,
            embeddings: &embeddings,
            prompt: &sample.shown(),
            tokens: &tokens,
            pictures: &pictures.collect::<Result<Vec<_>>>()?,
            most: recipe.decode_steps,
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

/// The sample that golden vectors are made of: the first with a picture, or the first where none has one.
fn sample_of(recipe: &Recipe) -> Option<&Sample> {
    let samples = &recipe.verification;
    samples.iter().find(|sample| !sample.images.is_empty()).or(samples.first())
}
