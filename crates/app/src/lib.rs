//! The application: the stages that fill bundles, verification and reports.

pub mod arrays;
pub mod as_built;
pub mod calibrate;
pub mod demo;
pub mod diff;
pub mod drivers;
pub mod evaluate;
mod loading;
pub mod report;
mod runs;
pub mod samples;
pub mod shards;
pub mod stages;
pub mod synth;
pub mod target_check;
pub mod tune;
pub mod verify;

pub use drivers::vlm::{golden, runner};
