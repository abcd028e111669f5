//! Models that this program did not write, run once from memory.

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};

use super::Runtime;
use super::session::raised;
use crate::engine::{Array, of_ort, to_ort};
use autoneural_base::error::{Error, Result};
use autoneural_base::limits;
use autoneural_core::target::Target;

/// What runs a model.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// ONNX Runtime's CPU provider, every node as it is written.
    Cpu,
    /// The NPU of a target or its emulator, every node of the model.
    Npu(&'a Target),
}

impl Runtime {
    /// Runs a model that holds all its numbers, on inputs by name, and gives these outputs in order. `name` names it
    /// in messages.
    ///
    /// # Errors
    /// Of the kind [`autoneural_base::error::Kind::Toolkit`] where the engine refuses the model or the run fails.
    pub fn run_model(
        &self,
        name: &str,
        (model, place): (&[u8], Place),
        inputs: &[(String, &Array)],
        outputs: &[String],
    ) -> Result<Vec<Array>> {
        if let Place::Npu(_) = place {
            Self::refuse_scant_address_space()?;
        }
        let session = self.open_model(model, place).map_err(|error| {
            let on = match place {
                Place::Cpu => "ONNX Runtime does not load it",
                Place::Npu(_) => "the NPU compiler refuses it",
            };
            limits::explained(Error::toolkit(name, format!("{on}: {error}")))
        })?;
        run(session, inputs, outputs)
            .map_err(|error| limits::explained(Error::toolkit(name, format!("the run failed: {error}"))))
    }

    fn open_model(&self, model: &[u8], place: Place) -> ort::Result<Session> {
        match place {
            Place::Cpu => {
                self.cpu_builder()?.with_optimization_level(GraphOptimizationLevel::Disable)?.commit_from_memory(model)
            }
            Place::Npu(target) => self
                .npu_builder(target)?
                .with_config_entry(Self::NO_FALLBACK.0, Self::NO_FALLBACK.1)?
                .commit_from_memory(&raised(model)?),
        }
    }
}

fn run(mut session: Session, inputs: &[(String, &Array)], outputs: &[String]) -> ort::Result<Vec<Array>> {
    let feeds = inputs.iter().map(|(name, array)| Ok((name.clone(), to_ort(array)?)));
    let made = session.run(feeds.collect::<ort::Result<Vec<(String, SessionInputValue)>>>()?)?;
    let of = |name: &String| made.get(name).ok_or_else(|| ort::Error::new(format!("there is no `{name}`")));
    outputs.iter().map(|name| of_ort(of(name)?)).collect()
}
