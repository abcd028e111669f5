//! The report: one JSON file; every other form is a view of it.

mod advice;
mod basis;
mod cause;
mod columns;
mod contents;
mod judge;
mod layers;
mod limits;
mod outputs;
mod partition;
mod segments;
mod sizes;
mod state;
mod table;
mod text;
mod verdict;
mod weak;

pub use crate::as_built::FrozenReport;
pub use crate::drivers::{PromptCounts, PromptsReport};
pub use advice::Advisor;
pub use basis::Basis;
pub use cause::{Cause, CauseReport, WeakOutput};
pub use columns::Columns;
pub use contents::{ChainReport, Demands, Report, SCHEMA, SamplesReport};
pub use layers::{Histogram, LayerReport};
pub use limits::Limits;
pub use outputs::{LowestStep, OutputReport, OwnEncoding, WorstCut};
pub use partition::{PartitionReport, cpu_nodes, npu_nodes};
pub use segments::{SegmentReport, report as segment_reports};
pub use sizes::{DeviceSizes, PartitionSizes, Sizes, WeightSizes};
pub use state::{StateKind, StateSizes};
pub use table::table;
pub use text::{goals as goal_lines, verdict_text};
pub use verdict::{GoalKind, GoalReport, Verdict, VerdictState};
pub use weak::{LEAST_ADDED_PERCENT, weak_outputs};
