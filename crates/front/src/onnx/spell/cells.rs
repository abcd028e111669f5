//! The cells of recurrent layers: what one step makes of its input and the state before it.

use crate::onnx::making::Making;
use autoneural_core::ir::{Op, ValueId, ops};

/// One step in the making.
pub struct Step<'a, 'm> {
    /// The graph in the making.
    pub making: &'a mut Making<'m>,
    /// What its nodes are called, without their ends.
    pub name: String,
    /// Size of the state.
    pub hidden: usize,
}

impl Step<'_, '_> {
    /// A node of the step.
    pub fn node(&mut self, what: &str, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, String> {
        self.making.step(format!("{}.{what}", self.name), op, inputs)
    }

    fn sum(&mut self, what: &str, a: ValueId, b: Option<ValueId>) -> Result<ValueId, String> {
        b.map_or(Ok(a), |b| self.node(what, ops::Add, &[a, b]))
    }

    /// Some of the gates, side by side.
    fn gates(&mut self, what: &str, x: ValueId, gates: std::ops::Range<usize>) -> Result<ValueId, String> {
        let axis = self.making.shape(x).len() - 1;
        let (start, end) = (gates.start * self.hidden, gates.end * self.hidden);
        self.node(what, ops::Slice { axis, start, end }, &[x])
    }

    /// The state of a plain cell.
    pub fn rnn(&mut self, input: ValueId, product: Option<ValueId>, is_relu: bool) -> Result<ValueId, String> {
        let sum = self.sum("sum", input, product)?;
        match is_relu {
            true => self.node("hidden", ops::Relu, &[sum]),
            false => self.node("hidden", ops::Tanh, &[sum]),
        }
    }

    /// The state and the cells. The gates of an LSTM are input, output, forget and cell.
    pub fn lstm(
        &mut self,
        input: ValueId,
        product: Option<ValueId>,
        cell: Option<ValueId>,
    ) -> Result<(ValueId, ValueId), String> {
        let sum = self.sum("sum", input, product)?;
        let open = self.gates("open", sum, 0..3)?;
        let open = self.node("gates", ops::Sigmoid, &[open])?;
        let entry = self.gates("entry", open, 0..1)?;
        let exit = self.gates("exit", open, 1..2)?;
        let new = self.gates("new", sum, 3..4)?;
        let new = self.node("bounded", ops::Tanh, &[new])?;
        let mut cells = self.node("entered", ops::Mul, &[entry, new])?;
        if let Some(cell) = cell {
            let keep = self.gates("keep", open, 2..3)?;
            let kept = self.node("kept", ops::Mul, &[keep, cell])?;
            cells = self.node("cells", ops::Add, &[kept, cells])?;
        }
        let shown = self.node("shown", ops::Tanh, &[cells])?;
        Ok((self.node("hidden", ops::Mul, &[exit, shown])?, cells))
    }

    /// The state. The gates of a GRU are update, reset and hidden. With `recurrent` it resets before the product.
    pub fn gru(
        &mut self,
        input: ValueId,
        product: Option<ValueId>,
        state: Option<ValueId>,
        recurrent: Option<ValueId>,
    ) -> Result<ValueId, String> {
        let of_input = self.gates("open", input, 0..2)?;
        let of_state = product.map(|product| self.gates("recurrent", product, 0..2)).transpose()?;
        let open = self.sum("opened", of_input, of_state)?;
        let open = self.node("gates", ops::Sigmoid, &[open])?;
        let update = self.gates("update", open, 0..1)?;
        let new = self.gates("new", input, 2..3)?;
        let reset = self.gates("reset", open, 1..2)?;
        let recalled = match (recurrent, state, product) {
            (Some(recurrent), Some(state), _) => {
                let less = self.node("less", ops::Mul, &[reset, state])?;
                let weights = self.gates("weights", recurrent, 2..3)?;
                Some(self.node("recalled", ops::MatMul, &[less, weights])?)
            }
            (None, _, Some(product)) => {
                let part = self.gates("part", product, 2..3)?;
                Some(self.node("recalled", ops::Mul, &[reset, part])?)
            }
            _ => None,
        };
        let new = self.sum("renewed", new, recalled)?;
        let new = self.node("bounded", ops::Tanh, &[new])?;
        // `new + update (state - new)`
        match state {
            Some(state) => {
                let away = self.node("away", ops::Sub, &[state, new])?;
                let kept = self.node("kept", ops::Mul, &[update, away])?;
                self.node("hidden", ops::Add, &[new, kept])
            }
            None => {
                let kept = self.node("kept", ops::Mul, &[update, new])?;
                self.node("hidden", ops::Sub, &[new, kept])
            }
        }
    }
}
