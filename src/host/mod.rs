//! What the host does around the partitions: images to pixels, text to tokens, tokens to embeddings, state from one step
//! to the next.

mod embeddings;
mod image;
mod prompt;
mod sequence;
mod walk;

pub use embeddings::Embeddings;
pub use image::load_image;
pub use prompt::{TOKENIZER, Tokenizer};
pub use sequence::{Codec, Sequence, rotary, step_tokens};
pub use walk::{Load, Step, Visit, Walk};
