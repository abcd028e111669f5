//! The stages: each reads what it needs from the bundle and writes what it makes to it. There is no other way through.

mod build;
mod calibrate;
mod emit;
mod export;
mod quantize;
mod verify;

pub use build::build;
pub use calibrate::calibrate;
pub use emit::emit;
pub use export::export;
pub use quantize::quantize;
pub use verify::verify;

/// Whether a stage that needs the vendor toolkit did its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// Something was left out; the text says what and how to get it.
    LeftOut(String),
}
