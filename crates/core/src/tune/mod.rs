//! Tuning: which integers each layer gets, so that a model is good enough and small. Every layer has choices, each with
//! its bytes and the noise that it alone brings to the outputs; noises add up. What is chosen is on the lower convex
//! hull of all assignments, or better. Nothing here runs a model.

mod choice;
mod choices;
mod operators;
mod search;
mod size;
mod widths;

pub use choice::Choice;
pub use choices::{bits_of, choices};
pub use operators::{Candidates, MULTIPLY_ADDS, Operators, WidthsUsed};
pub use search::{Cost, Point, curve, within_noise, within_price};
pub use size::weight_bytes;
pub use widths::{Narrow, Widths};
