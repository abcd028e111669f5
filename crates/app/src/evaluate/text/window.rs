//! A window of a text on an engine.

use super::reader::Reader;
use super::record::TextRecord;
use crate::evaluate::likelihood::log_softmax;
use autoneural_base::error::{Error, Result};
use autoneural_engines::engine::Engine;
use autoneural_host::{Codec, Sequence, best, step_tokens};

/// Takes in a window, and judges all of its tokens but the first by what stands before them.
///
/// # Errors
/// The engine fails.
pub(crate) fn judge(reader: &Reader, engine: &mut dyn Engine, codec: Codec, tokens: &[u32]) -> Result<TextRecord> {
    let (partition, language) = (&reader.partition, &reader.definition.language);
    let embeds = reader.embeddings.look_up(tokens, language.tokens.image, &[])?;
    let logits = partition.outputs.iter().position(|port| port.meaning.main);
    let logits = logits.ok_or_else(|| Error::internal(&partition.name, "has no logits"))?;
    let encoding = codec.encoding(&partition.outputs[logits])?;
    let mut sequence = Sequence::new(language, codec);
    let mut made = TextRecord { log_probability: 0.0, chosen: Vec::with_capacity(tokens.len() - 1) };
    for chunk in embeds.chunks(step_tokens(partition) * language.hidden) {
        let (begun, count) = (sequence.position(), chunk.len() / language.hidden);
        let inputs = sequence.inputs(partition, chunk)?;
        let outputs = engine.run(&inputs)?;
        sequence.absorb(partition, &outputs, count)?;
        let real = outputs[logits].decode(encoding);
        let rows = real.as_f32()?.chunks_exact(language.vocabulary);
        // Nothing follows the last token of the window.
        for (row, &next) in rows.take(count).zip(&tokens[begun + 1..]) {
            made.log_probability += log_softmax(row, next);
            made.chosen.push(best(row));
        }
    }
    Ok(made)
}
