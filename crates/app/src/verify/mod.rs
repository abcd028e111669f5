//! Verification: the same inputs through the float reference, the simulation and the NPU, compared output by output.

mod extent;
mod layers;
mod spread;
mod step;

pub use autoneural_core::sqnr::Sqnr;
pub use extent::Extent;
pub use layers::{Kept, LayerComparison, On, layers};
pub(crate) use spread::{outside, range};
pub use step::{Own, StepAt, StepComparison};

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::drivers::{ChainComparison, Driver, Engines, LoadAny, Run};
use autoneural_base::error::{Error, Result};
use autoneural_core::closeness::Closeness;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::{Group, State, Step, Tokens};
use autoneural_core::quantize::Table;
use autoneural_engines::engine::{Engine, OrtSession, Tensor};

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
    /// Simulation and NPU against float, in plain figures.
    pub closeness: [Option<Closeness>; 2],
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
    /// Of sequences, the positions in the context at which the compared steps begin, if not all were.
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

/// Runs all verification samples and compares every output of every partition, as far as `extent` wants it. Every run
/// of an engine gets the float reference's own inputs, encoded as the contract says, so that an error stays with the
/// partition that makes it.
///
/// # Errors
/// A sample that cannot be read, an engine that fails, a partition that no sample reaches.
pub fn verify<'a>(
    driver: &'a dyn Driver,
    run: &Run<'a>,
    tables: &'a [Table],
    (float, load): (Box<LoadAny<'a>>, &mut LoadEngines),
    extent: &Extent,
) -> Result<Comparison> {
    let partitions = run.partitions;
    let mut chains = driver.chains(partitions, tables)?;
    let mut comparisons: Vec<Vec<OutputComparison>> = partitions
        .iter()
        .map(|p| {
            p.outputs.iter().map(|port| OutputComparison { name: port.name.clone(), ..Default::default() }).collect()
        })
        .collect();
    let mut steps = vec![StepsCompared::default(); partitions.len()];
    let mut compared = vec![Vec::new(); partitions.len()];
    let included = partitions.iter().filter(|partition| extent.includes(partition));
    let wanted: Vec<Group> = included.map(|partition| partition.group.clone()).collect();
    if wanted.is_empty() {
        return Ok(Comparison { outputs: comparisons, steps, chains: (None, None) });
    }
    let mut loaded: BTreeMap<usize, Engines> = BTreeMap::new();
    driver.walk("verify", run, (&run.recipe.verification, &wanted), float, &mut |step| {
        let (at, partition) = (step.partition, &partitions[step.partition]);
        if step.tokens.is_some() {
            // Graphs of sequences take their steps one after the other; what ran before them is not needed again.
            loaded.retain(|&other, _| other == at);
        }
        steps[at].taken += 1;
        if !extent.includes(partition) || !extent.takes(&step, &compared[at]) {
            return Ok(());
        }
        let engines = match loaded.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(load(partition)?),
        };
        compare(partition, &tables[at], engines, &step, &mut comparisons[at])?;
        // A chain has no gaps.
        match (&mut chains, step.tokens) {
            (Some(chains), _) if extent.is_whole() => chains.step(partition, engines, &step)?,
            (_, Some(tokens)) if !extent.is_whole() => steps[at].positions.push(tokens.position),
            _ => {}
        }
        compared[at].push(step.sample);
        steps[at].compared += 1;
        Ok(())
    })?;
    match partitions.iter().zip(&steps).find(|(p, steps)| extent.includes(p) && steps.compared == 0) {
        Some((partition, _)) => {
            Err(Error::input(&partition.name, "was never run by the verification samples").help(driver.how_to_reach()))
        }
        None => {
            let chains = chains.map_or((None, None), |chains| chains.finish());
            Ok(Comparison { outputs: comparisons, steps, chains })
        }
    }
}

fn compare(
    partition: &Partition,
    table: &Table,
    engines: &mut Engines,
    step: &Step,
    comparisons: &mut [OutputComparison],
) -> Result<()> {
    let encoding = |port: &autoneural_core::partition::Port| table.activations.get(&port.name);
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
        let own = StepComparison { at: StepAt::of(step), simulated: of(&simulated)?, npu: of(&npu)?, own };
        let merge = |slot: &mut Option<Sqnr>, found: &Option<Sqnr>| {
            found.iter().for_each(|found| slot.get_or_insert_default().merge(found));
        };
        merge(&mut comparison.simulated, &own.simulated);
        merge(&mut comparison.npu, &own.npu);
        comparison.steps.push(own);
        for (slot, found) in comparison.closeness.iter_mut().zip([&simulated, &npu]) {
            if let Some(found) = found {
                slot.get_or_insert_default().add(&reference, found)?;
            }
        }
        if let (Some(simulated), Some(npu)) = (&simulated, &npu) {
            comparison.npu_to_simulated.get_or_insert_default().add(simulated, npu)?;
        }
    }
    Ok(())
}

/// What is appended to a state of tokens that count, or all of another output.
fn without_padding(port: &Port, tensor: &Tensor, tokens: Option<Tokens>) -> Result<Vec<f32>> {
    let values = tensor.as_f32()?;
    let (Some(State::Append { axis }), Some(tokens)) = (port.meaning.state, tokens) else { return Ok(values.to_vec()) };
    let each: usize = tensor.shape[axis + 1..].iter().product();
    let (run, kept) = (tensor.shape[axis] * each, tokens.count * each);
    Ok(values.chunks_exact(run).flat_map(|row| &row[..kept]).copied().collect())
}
