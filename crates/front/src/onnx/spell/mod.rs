//! Operators of ONNX that the IR has in another form: as nothing, as one of its own, as several.

mod activations;
mod attention;
mod batch_norm;
mod casts;
mod cells;
mod chain;
mod chosen;
mod columns;
mod composed;
mod cuts;
mod einsum;
mod frames;
mod gemm;
mod many;
mod masks;
mod norms;
mod pads;
mod picks;
mod recurrent;
mod reductions;
mod resize;
mod rests;
mod rotary;
mod shapes;
mod spelled;
mod truths;
mod windows;

pub use batch_norm::fuse;
pub use truths::{index, number};

use spelled::Spell;

/// The operators by name.
const SPELLS: &[(&str, Spell)] = &[
    ("Add", masks::sum),
    ("And", truths::and),
    ("Attention", attention::attention),
    ("AveragePool", windows::pool),
    ("BatchNormalization", batch_norm::batch_norm),
    ("Cast", casts::cast),
    ("CastLike", casts::cast_like),
    ("Celu", activations::celu),
    ("Clip", composed::clip),
    ("ConstantOfShape", shapes::constant_of_shape),
    ("Col2Im", columns::col2im),
    ("Conv", windows::conv),
    ("ConvTranspose", windows::conv),
    ("CumSum", composed::cumulative),
    ("Div", composed::quotient),
    ("Dropout", casts::dropout),
    ("Einsum", einsum::einsum),
    ("Equal", truths::equal),
    ("Expand", shapes::expand),
    ("Flatten", shapes::flatten),
    ("GRU", recurrent::gru),
    ("Gather", cuts::gather),
    ("GatherElements", picks::picked),
    ("GatherND", picks::picked),
    ("Gemm", gemm::gemm),
    ("GlobalAveragePool", windows::global_average),
    ("GlobalMaxPool", reductions::global_max),
    ("Greater", truths::greater),
    ("GreaterOrEqual", truths::greater_or_equal),
    ("GroupNormalization", norms::group_norm),
    ("Identity", casts::identity),
    ("InstanceNormalization", norms::instance_norm),
    ("IsInf", truths::is_nan),
    ("IsNaN", truths::is_nan),
    ("LRN", reductions::local_response),
    ("LSTM", recurrent::lstm),
    ("LayerNormalization", norms::layer_norm),
    ("Less", truths::less),
    ("LessOrEqual", truths::less_or_equal),
    ("LogSoftmax", reductions::log_softmax),
    ("LpNormalization", reductions::lp_normalization),
    ("MatMul", gemm::mat_mul),
    ("Max", many::folded),
    ("MaxPool", windows::pool),
    ("Mean", many::mean),
    ("MeanVarianceNormalization", norms::mean_variance_norm),
    ("Min", many::folded),
    ("Mod", rests::rest),
    ("Mul", masks::product),
    ("Not", truths::not),
    ("OneHot", picks::one_hot),
    ("Or", truths::or),
    ("Pad", pads::pad),
    ("Pow", rests::power),
    ("RMSNormalization", norms::rms_norm),
    ("RNN", recurrent::rnn),
    ("ReduceL1", reductions::of_each),
    ("ReduceLogSum", reductions::log_sum),
    ("ReduceLogSumExp", reductions::log_sum_exp),
    ("ReduceSumSquare", reductions::of_each),
    ("Resize", resize::resize),
    ("RotaryEmbedding", rotary::rotary),
    ("ScatterElements", picks::scattered),
    ("ScatterND", picks::scattered),
    ("Shape", shapes::shape),
    ("Shrink", activations::shrink),
    ("Size", shapes::size),
    ("Slice", cuts::slice),
    ("Softmax", norms::softmax),
    ("Softsign", activations::softsign),
    ("Split", cuts::split),
    ("Squeeze", shapes::squeeze),
    ("Sum", many::sum),
    ("ThresholdedRelu", activations::thresholded),
    ("Tile", composed::tile),
    ("Trilu", composed::triangle),
    ("Unsqueeze", shapes::unsqueeze),
    ("Upsample", resize::resize),
    ("Where", many::choose),
    ("Xor", truths::xor),
];

/// Operators of which some forms only are spelled in others; the rest is read by the operator of the IR, without which
/// none is.
const PARTLY: [&str; 21] = [
    "Add",
    "AveragePool",
    "Clip",
    "Conv",
    "ConvTranspose",
    "Div",
    "Gather",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Pad",
    "Pow",
    "RMSNormalization",
    "Resize",
    "Softmax",
    "Split",
    "Where",
];

/// Whether an operator is read that the IR does not have under its name.
pub fn is_spelled(op_type: &str) -> bool {
    of(op_type).is_some() && !PARTLY.contains(&op_type)
}

/// Whether an operator may be asked for its later outputs alone, as a recurrent layer is for its last state.
pub fn may_lack_its_first(op_type: &str) -> bool {
    matches!(op_type, "LSTM" | "GRU" | "RNN")
}

/// How an operator is read that the IR has in another form.
pub fn of(op_type: &str) -> Option<Spell> {
    SPELLS.iter().find(|(known, _)| *known == op_type).map(|(_, spell)| *spell)
}
