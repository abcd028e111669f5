//! What is kept of the numbers that values take while samples run: observers, and the table of what they saw.

mod observer;
mod statistics;

pub use observer::{Observer, ObserverKind, Statistics, observer};
pub use statistics::StatisticsTable;
