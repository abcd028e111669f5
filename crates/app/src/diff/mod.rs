//! The first wrong operator: a quantized model against its float model, value by value, on an engine of choice.
//!
//! It works on ONNX files, whoever made them and whatever operators they have. Values are paired by name and structure
//! (`pair`). The quantized model runs in parts that hand on integers, so that every value is an output once
//! (`chain`); beside it every operator runs alone on float values (`alone`). Where one is wrong, its constants,
//! encodings and surroundings say why (`causes`).

mod alone;
mod around;
mod bias;
mod bundle;
mod causes;
mod chain;
mod compare;
mod compiled;
mod cut;
mod extract;
mod judge;
mod layer;
mod models;
mod net;
mod pair;
mod samples;
mod table;
mod units;
mod values;
mod weights;

pub use bundle::{Given, of_bundle_models};
pub use causes::Cause;
pub use compare::{Looking, compare};
pub use extract::extract;
pub use layer::{Compiled, CompiledOutput, Diff, Figures, Layer};
pub use models::Models;
pub use table::table;
