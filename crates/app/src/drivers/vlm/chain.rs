//! Chains: whole sequences on an engine's own integer state, against the float reference. Here errors add up from step
//! to step, as they do in use; the tokens are those of the reference, so that the two stay comparable.

use std::collections::BTreeMap;

use crate::drivers::{ChainComparison, Chains, Engines};
use autoneural_base::error::{Error, Result};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::{Step, Tokens};
use autoneural_core::quantize::Table;
use autoneural_engines::engine::{Engine, OrtSession};
use autoneural_front::{Language, Role};
use autoneural_host::{Codec, Sequence, best};

/// One engine on its way through the samples.
struct Track<'a> {
    /// By sample: those that wait for decode, too.
    sequences: BTreeMap<usize, Sequence<'a>>,
    found: Option<ChainComparison>,
}

/// The chains of the simulation and of the NPU.
pub(crate) struct OfLanguage<'a> {
    language: &'a Language,
    table: &'a Table,
    simulated: Track<'a>,
    npu: Track<'a>,
}

impl<'a> OfLanguage<'a> {
    /// Chains through the language partitions, whose tables agree on everything that crosses a border.
    pub(crate) fn new(language: &'a Language, table: &'a Table) -> Self {
        let track = || Track { sequences: BTreeMap::new(), found: None };
        OfLanguage { language, table, simulated: track(), npu: track() }
    }
}

impl Chains for OfLanguage<'_> {
    fn step(&mut self, partition: &Partition, engines: &mut Engines, step: &Step) -> Result<()> {
        let Some(tokens) = step.tokens else { return Ok(()) };
        let start = || Sequence::new(self.language, Codec::Codes(self.table));
        for (track, engine) in [(&mut self.simulated, &mut engines.simulated), (&mut self.npu, &mut engines.npu)] {
            let Some(engine) = engine else { continue };
            if tokens.position == 0 {
                track.sequences.insert(step.sample, start());
            }
            track.step((self.language, self.table), partition, engine, (step, tokens))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> (Option<ChainComparison>, Option<ChainComparison>) {
        (self.simulated.found, self.npu.found)
    }
}

impl Track<'_> {
    fn step(
        &mut self,
        (language, table): (&Language, &Table),
        partition: &Partition,
        engine: &mut OrtSession,
        (step, tokens): (&Step, Tokens),
    ) -> Result<()> {
        let Some(sequence) = self.sequences.get_mut(&step.sample) else {
            return Err(Error::internal(&partition.name, "a sequence goes on that never began"));
        };
        let find = |ports: &[Port], role: Role| {
            let at = ports.iter().position(|port| port.role == role.name());
            at.ok_or_else(|| Error::internal(&partition.name, format!("has no port for {role:?}")))
        };
        let (embeds, logits) = (find(&partition.inputs, Role::Embeddings)?, find(&partition.outputs, Role::Logits)?);
        let rows = &step.inputs[embeds].as_f32()?[..tokens.count * language.hidden];
        let outputs = engine.run(&sequence.inputs(partition, rows)?)?;
        sequence.absorb(partition, &outputs, tokens.count)?;
        let made = outputs[logits].decode(Some(table.activation(&partition.outputs[logits].name)?));
        let (wanted, made) = (step.outputs[logits].as_f32()?, made.as_f32()?);
        let found = self.found.get_or_insert_default();
        found.logits.add(wanted, made)?;
        found.steps += 1;
        found.agreed += u64::from(best(wanted) == best(made));
        Ok(())
    }
}
