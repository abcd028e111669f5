//! The core: graphs, passes over them, encodings, quantization, and what target chips take. It knows nothing of
//! checkpoints, of the libraries that run models, or of the command line.

pub mod closeness;
pub mod doubts;
pub mod encoding;
pub mod engine;
pub mod equalize;
pub mod evidence;
pub mod goals;
pub mod ir;
pub mod passes;
pub mod program;
pub mod quantize;
pub mod recipe;
mod registry;
pub mod segment;
pub mod sqnr;
pub mod target;
pub mod tune;

pub use program::partition;
