//! Evidence: what methods ask to know of the values of a program, and what samples told of them.
//!
//! A method says what it wants of a [`Site`] ([`Want`]); wishes about the same rows of the same value are one
//! ([`Ask`]). A [`Plan`] puts them into passes of the samples, of which the first takes all that fits into memory, and
//! mostly is the only one. A [`Collection`] carries out a pass: it watches what is asked for and nothing else. What one
//! pass or one shard of the samples saw can be added to what another one saw: exactly for ranges, histograms and
//! samples, within the rounding of doubles for sums.

mod collection;
mod histogram;
mod moments;
mod observer;
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
pub use peaks::Peaks;
pub use plan::Plan;
pub use range::{MinMax, ObserverKind, Statistics};
pub use samples::Samples;
pub use site::{Ask, Linear, Site, Want, sites};
pub use source::{EvidenceSource, not_collected};
pub use statistics::StatisticsTable;
pub use sums::Sums;
