//! Constants: views into memory-mapped files with a recipe of cheap transforms, turned to numbers only where asked.

mod element;
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
