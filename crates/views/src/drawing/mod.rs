//! Drawings of a bundle as SVG files that need nothing else: in come its partitions, encodings, sizes and, if it was
//! verified, its report; out goes one picture of the partitions and what crosses their borders, or of one partition's
//! blocks. The layout is computed from the graphs alone, so the same bundle gives the same bytes.

mod blocks;
mod curve;
mod inside;
mod legend;
mod overview;
mod rails;
mod routes;
mod rows;
mod subject;
mod svg;
mod tensor;

pub use curve::curve;
pub use inside::inside;
pub use overview::overview;
pub use subject::Subject;
pub use tensor::Tensors;
