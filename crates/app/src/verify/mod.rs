//! Verification: the same inputs through the float reference, the simulation and the NPU, compared output by output.

mod chain;
mod extent;
mod layers;
mod spread;
mod sqnr;
mod step;

pub use chain::{ChainComparison, Chains};
pub use extent::Extent;
pub use layers::{Kept, LayerComparison, On, layers};
pub use sqnr::Sqnr;
pub use step::{Own, StepAt, StepComparison};

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, OrtSession, Reference, Tensor};
use crate::error::{Error, Result};
use crate::front::{Component, Definition};
use crate::host::{Step, Walk};
use crate::partition::{Partition, Port};
use crate::program::State;
use crate::progress::Progress;
use crate::quantize::Table;
use crate::recipe::Recipe;

/// A partition's quantized engines; a missing one leaves its column empty.
#[derive(Default)]
pub struct Engines {
    /// The QDQ model on the CPU.
    pub simulated: Option<OrtSession>,
    /// The context binary.
    pub npu: Option<OrtSession>,
}

/// Comparison of one output.
#[derive(Debug, Clone, Default)]
pub struct OutputComparison {
    /// Name of the port.
    pub name: String,
    /// Simulation against float.
    pub simulated: Option<Sqnr>,
    /// NPU against float.
    pub npu: Option<Sqnr>,
    /// NPU against simulation.
    pub npu_to_simulated: Option<Sqnr>,
    /// Every step alone.
    pub steps: Vec<StepComparison>,
}

/// Steps of one partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepsCompared {
    /// Steps that the float reference took.
    pub taken: usize,
    /// Steps that were compared.
    pub compared: usize,
    /// Of the language model, the positions in the context at which the compared steps begin, if not all were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<usize>,
}

/// What verification found.
pub struct Comparison {
    /// One list per partition.
    pub outputs: Vec<Vec<OutputComparison>>,
    /// One entry per partition.
    pub steps: Vec<StepsCompared>,
    /// Sequences on an engine's own state: simulation and NPU.
    pub chains: (Option<ChainComparison>, Option<ChainComparison>),
}

/// Loads the quantized engines of a partition.
pub type LoadEngines<'a> = dyn FnMut(&Partition) -> Result<Engines> + 'a;

/// Runs all verification samples and compares every output of every partition, as far as `extent` wants it. Every run of an engine gets the float
/// reference's own inputs, encoded as the contract says, so that an error stays with the partition that makes it.
///
/// # Errors
/// A sample that cannot be read, an engine that fails, a partition that no sample reaches.
pub fn verify(
    definition: &Definition,
    partitions: &[Partition],
    tables: &[Table],
    walk: &mut Walk<Reference>,
    load: &mut LoadEngines,
    (recipe, extent): (&Recipe, &Extent),
    progress: &dyn Progress,
) -> Result<Comparison> {
    let language_group = Component::Language.group();
    let language = partitions.iter().position(|partition| partition.group == language_group);
    let Some(language) = language else { return Err(Error::input("language", "this partition is missing")) };
    let mut chains = Chains::new(&definition.language, &tables[language]);
    let mut comparisons: Vec<Vec<OutputComparison>> = partitions
        .iter()
        .map(|p| {
            p.outputs.iter().map(|port| OutputComparison { name: port.name.clone(), ..Default::default() }).collect()
        })
        .collect();
    let mut steps = vec![StepsCompared::default(); partitions.len()];
    let mut compared = vec![Vec::new(); partitions.len()];
    let wanted = |same: bool| {
        let of_kind = |partition: &&Partition| (partition.group == language_group) == same;
        partitions.iter().filter(of_kind).any(|partition| extent.includes(partition))
    };
    let (with_text, with_images) = (wanted(true), wanted(false));
    if !with_text && !with_images {
        return Ok(Comparison { outputs: comparisons, steps, chains: (None, None) });
    }
    let mut loaded: BTreeMap<usize, Engines> = BTreeMap::new();
    walk.samples("verify", recipe, &recipe.verification, with_text, progress, &mut |step| {
        let (at, partition) = (step.partition, &partitions[step.partition]);
        if partition.group == language_group {
            // All images are done, and prefill before decode; what ran them is not needed again.
            loaded.retain(|&other, _| other == at);
        }
        steps[at].taken += 1;
        if !extent.includes(partition) || !extent.takes(partition, &step, &compared[at]) {
            return Ok(());
        }
        let engines = match loaded.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(load(partition)?),
        };
        compare(partition, &tables[at], engines, &step, &mut comparisons[at])?;
        if partition.group == language_group {
            // A chain has no gaps.
            if extent.is_whole() {
                chains.step(partition, engines, &step)?;
            } else {
                steps[at].positions.push(step.position);
            }
        }
        compared[at].push(step.sample);
        steps[at].compared += 1;
        Ok(())
    })?;
    match partitions.iter().zip(&steps).find(|(p, steps)| extent.includes(p) && steps.compared == 0) {
        Some((partition, _)) => Err(Error::input(&partition.name, "was never run by the verification samples")
            .help("give the recipe samples that reach it: images, prompts of more than one token, decode steps")),
        None => Ok(Comparison { outputs: comparisons, steps, chains: chains.finish() }),
    }
}

