//! Doubts: what a careful engineer should know of the evidence behind a result that is nevertheless made. Evidence that
//! cannot be used is an error elsewhere; what is here can be used, and may mislead. Every doubt becomes a [`Warning`]
//! of the bundle, so that it stands in the summary, in the report and in JSON.
//!
//! [`Warning`]: autoneural_base::warning::Warning

mod cut;
mod given;
mod idle;
mod moments;
mod ranges;
mod samples;
mod sums;

pub use cut::of_cuts;
pub use given::of_given;
pub use idle::of_idle_keys;
pub use moments::{Moments, Noting, of_moments};
pub use ranges::{Seen, of_ranges};
pub use samples::{Flat, Look, Shown, of_overlap, of_samples};
pub use sums::of_sums;
