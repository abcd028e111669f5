//! The core: graphs, passes over them, encodings, quantization, and what targets take. It knows no checkpoint, no
//! engine and no command line.

pub mod closeness;
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
pub mod segment;
pub mod sqnr;
pub mod target;

pub use program::partition;
