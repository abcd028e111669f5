//! One sequence on its way through prefill and decode: builds the inputs of a step, keeps the state it gives back.
//!
//! State is copied as it comes. With codes, what prefill gave is what decode reads, bit for bit.

use std::collections::BTreeMap;

use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;
use autoneural_core::engine::{Data, Tensor};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::State;
use autoneural_core::quantize::Table;
use autoneural_front::{Language, MASKED, Role};

/// Tokens by which the buffers of a sequence grow.
const GROWTH: usize = 256;

/// How numbers cross the border of a partition.
#[derive(Clone, Copy)]
pub enum Codec<'a> {
    /// As they are.
    Float,
    /// As integers.
    Codes(&'a Table),
}

impl<'a> Codec<'a> {
    /// The encoding of a port; `None` if its numbers cross as real numbers or are indices.
    ///
    /// # Errors
    /// The table has no encoding of the port: it belongs to another graph.
    pub fn encoding(&self, port: &Port) -> Result<Option<&'a Encoding>> {
        match self {
            Codec::Codes(table) if port.role != Role::Index.name() => table.activation(&port.name).map(Some),
            _ => Ok(None),
        }
    }
}

/// Cosines and sines of the rotary embedding for positions `start..start + tokens`, each `[tokens, size]` row-major:
/// frequency `theta^(-2i/size)`, both halves alike (Su et al., arXiv 2104.09864).
pub fn rotary(start: usize, tokens: usize, size: usize, theta: f64) -> (Vec<f32>, Vec<f32>) {
    let angle = |token: usize, i: usize| {
        // The exponent and the frequency are rounded to f32 as the checkpoints' own implementation does.
        let exponent = (2 * (i % (size / 2))) as f32 / size as f32;
        let frequency = 1.0f32 / (theta as f32).powf(exponent);
        (start + token) as f32 * frequency
    };
    let all = || (0..tokens).flat_map(|token| (0..size).map(move |i| angle(token, i)));
    (all().map(f32::cos).collect(), all().map(f32::sin).collect())
}

/// The state of one sequence.
pub struct Sequence<'a> {
    language: &'a Language,
    codec: Codec<'a>,
    /// Buffers by encoding key: keys `[1,G,D,capacity]`, values `[1,G,capacity,D]`, convolution columns. The capacity
    /// grows with the tokens up to the context.
    state: BTreeMap<String, Tensor>,
    position: usize,
}

impl<'a> Sequence<'a> {
    /// An empty sequence.
    pub fn new(language: &'a Language, codec: Codec<'a>) -> Self {
        Sequence { language, codec, state: BTreeMap::new(), position: 0 }
    }

    /// Tokens taken in so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The buffer of a state by encoding key, once a step has filled it. It holds at least the tokens taken in so far.
    pub fn state(&self, key: &str) -> Option<&Tensor> {
        self.state.get(key)
    }

    /// Inputs of the next step of a partition: `embeds [n, hidden]` row-major with `n` up to the partition's tokens.
    ///
    /// # Errors
    /// The context length is exceeded.
    pub fn inputs(&mut self, partition: &Partition, embeds: &[f32]) -> Result<Vec<Tensor>> {
        let l = self.language;
        let (count, tokens) = (embeds.len() / l.hidden, step_tokens(partition));
        let past = l.context - tokens;
        if count == 0 || count > tokens {
            return Err(Error::internal(&partition.name, format!("{count} tokens for a step of {tokens}")));
        }
        if self.position > past || self.position + count > l.context {
            let message = format!("{} tokens and {count} more exceed the context of {}", self.position, l.context);
            return Err(Error::input("prompt", message).help("shorten the prompt or decode fewer tokens"));
        }
        let mut made = Vec::with_capacity(partition.inputs.len());
        for (port, &id) in partition.inputs.iter().zip(partition.graph.inputs()) {
            let shape = partition.graph.value(id).shape.clone();
            let encoding = self.codec.encoding(port)?;
            let tensor = match role_of(port)? {
                Role::Embeddings => {
                    // Rows that do not count repeat the last that does, so that calibration sees nothing unlike a
                    // token.
                    let mut values = embeds.to_vec();
                    let last = &embeds[embeds.len() - l.hidden..];
                    (count..tokens).for_each(|_| values.extend_from_slice(last));
                    Tensor::f32(shape, values).encode(encoding)?
                }
                Role::Rotary => {
                    let (cos, sin) = rotary(self.position, tokens, l.head_dim, l.rope_theta);
                    Tensor::f32(shape, if port.name == "cos" { cos } else { sin }).encode(encoding)?
                }
                Role::Mask => Tensor::f32(shape, mask(self.position, tokens, past)).encode(encoding)?,
                Role::Index if port.name == "last" => Tensor::i32(shape, vec![count as i32 - 1]),
                Role::Index => {
                    let columns = (count..count + l.conv_kernel - 1).map(|column| column as i32).collect();
                    Tensor::i32(shape, columns)
                }
                Role::Keys | Role::Values | Role::ConvState => self.window(port, shape, encoding),
                Role::Image | Role::Features | Role::Logits => {
                    return Err(Error::internal(
                        &partition.name,
                        format!("`{}` is no input of a language step", port.name),
                    ));
                }
            };
            made.push(tensor);
        }
        Ok(made)
    }

