//! Chains: whole sequences on an engine's own integer state, against the float reference. Here errors add up from step to
//! step, as they do in use; the tokens are those of the reference, so that the two stay comparable.

use std::collections::BTreeMap;

use super::{Engines, Sqnr};
use crate::engine::{Engine, OrtSession};
use crate::error::{Error, Result};
use crate::front::{Language, Role};
use crate::host::{Codec, Sequence, Step, best};
use crate::partition::{Partition, Port};
use crate::quantize::Table;

/// What a chain found for one engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainComparison {
    /// Logits of every step against float.
    pub logits: Sqnr,
    /// Steps.
    pub steps: u64,
    /// Steps whose most likely token is that of float.
    pub agreed: u64,
}

/// One engine on its way through the samples.
struct Track<'a> {
    /// By sample: those that wait for decode, too.
    sequences: BTreeMap<usize, Sequence<'a>>,
    found: Option<ChainComparison>,
}

/// The chains of the simulation and of the NPU.
pub struct Chains<'a> {
    language: &'a Language,
    table: &'a Table,
    simulated: Track<'a>,
    npu: Track<'a>,
}

impl<'a> Chains<'a> {
    /// Chains through the language partitions, whose tables agree on everything that crosses a border.
    pub fn new(language: &'a Language, table: &'a Table) -> Self {
        let track = || Track { sequences: BTreeMap::new(), found: None };
        Chains { language, table, simulated: track(), npu: track() }
    }

    /// Follows one step of the float reference.
    pub fn step(&mut self, partition: &Partition, engines: &mut Engines, step: &Step) -> Result<()> {
        let start = || Sequence::new(self.language, Codec::Codes(self.table));
        for (track, engine) in [(&mut self.simulated, &mut engines.simulated), (&mut self.npu, &mut engines.npu)] {
            let Some(engine) = engine else { continue };
            if step.position == 0 {
                track.sequences.insert(step.sample, start());
            }
            track.step(self.language, self.table, partition, engine, step)?;
        }
        Ok(())
    }

    /// What was found: simulation and NPU, each if it ran.
    pub fn finish(self) -> (Option<ChainComparison>, Option<ChainComparison>) {
        (self.simulated.found, self.npu.found)
    }
}

impl Track<'_> {
    fn step(
        &mut self,
        language: &Language,
        table: &Table,
        partition: &Partition,
        engine: &mut OrtSession,
        step: &Step,
    ) -> Result<()> {
        let Some(sequence) = self.sequences.get_mut(&step.sample) else {
            return Err(Error::internal(&partition.name, "a sequence goes on that never began"));
        };
        let find = |ports: &[Port], role: Role| {
            let at = ports.iter().position(|port| port.role == role.name());
            at.ok_or_else(|| Error::internal(&partition.name, format!("has no port for {role:?}")))
        };
        let (embeds, logits) = (find(&partition.inputs, Role::Embeddings)?, find(&partition.outputs, Role::Logits)?);
        let rows = &step.inputs[embeds].as_f32()?[..step.tokens * language.hidden];
        let outputs = engine.run(&sequence.inputs(partition, rows)?)?;
        sequence.absorb(partition, &outputs, step.tokens)?;
        let made = outputs[logits].decode(Some(table.activation(&partition.outputs[logits].name)?));
        let (wanted, made) = (step.outputs[logits].as_f32()?, made.as_f32()?);
        let found = self.found.get_or_insert_default();
        found.logits.add(wanted, made)?;
        found.steps += 1;
        found.agreed += u64::from(best(wanted) == best(made));
        Ok(())
    }
}
