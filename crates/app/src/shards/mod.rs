//! Shards: work on a share of the samples, on whatever machine, and what joins their results. Together they are what one
//! run over all samples would have been, to the last bit.

mod join;
mod part;
mod program;
mod rounded;
mod share;

pub use join::Parts;
pub(crate) use part::{KNOWN, LIST, Origin, Part, RANGES, contents};
pub(crate) use program::{own_build, refuse_other_program};
pub use rounded::RoundedParts;
pub(crate) use rounded::{ROUNDED, RoundedFile, RoundedPart};
pub use share::Share;
pub(crate) use share::{refuse_gaps, refuse_taken};
