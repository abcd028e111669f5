//! Operators one behind the other.

use crate::onnx::making::Making;
use autoneural_core::ir::{Op, ValueId};

/// Operators each of which reads what the one before made.
#[derive(Default)]
pub struct Chain {
    steps: Vec<(&'static str, Op, Vec<ValueId>)>,
}

impl Chain {
    /// One operator more. It reads the others behind what was made so far; its node is called by the word. Of two new
    /// shapes the last counts.
    pub fn then(&mut self, word: &'static str, op: impl Into<Op>, others: &[ValueId]) {
        let op = op.into();
        if matches!(op, Op::Reshape(_)) {
            self.steps.pop_if(|(_, before, _)| matches!(before, Op::Reshape(_)));
        }
        self.steps.push((word, op, others.to_vec()));
    }

    /// What they make of a value. The last node has the name, the others have their word behind it.
    ///
    /// # Errors
    /// Inputs that an operator does not take.
    pub fn of(self, making: &mut Making, name: &str, x: ValueId) -> Result<ValueId, String> {
        let count = self.steps.len();
        let mut made = x;
        for (at, (word, op, others)) in self.steps.into_iter().enumerate() {
            let inputs = [&[made], &others[..]].concat();
            made = match at + 1 == count {
                true => making.last(name, op, &inputs)?,
                false => making.step(format!("{name}.{word}"), op, &inputs)?,
            };
        }
        Ok(made)
    }
}
