//! Views of a report: the page, drawings, and the gate.

pub(crate) use autoneural_app::{drivers, evaluate, report};
pub(crate) use autoneural_base::{error, json, progress, text, version};
pub(crate) use autoneural_bundle as bundle;
pub(crate) use autoneural_core::{encoding, engine, evidence, ir, partition, program, quantize, recipe, segment};
pub(crate) use autoneural_engines::back;

pub mod drawing;
pub mod gate;
pub mod page;
