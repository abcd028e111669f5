//! The stages: each reads what it needs from the bundle and writes what it makes to it, in units of work that are not done
//! again where nothing changed. There is no other way through.

mod build;
mod calibrate;
mod compile;
mod emit;
mod evaluate;
mod export;
mod golden;
mod known;
mod layers;
mod memory;
mod parity;
mod quantize;
mod samples;
mod verify;

pub use build::{build, build_partition};
pub use calibrate::{calibrate, calibrate_images, calibrate_text, check_samples, note_samples};
pub use compile::{Plan, compile};
pub use emit::{emit, emit_group, emit_tables};
pub use evaluate::{Evaluated, evaluate};
pub use export::{check_words, export};
pub use golden::make_golden;
pub use layers::measure_layers;
pub use parity::{Parity, parity};
pub use quantize::{Quantized, check_encodings, keep_given, note_models, quantize, quantize_group, warn_of_given};
pub use verify::{Comparing, verify};
