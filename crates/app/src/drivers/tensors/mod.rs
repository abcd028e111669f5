//! `tensors`: the driver of plain graphs. A sample is named arrays, of whatever kind of files; each graph runs once with
//! those that are its inputs, and with what graphs before it hand over.

mod arrays;
mod driver;
mod models;
mod names;
mod sample;
mod source;
mod takes;

pub use driver::{NAME, Tensors};
pub use models::Models;
pub use sample::{PICTURES, RAW, end_of};
pub use source::{Graphs, partition};
pub use takes::intakes;