fn compare(
    partition: &Partition,
    table: &Table,
    engines: &mut Engines,
    step: &Step,
    comparisons: &mut [OutputComparison],
) -> Result<()> {
    let encoding = |port: &crate::partition::Port| table.activations.get(&port.name);
    let inputs: Vec<Tensor> = partition
        .inputs
        .iter()
        .zip(step.inputs)
        .map(|(port, input)| input.encode(encoding(port)))
        .collect::<Result<_>>()?;
    let run = |engine: Option<&mut OrtSession>| -> Result<Option<Vec<Tensor>>> {
        engine.map(|engine| engine.run(&inputs)).transpose()
    };
    let (simulated, npu) = (run(engines.simulated.as_mut())?, run(engines.npu.as_mut())?);
    for (index, (port, comparison)) in partition.outputs.iter().zip(comparisons).enumerate() {
        let counted = |tensors: &[Tensor]| without_padding(port, &tensors[index].decode(encoding(port)), step.tokens);
        let reference = counted(step.outputs)?;
        let simulated = simulated.as_deref().map(counted).transpose()?;
        let npu = npu.as_deref().map(counted).transpose()?;
        let of = |test: &Option<Vec<f32>>| -> Result<Option<Sqnr>> {
            let Some(test) = test else { return Ok(None) };
            let mut made = Sqnr::default();
            made.add(&reference, test)?;
            Ok(Some(made))
        };
        let own = Own::of(&reference, table.activation(&port.name)?)?;
        let own = StepComparison { at: StepAt::of(partition, step), simulated: of(&simulated)?, npu: of(&npu)?, own };
        let merge = |slot: &mut Option<Sqnr>, found: &Option<Sqnr>| {
            found.iter().for_each(|found| slot.get_or_insert_default().merge(found));
        };
        merge(&mut comparison.simulated, &own.simulated);
        merge(&mut comparison.npu, &own.npu);
        comparison.steps.push(own);
        if let (Some(simulated), Some(npu)) = (&simulated, &npu) {
            comparison.npu_to_simulated.get_or_insert_default().add(simulated, npu)?;
        }
    }
    Ok(())
}

/// What is appended to a state of tokens that count, or all of another output.
fn without_padding(port: &Port, tensor: &Tensor, tokens: usize) -> Result<Vec<f32>> {
    let values = tensor.as_f32()?;
    let Some(State::Append { axis }) = port.meaning.state else { return Ok(values.to_vec()) };
    let each: usize = tensor.shape[axis + 1..].iter().product();
    let (run, kept) = (tensor.shape[axis] * each, tokens * each);
    Ok(values.chunks_exact(run).flat_map(|row| &row[..kept]).copied().collect())
}
