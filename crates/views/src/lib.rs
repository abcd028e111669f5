//! Views of a report: the page, drawings, and the gate.

pub mod drawing;
pub mod gate;
pub mod page;
