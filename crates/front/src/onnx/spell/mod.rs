//! Operators of ONNX that the IR has in another form: as nothing, as one of its own, as several.

mod batch_norm;
mod casts;
mod composed;
mod cuts;
mod einsum;
mod gemm;
mod many;
mod masks;
mod norms;
mod pads;
mod picks;
mod resize;
mod shapes;
mod spelled;
mod truths;
mod windows;

pub use batch_norm::fuse;

use spelled::Spell;

/// The operators by name.
const SPELLS: &[(&str, Spell)] = &[
    ("And", truths::and),
    ("AveragePool", windows::pool),
    ("BatchNormalization", batch_norm::batch_norm),
    ("Cast", casts::cast),
    ("CastLike", casts::cast_like),
    ("Celu", composed::celu),
    ("Clip", composed::clip),
    ("ConstantOfShape", shapes::constant_of_shape),
    ("Conv", windows::conv),
    ("ConvTranspose", windows::conv),
    ("CumSum", composed::cumulative),
    ("Div", composed::quotient),
    ("Dropout", casts::dropout),
    ("Einsum", einsum::einsum),
    ("Equal", truths::equal),
    ("Expand", shapes::expand),
    ("Flatten", shapes::flatten),
    ("Gather", cuts::gather),
    ("GatherElements", picks::picked),
    ("GatherND", picks::picked),
    ("Gemm", gemm::gemm),
    ("GlobalAveragePool", windows::global_average),
    ("Greater", truths::greater),
    ("GreaterOrEqual", truths::greater_or_equal),
    ("Identity", casts::identity),
    ("IsNaN", truths::is_nan),
    ("LayerNormalization", norms::layer_norm),
    ("Less", truths::less),
    ("LessOrEqual", truths::less_or_equal),
    ("LogSoftmax", composed::log_softmax),
    ("MatMul", gemm::mat_mul),
    ("Max", many::folded),
    ("MaxPool", windows::pool),
    ("Mean", many::mean),
    ("Min", many::folded),
    ("Mul", masks::product),
    ("Not", truths::not),
    ("OneHot", picks::one_hot),
    ("Or", truths::or),
    ("Pad", pads::pad),
    ("ReduceL1", composed::reduced),
    ("ReduceSumSquare", composed::reduced),
    ("Resize", resize::resize),
    ("ScatterElements", picks::scattered),
    ("ScatterND", picks::scattered),
    ("Shape", shapes::shape),
    ("Size", shapes::size),
    ("Slice", cuts::slice),
    ("Softmax", norms::softmax),
    ("Softsign", composed::softsign),
    ("Split", cuts::split),
    ("Squeeze", shapes::squeeze),
    ("Sum", many::sum),
    ("Tile", composed::tile),
    ("Trilu", composed::triangle),
    ("Unsqueeze", shapes::unsqueeze),
    ("Upsample", resize::resize),
    ("Where", many::choose),
    ("Xor", truths::xor),
];

/// Operators of which some forms only are spelled in others; the rest is read by the operator of the IR, without which
/// none is.
const PARTLY: [&str; 17] = [
    "AveragePool",
    "Clip",
    "Conv",
    "ConvTranspose",
    "Div",
    "Gather",
    "LayerNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
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
