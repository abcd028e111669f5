//! Quantization makes a table of encodings from statistics, weights, a recipe, and encodings that were learned
//! elsewhere, if there are such. Then it rounds constants to codes under these encodings. It never changes the graph.

mod assign;
mod blocks;
mod codes;
mod early;
mod entry;
mod given;
mod given_class;
mod kept;
mod layer;
mod layers;
mod legality;
mod lost;
mod multiplier;
mod names;
mod outliers;
mod ranges;
mod round;
pub mod rounding;
pub mod scales;
mod sources;
mod stated;
mod table;
mod ties;
mod weights;

pub use assign::{decisive, quantize};
pub use blocks::{MOST, can_be_cut, channel_scales, in_blocks, onto_grid, with_channel_scales};
pub use codes::{CodeSource, pack, unpack};
pub use early::{refuse_idle_overrides, refuse_untaken_weights};
pub use given::Given;
pub use kept::Settled;
pub use layer::Layer;
pub use layers::{Constants, Item, asks, layers, observed};
pub(crate) use legality::case;
pub use legality::refusal;
pub use lost::warn_of_lost;
pub use multiplier::settle;
pub use names::Aliases;
pub use outliers::{of_constants, of_embeddings};
pub use ranges::RangeSource;
pub use round::{RoundedNow, round_layer, round_other};
pub use sources::Sources;
pub use stated::Stated;
pub use table::{Counts, Table};
pub use weights::{fit, of_sums, settle_weights, weight};
