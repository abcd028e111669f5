//! Quantization: statistics, weights and a recipe go in, a table of encodings comes out. The graph is never touched.

mod encoding;
mod ranges;
mod table;
mod ties;
mod weights;

pub use encoding::{Encoding, IntegerType};
pub use table::{Table, quantize};
