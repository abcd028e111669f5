//! Which activations and constants each operator can have, from its signature.

use crate::ir::ops::{Input, InputKind, OPERATORS, Signature};

/// Which activations and constants an operator can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// How many activations it reads if no input is constant; 0 if its second input always is constant.
    pub(super) activations: usize,
    /// The second input may be constant.
    pub(super) weights: bool,
    /// The scales of that input may differ along channels.
    pub(super) channels: bool,
    /// Whether there is a third input, which is constant.
    pub(super) bias: Bias,
    /// It has an axis along which it computes.
    pub(super) axis: bool,
}

/// Whether an operator has a third input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Never,
    Sometimes,
    Always,
}

impl Form {
    fn of(signature: &Signature) -> Self {
        let inputs = || signature.inputs.iter();
        let has = |kind: InputKind| inputs().any(|input| input.kind == kind);
        let is_read = |input: &&Input| !input.is_constant && input.kind != InputKind::Indices;
        let always = inputs().any(|input| input.is_constant && input.kind != InputKind::Bias);
        Form {
            activations: if always { 0 } else { inputs().filter(is_read).count() },
            weights: has(InputKind::Weight) || has(InputKind::Gain) || has(InputKind::Operand),
            channels: has(InputKind::Weight),
            bias: match (has(InputKind::Bias), signature.optional) {
                (false, _) => Bias::Never,
                (true, 0) => Bias::Always,
                (true, _) => Bias::Sometimes,
            },
            axis: signature.has_axis,
        }
    }
}

/// The operators that may stand in a frozen graph.
pub(super) fn known() -> impl Iterator<Item = &'static Signature> {
    OPERATORS.iter().map(|kind| &kind.signature).filter(|signature| !signature.is_composite)
}

pub(super) fn form(name: &str) -> Option<Form> {
    known().find(|signature| signature.name == name).map(Form::of)
}
