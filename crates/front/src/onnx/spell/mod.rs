//! Operators of ONNX that the IR has in another form: as nothing, as one of its own, as several.

mod batch_norm;
mod casts;
mod cuts;
mod gemm;
mod many;
mod norms;
mod pads;
mod resize;
mod shapes;
mod spelled;
mod windows;

pub use batch_norm::fuse;

use spelled::Spell;

/// The operators by name.
const SPELLS: &[(&str, Spell)] = &[
    ("AveragePool", windows::pool),
    ("BatchNormalization", batch_norm::batch_norm),
    ("Cast", casts::cast),
    ("CastLike", casts::cast_like),
    ("ConstantOfShape", shapes::constant_of_shape),
    ("Conv", windows::conv),
    ("ConvTranspose", windows::conv),
    ("Dropout", casts::dropout),
    ("Expand", shapes::expand),
    ("Flatten", shapes::flatten),
    ("Gather", cuts::gather),
    ("Gemm", gemm::gemm),
    ("GlobalAveragePool", windows::global_average),
    ("Identity", casts::identity),
    ("LayerNormalization", norms::layer_norm),
    ("MatMul", gemm::mat_mul),
    ("Max", many::folded),
    ("MaxPool", windows::pool),
    ("Mean", many::mean),
    ("Min", many::folded),
    ("Pad", pads::pad),
    ("Resize", resize::resize),
    ("Shape", shapes::shape),
    ("Size", shapes::size),
    ("Slice", cuts::slice),
    ("Softmax", norms::softmax),
    ("Split", cuts::split),
    ("Squeeze", shapes::squeeze),
    ("Sum", many::sum),
    ("Unsqueeze", shapes::unsqueeze),
    ("Upsample", resize::resize),
    ("Where", many::choose),
];

/// Operators of which some forms only are spelled in others; the rest is read by the operator of the IR, without which
/// none is.
const PARTLY: [&str; 14] = [
    "AveragePool",
    "Conv",
    "ConvTranspose",
    "Gather",
    "LayerNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Pad",
    "Resize",
    "Softmax",
    "Split",
    "Where",
];

/// Whether an operator is read that the IR does not have under its name.
pub fn is_spelled(op_type: &str) -> bool {
    of(op_type).is_some() && !PARTLY.contains(&op_type)
}

/// How an operator is read that the IR has in another form.
pub fn of(op_type: &str) -> Option<Spell> {
    SPELLS.iter().find(|(known, _)| *known == op_type).map(|(_, spell)| *spell)
}
