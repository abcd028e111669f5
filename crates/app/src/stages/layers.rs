//! Layers: what every operator makes, against float, so that a bad figure of an output can be followed to its source.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codes::codes;
use crate::drivers::{Run, of_bundle};
use crate::report::{Columns, Histogram, LayerReport};
use crate::verify::{Extent, Kept, LayerComparison, On, StepAt, layers};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, CODES, EQUALIZED, Key, Making, round};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{Constants, Forms};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::Device;
use autoneural_core::target::Target;
use autoneural_engines::back::onnx::{DataWriter, emit_qdq};
use autoneural_engines::back::qnn::{Compiler, Job, Runtime};
use autoneural_engines::engine::{Engine, Reference};

/// The unit of work that measures layers.
const LAYERS: &str = "verify/layers";

/// Layers of a partition and the step that they were measured in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The step; `None` if no step came by.
    pub step: Option<StepAt>,
    /// The layers, in the graph's order.
    pub layers: Vec<LayerReport>,
}

/// Measures the layers of partitions on these engines, each partition in one step: the last one that the driver takes
/// with the chosen sample.
///
/// # Errors
/// The bundle or the sample cannot be read, or an engine cannot be loaded or fails.
pub fn measure_layers(
    bundle: &Making,
    recipe: &Recipe,
    runtime: &Runtime,
    what: (&Extent, &[On]),
    progress: &dyn Progress,
) -> Result<Vec<Measured>> {
    let (_, engines) = what;
    let (place, wanted, key) = key(bundle, recipe, runtime, what)?;
    let sample = &recipe.verification[place];
    bundle.unit(LAYERS, "", key, progress, |folder| {
        let (driver, target, partitions) = (of_bundle(bundle)?, bundle.target()?, bundle.partitions()?);
        let tables = bundle.tables(&partitions)?;
        let kept = Arc::new(Kept::default());
        let reference = |partition: &Partition| -> Result<Box<dyn Engine>> {
            let model = bundle.float_model(partition);
            Ok(Box::new(Reference::load_watched(partition, &model, Arc::clone(&kept) as _)?))
        };
        let mut found: Vec<Measured> = vec![Measured::default(); partitions.len()];
        let samples = std::slice::from_ref(sample);
        let of_wanted = partitions.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        let groups: Vec<Group> = of_wanted.map(|(partition, _)| partition.group.clone()).collect();
        let run = Run { bundle, partitions: &partitions, recipe, progress };
        driver.walk("measure layers", &run, (samples, &groups), Box::new(reference), &mut |step| {
            let at = step.partition;
            if !step.is_last || !wanted[at] || found[at].step.is_some() {
                return Ok(());
            }
            let (partition, table) = (&partitions[at], &tables[at]);
            let group = partitions.iter().zip(&tables).filter(|(other, _)| other.group == partition.group);
            let constants = Constants::of(group)?;
            let codes = codes(bundle, &partition.group, &constants)?;
            let forms = Forms::of(&target, recipe, &partition.group)?;
            let mut load = |part: &Partition, device: Device| -> Result<Box<dyn Engine>> {
                let scratch = tempfile::tempdir_in(folder).map_err(|error| Error::io(folder, &error))?;
                let model = scratch.path().join(format!("{}.onnx", part.name));
                let mut data = DataWriter::create(scratch.path(), &part.group)?;
                emit_qdq(&part.graph, table, &*codes, &forms, &model, &mut data)?;
                data.finish()?;
                match device {
                    Device::Cpu => Ok(Box::new(runtime.simulate(part, &model)?)),
                    Device::Npu => Ok(Box::new(on_npu(part, &model, &target, bundle, runtime)?)),
                }
            };
            let segments = bundle.segments(partition)?;
            let measured = layers((partition, table, &segments), &step, &kept, engines, &mut load, progress)?;
            let step = StepAt { sample: place, ..StepAt::of(&step) };
            found[at] = Measured { step: Some(step), layers: measured.into_iter().map(LayerReport::from).collect() };
            Ok(())
        })?;
        Ok(found)
    })
}

/// Whether the layers were measured before with the same models, sample and engines.
///
/// # Errors
/// The files of the bundle cannot be read.
pub(crate) fn knows_layers(
    bundle: &Making,
    recipe: &Recipe,
    runtime: &Runtime,
    what: (&Extent, &[On]),
) -> Result<bool> {
    bundle.knows(LAYERS, &key(bundle, recipe, runtime, what)?.2)
}

/// The place of the sample that layers are measured on, which partitions' are wanted, and the key of all that is read.
fn key(
    bundle: &Making,
    recipe: &Recipe,
    runtime: &Runtime,
    (extent, engines): (&Extent, &[On]),
) -> Result<(usize, Vec<bool>, Key)> {
    let driver = of_bundle(bundle)?;
    let place = driver.layer_sample(recipe)?;
    let read = |path: &str| ["model/", EQUALIZED, "encodings/", CODES].iter().any(|folder| path.starts_with(folder));
    let key = bundle.key(Key::new(), read)?.and("toolkit", runtime.identity());
    let wanted: Vec<bool> = bundle.partitions()?.iter().map(|partition| extent.measures(partition)).collect();
    let key = key.setting("npu", &engines.contains(&On::Npu)).setting("of", &(&wanted, recipe.steps(), place));
    let key = driver.sample_key(key, bundle, recipe, &recipe.verification[place])?;
    Ok((place, wanted, key))
}

/// A context binary of a model, loaded.
fn on_npu(
    partition: &Partition,
    model: &Path,
    target: &Target,
    bundle: &Bundle,
    runtime: &Runtime,
) -> Result<impl Engine + use<>> {
    let data = model.with_file_name(DataWriter::name_of(&partition.group));
    let (context, target_file) = (model.with_file_name("context.onnx"), bundle.path("model/target.toml"));
    let name = &partition.name;
    runtime.compile(&Job { name, model, data: &data, target, target_file: &target_file, context: &context })?;
    runtime.open_context(partition, &context, target)
}

impl From<LayerComparison> for LayerReport {
    fn from(layer: LayerComparison) -> Self {
        let columns =
            |[simulated, npu]: [Option<f64>; 2]| Columns { simulated: simulated.map(round), npu: npu.map(round) };
        let ([low, high], float, quantized) = layer.histogram;
        LayerReport {
            name: layer.name,
            op: layer.op.to_string(),
            sqnr_db: columns(layer.db),
            added_percent: columns(layer.added),
            saturation_percent: Some(round(layer.saturation_percent)),
            range_use_percent: Some(round(layer.range_use_percent)),
            histogram: Some(Histogram { low, high, float, quantized }),
            bits: layer.bits,
        }
    }
}
