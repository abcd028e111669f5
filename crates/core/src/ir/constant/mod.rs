//! Constants: views into memory-mapped files with a list of cheap transforms, which become numbers only when they are
//! read.

mod element;
mod hadamard;
mod identity;
mod index;
mod permute;
mod tensor;
mod view;

pub use identity::Identity;
pub use index::index_of;
pub use permute::permute;
pub use tensor::{Constant, le_bytes};
pub use view::{StoredType, View};
