//! Evidence: what methods need to know about the values of a program, and what was seen of these values while samples
//! ran through it.
//!
//! A method names the kinds of evidence ([`Want`]) that it requests about a value ([`Site`]). A request ([`Ask`]) is
//! such a kind about certain rows of one value; equal requests of several methods are one request. A [`Plan`]
//! distributes the requests over passes of the samples: the first pass takes all that fit into memory, and mostly it is
//! the only one. A [`Collection`] carries out a pass: it watches the requested values and nothing else. What one pass
//! or one shard of the samples saw can be added to what another one saw: exactly for ranges, histograms and samples,
//! and within the rounding of doubles for sums.

mod collection;
mod histogram;
mod moments;
mod observer;
mod paired;
mod peaks;
mod plan;
mod range;
mod samples;
mod site;
mod source;
mod statistics;
mod sums;

pub use collection::{Collection, Watcher};
pub use histogram::Histogram;
pub use moments::{Means, SecondMoments};
pub use observer::Observer;
pub use paired::{Paired, PairedMoments};
pub use peaks::Peaks;
pub use plan::Plan;
pub use range::{MinMax, ObserverKind, Statistics};
pub use samples::Samples;
pub use site::{Ask, Linear, Site, Want, sites};
pub use source::{EvidenceSource, not_collected};
pub use statistics::StatisticsTable;
pub use sums::Sums;