    /// The first columns of the state's buffer that the partition takes.
    fn window(&mut self, port: &Port, shape: Vec<usize>, encoding: Option<&Encoding>) -> Tensor {
        let buffer = self.state.entry(port.encoding_key.clone()).or_insert_with(|| {
            let mut begun = shape.clone();
            if let Some(State::Append { axis }) = port.meaning.state {
                begun[axis] = 0;
            }
            Tensor { data: Data::zeros(begun.iter().product(), encoding), shape: begun }
        });
        match port.meaning.state {
            Some(State::Append { axis }) => resized(buffer, axis, shape, encoding),
            _ => buffer.clone(),
        }
    }

    /// Takes in the outputs of the step whose inputs were made last, of which `count` tokens count.
    ///
    /// # Errors
    /// An output without an encoding: the table belongs to another partition.
    pub fn absorb(&mut self, partition: &Partition, outputs: &[Tensor], count: usize) -> Result<()> {
        let tokens = self.position + count;
        for (port, output) in partition.outputs.iter().zip(outputs) {
            let Some(buffer) = self.state.get_mut(&port.encoding_key) else { continue };
            if let Some(State::Append { axis }) = port.meaning.state {
                if buffer.shape[axis] < tokens {
                    let mut shape = buffer.shape.clone();
                    shape[axis] = tokens.next_multiple_of(GROWTH).min(self.language.context);
                    *buffer = resized(buffer, axis, shape, self.codec.encoding(port)?);
                }
                // Keys have one column per token, values one row of the head's size.
                let unit: usize = output.shape[axis + 1..].iter().product();
                let (rows, to, from) = rows(axis, &buffer.shape, &output.shape);
                for row in 0..rows {
                    let run = row * from..row * from + count * unit;
                    output.data.copy_run(run, &mut buffer.data, row * to + self.position * unit);
                }
            } else if port.meaning.state.is_some() {
                *buffer = output.clone();
            }
        }
        self.position = tokens;
        Ok(())
    }
}

/// Keys and values with more or fewer tokens: as many as both have are copied, the rest is 0.0.
fn resized(buffer: &Tensor, axis: usize, shape: Vec<usize>, encoding: Option<&Encoding>) -> Tensor {
    let mut made = Data::zeros(shape.iter().product(), encoding);
    let (rows, from, to) = rows(axis, &buffer.shape, &shape);
    for row in 0..rows {
        buffer.data.copy_run(row * from..row * from + from.min(to), &mut made, row * to);
    }
    Tensor { shape, data: made }
}

/// Number of runs that are contiguous along the token axis, and their lengths in two tensors that differ in that axis.
fn rows(axis: usize, whole: &[usize], part: &[usize]) -> (usize, usize, usize) {
    let run = |shape: &[usize]| shape[axis..].iter().product();
    (whole[..axis].iter().product(), run(whole), run(part))
}

fn role_of(port: &Port) -> Result<Role> {
    Role::of(&port.role).ok_or_else(|| Error::internal(&port.name, format!("has the unknown role `{}`", port.role)))
}

/// Tokens that one step of a language partition takes.
pub fn step_tokens(partition: &Partition) -> usize {
    partition.input("embeds").map_or(1, |at| partition.graph.value(partition.graph.inputs()[at]).shape[1])
}

/// `[tokens, past + tokens]`: 0 where a new token may look, [`MASKED`] elsewhere.
fn mask(position: usize, tokens: usize, past: usize) -> Vec<f32> {
    let visible = |row: usize, column: usize| column < position || (column >= past && column - past <= row);
    (0..tokens)
        .flat_map(|row| (0..past + tokens).map(move |column| if visible(row, column) { 0.0 } else { MASKED }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_sees_the_past_itself_and_what_came_before_it() {
        let m = mask(2, 2, 3);
        let visible: Vec<bool> = m.iter().map(|&v| v == 0.0).collect();
        assert_eq!(visible, [true, true, false, true, false, true, true, false, true, true]);
    }

    #[test]
    fn rotary_tables_start_with_no_rotation() {
        let (cos, sin) = rotary(0, 1, 4, 10000.0);
        assert_eq!((cos, sin), (vec![1.0; 4], vec![0.0; 4]));
    }
}
