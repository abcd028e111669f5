//! What reading a node in another form gives.

use crate::onnx::making::{Known, Making, Told};

/// What a node makes, for each of its outputs; none where the operator of the IR reads the node by itself.
pub type Spelled = Result<Option<Vec<Known>>, String>;

/// Reads a node of an operator.
pub type Spell = for<'m> fn(&mut Making<'m>, &Told<'m>) -> Spelled;
