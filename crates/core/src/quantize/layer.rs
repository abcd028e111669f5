//! Layers: weights and the nodes that read them.

use crate::evidence::Linear;
use crate::ir::Shape;
use crate::ir::ops::Axes;
use crate::program::Group;

/// A linear layer: a weight under one encoding, with all nodes that multiply something with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The group of graphs that it belongs to.
    pub group: Group,
    /// Name of the weight.
    pub name: String,
    /// Shape of the weight, as its operator takes it: `[M, C/groups, kH, kW]` of a convolution, `[.., K, N]` of a
    /// matrix product.
    pub shape: Shape,
    /// The axes of output and of input channels. Sums run over the input channels and over all further axes, which are
    /// those of a kernel.
    pub axes: Axes,
    /// Number of channel groups. An output channel reads only the input channels of its own group.
    pub groups: usize,
    /// The nodes that read the weight, in the order in which the graphs run.
    pub readers: Vec<Linear>,
}

impl Layer {
    /// Weights of an output channel: as many numbers are multiplied with them for each output. All weights, where no
    /// axis tells output channels apart.
    pub fn columns(&self) -> usize {
        let channels = self.axes.output.map_or(1, |axis| self.shape[axis]);
        self.shape.iter().product::<usize>().checked_div(channels).unwrap_or(0)
    }
}
