//! The application: the stages that fill bundles, verification and reports.

pub(crate) use autoneural_base::{error, files, folder, json, machine, progress, shown, text, version, warning};
pub(crate) use autoneural_bundle as bundle;
pub(crate) use autoneural_core::{
    encoding, evidence, goals, ir, partition, passes, program, quantize, recipe, segment, sqnr, target,
};
pub(crate) use autoneural_engines::{back, engine};
pub(crate) use autoneural_front as front;
pub(crate) use autoneural_host as host;

pub mod as_built;
pub mod calibrate;
pub mod demo;
pub mod drivers;
pub mod evaluate;
pub mod report;
pub mod stages;
pub mod synth;
pub mod target_check;
pub mod verify;

pub use drivers::vlm::{golden, runner};
