//! What the host does around the partitions: images to pixels, text to tokens, tokens to embeddings, state from one
//! step to the next, logits to the next token, tokens to text.

mod additions;
mod asked;
mod bounded;
mod chat;
mod contract;
mod conversation;
mod embeddings;
mod ends;
mod generate;
mod image;
mod probe;
mod prompt;
mod record;
mod sample;
mod sequence;
mod steps;
mod tables;
mod walk;

pub use additions::{BESIDE_TOKENIZER, TOKENIZER};
pub use asked::Asking;
pub use bounded::{COMMAND as SERVE, Chat, serve, serve_with};
pub use chat::{
    CHAT_TEMPLATE, Complaint, ContentPart, Found, Given, Message, Role, SPECIAL_TOKENS, Special, Specials,
    TemplateSource, Why, find_template,
};
pub use contract::prompt_contract;
pub use conversation::{Answer, Conversation, Limits};
pub use embeddings::Embeddings;
pub use ends::{HostFacts, NAME_ENDS};
pub use generate::{Generation, Generator, StepLogits, Stop, refuse_too_long};
pub use image::{blank_image, load_image, load_input, load_square, normalized};
pub use probe::probe;
pub use prompt::Tokenizer;
pub use record::{
    Content, EmbeddingRecord, ExampleRecord, HostRecord, ImageRecord, MaskRecord, PromptRecord, RotaryRecord,
    SequenceRecord, StateRecord, TemplateRecord, TokenRecord, Update, WhenFull,
};
pub use sample::{Sampler, Sampling, best};
pub use sequence::{Codec, Sequence, rotary, step_tokens};
pub use steps::{LEAST_FOR_PREFILL, Steps, Visual};
pub use tables::{HostTables, dtype_of};
pub use walk::{Walk, see};
