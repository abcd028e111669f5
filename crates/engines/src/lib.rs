//! Engines that carry out graphs, and the back ends that write the files which engines read.

pub(crate) use autoneural_base::{contain, error, files, json, limits, map, text, utf8_path, version};
pub(crate) use autoneural_core::{encoding, evidence, ir, partition, passes, program, quantize, segment, target};

pub mod back;
pub mod engine;
