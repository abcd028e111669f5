//! Checkpoints: safetensors files of one folder or several, memory-mapped. Nothing in a header is believed before it is
//! checked.

mod beside;
mod buffers;
mod elsewhere;
mod header;
mod left_over;
mod names;
mod opened;
mod place;
mod read;
mod scales;

pub use beside::Beside;
pub use elsewhere::SetAside;
pub use opened::{Checkpoint, TensorInfo};
pub use place::{WeightsPlace, marked, unmarked};
