//! Engines that carry out graphs, and the back ends that write the files which engines read.

pub mod back;
pub mod engine;
