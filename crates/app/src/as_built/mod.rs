//! How far the frozen graphs are from the checkpoint: rewrites keep the function within rounding, which is proved here.
//! The inputs and outputs of each frozen graph in its first run of calibration are kept; when the bundle is verified,
//! the graph as it was built runs on the same inputs. Both are float models in the reference, and only one of them is
//! in memory at a time.
//!
//! Models and steps are hidden files: what is read here, this program wrote on this machine.

mod compare;
mod first;

pub use compare::{FrozenReport, compare, model};
pub use first::keeping;
pub(crate) use first::{join as join_first, read, write};
