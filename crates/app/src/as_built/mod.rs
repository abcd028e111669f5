//! How far the frozen graphs are from the checkpoint: rewrites keep the function within rounding, and here is the
//! proof. What each frozen graph takes and gives in its first run of calibration is kept; when the bundle is verified,
//! the graph as it was built takes the same. Both are float models in the reference, and one of them is in memory at a time.
//!
//! Models and steps are hidden files: what is read here, this program wrote on this machine.

mod compare;
mod first;

pub use compare::{FrozenReport, compare, model};
pub use first::keeping;
