//! The stages: each reads what it needs from the bundle and writes what it makes to it, in units of work that are not
//! done again where nothing changed. There is no other way through.

mod build;
mod calibrate;
mod codes;
mod collect;
mod compile;
mod coverage;
mod emit;
mod equalize;
mod evaluate;
mod evaluate_text;
mod graph_files;
mod kept;
mod kept_evidence;
mod known;
mod layers;
mod looks;
mod memory;
mod prefix;
mod quantize;
mod round;
mod round_share;
mod verify;

pub use build::{build, build_partition};
pub(crate) use calibrate::{From, calibrate_phase, keep_recipe, keep_samples, note_samples};
pub use calibrate::{calibrate, merge};
pub use collect::{Collected, collect};
pub use compile::{Plan, compile};
pub use coverage::coverage;
pub use emit::{emit, emit_group};
pub use evaluate::{Evaluated, evaluate, evaluate_arrays};
pub use evaluate_text::evaluate_text;
pub(crate) use evaluate_text::measure_text;
pub(crate) use graph_files::of_graphs;
pub(crate) use kept_evidence::KeptEvidence;
pub use layers::measure_layers;
pub(crate) use memory::for_evidence;
pub use quantize::{Quantized, check_encodings, keep_given, note_models, quantize, quantize_group, warn_of_given};
pub use round_share::{RoundedShare, round_share};
pub use verify::{Comparing, verify};
