//! The stages: each reads what it needs from the bundle and writes what it makes to it. There is no other way through.

mod build;
mod calibrate;
mod emit;
mod evaluate;
mod export;
mod parity;
mod quantize;
mod verify;

pub use build::build;
pub use calibrate::{calibrate, check_samples};
pub use emit::emit;
pub use evaluate::evaluate;
pub use export::export;
pub use parity::{Parity, parity};
pub use quantize::{check_encodings, quantize};
pub use verify::verify;
