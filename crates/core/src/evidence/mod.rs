//! Evidence: what methods need to know about the values of a program, and what was seen of these values while samples
//! ran through it.
//!
//! A method names the kinds of evidence ([`Want`]) that it requests about a value ([`Site`]). A request ([`Ask`]) is
//! such a kind about certain rows of one value; equal requests of several methods are one request. A [`Plan`]
//! distributes the requests over passes of the samples: the first pass takes all that fit into memory, and mostly it is
//! the only one. A [`Collection`] carries out a pass: it watches the requested values and nothing else. What one shard
//! of the samples saw can be added to what another one saw, and is then exactly what a run over all samples would have
//! seen. The order of the shards matters for ranges alone, which say when they were last widened ([`MinMax`]).

mod class;
mod collection;
mod coverage;
mod exact;
mod histogram;
mod means;
mod moments;
mod observer;
mod observers;
mod paired;
mod peaks;
mod plan;
mod products;
mod range;
mod ranges;
mod site;
mod source;
mod statistics;
mod sums;
mod taps;

pub use class::ValueClass;
pub use collection::{Collection, NotFinite, Watcher};
pub use coverage::{Coverage, CoverageTable};
pub use exact::Exact;
pub use histogram::Histogram;
pub use means::Means;
pub use moments::SecondMoments;
pub use observer::Observer;
pub use observers::choose;
pub use paired::{Paired, PairedMoments};
pub use peaks::Peaks;
pub use plan::Plan;
pub use range::{Chosen, MinMax, ObserverKind, Statistics};
pub use ranges::Ranges;
pub use site::{Ask, Linear, Site, Want, sites};
pub use source::{EvidenceSource, not_collected};
pub use statistics::StatisticsTable;
pub use sums::Sums;
