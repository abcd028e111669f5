//! Golden vectors: what the engines themselves made of one question, step by step, as integers. Whoever writes a host
//! compares with it, and finds the first tensor that is another.
//!
//! A sample of the recipe's verification goes through the model as a host takes it: each engine on its own integer
//! state, with the tokens that it chooses itself. Every tensor that crosses a border is there by its SHA-256; the
//! integers themselves are kept of the first picture, of the first and the last chunk of the prompt and of the first
//! steps of decode, without state, which can be as large as the memory of the NPU.

mod compare;
mod make;
mod record;

pub use compare::{Compared, Different, compare};
pub use make::{Case, Golden, make};
pub use record::{EngineRecord, FILE, PictureRecord, Record, SCHEMA, StepRecord, TENSORS, TensorRecord};
