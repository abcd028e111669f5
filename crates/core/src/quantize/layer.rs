//! Layers: the sites of weights.

use crate::evidence::Linear;
use crate::ir::Shape;
use crate::ir::ops::Axes;
use crate::program::Group;

/// A linear layer, which is the site of a weight: nodes that multiply something with the same numbers under the same
/// encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The group of graphs that it is of.
    pub group: Group,
    /// Name of the weight.
    pub name: String,
    /// Shape of the weight, as its operator takes it: `[M, C/groups, kH, kW]` of a convolution, `[.., K, N]` of a
    /// matrix product.
    pub shape: Shape,
    /// The axes of output and of input channels. What sums run over beside the input channels are the axes of a kernel.
    pub axes: Axes,
    /// Number of channel groups; output channels of one see only its own input channels.
    pub groups: usize,
    /// The nodes that read the weight, in the order in which the graphs run.
    pub readers: Vec<Linear>,
}
