//! Quantization: statistics, weights and a recipe go in, a table of encodings comes out. The graph is never touched.

mod ranges;
mod table;
mod ties;
mod weights;

pub use table::{Table, quantize};
