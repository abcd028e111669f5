//! What reading a text takes.

use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_front::Definition;
use autoneural_host::{Embeddings, Tokenizer};

/// A language model as a text needs it.
pub(crate) struct Reader<'a> {
    /// The model definition.
    pub definition: &'a Definition,
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The embedding table.
    pub embeddings: &'a Embeddings,
    /// The graph that takes in chunks, with the logits of every token.
    pub partition: Partition,
    /// Its encodings; `None` where only float is wanted.
    pub table: Option<&'a Table>,
}
