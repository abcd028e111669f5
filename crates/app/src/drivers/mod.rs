//! Drivers run samples through a program. A stage gets from the driver of its bundle what only a driver knows: what a
//! sample consists of, which steps it takes, and what a host needs beside the graphs. A driver may also offer whole
//! sequences and conversations.

mod driver;
mod export;
mod golden_extent;
mod memory;
mod prompts;
mod takes;
pub mod tensors;
pub mod vlm;

pub use driver::{
    ChainComparison, Chains, Driver, Engines, Kept, LoadAny, Parity, Phase, Run, Turn, Work, and_samples,
};
pub use export::{Source, write_graphs};
pub use golden_extent::GoldenExtent;
pub use memory::CALIBRATION;
pub use prompts::{PromptCounts, PromptsReport};
pub use takes::{Intake, Takes};

use autoneural_base::error::{Error, Result};
use autoneural_bundle::Bundle;

/// The driver of a bundle.
///
/// # Errors
/// One that this version does not know, or files of the bundle that it needs and that are damaged.
pub fn of_bundle(bundle: &Bundle) -> Result<Box<dyn Driver>> {
    let program = bundle.program()?;
    match program.driver.as_str() {
        vlm::NAME => Ok(Box::new(vlm::Vlm::of(bundle)?)),
        tensors::NAME => Ok(Box::new(tensors::Tensors::new(program.groups()))),
        other => {
            Err(Error::input(bundle.path("").display(), format!("is run by the driver `{other}`, which is not known"))
                .help(format!("this version knows {} and {}", vlm::NAME, tensors::NAME)))
        }
    }
}
