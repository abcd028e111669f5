//! The weights of a layer by output channel, as rows that are multiplied with what the layer reads.

use crate::encoding::Encoding;
use crate::quantize::layer::Layer;

/// How the weights of a layer stand in memory. A row is an output channel's weights, in the order in which
/// [`crate::ir::ops::Rows`] gives what they are multiplied with. Of a transposed convolution, `[C, M, kH, kW]`, every
/// element of the kernel makes outputs of its own from one place of the image: it counts as an output channel.
pub(crate) struct Channels {
    /// Weights of a row.
    pub width: usize,
    /// Output channels.
    pub count: usize,
    /// Output channels of a channel group.
    pub of_group: usize,
    inner: usize,
    block: usize,
}

impl Channels {
    /// Those of a layer under an encoding. `None` where no axis tells output channels apart, or zero is not encoded as
    /// zero: such weights can only be rounded one by one.
    pub(crate) fn of(layer: &Layer, encoding: &Encoding) -> Option<Self> {
        let axis = layer.axes.output?;
        // Of all others the kernel stands behind the input channels.
        let is_transposed = axis > layer.axes.input;
        let kernel = if is_transposed { layer.shape[axis + 1..].iter().product() } else { 1 };
        let count = layer.shape[axis] * kernel;
        let width = layer.shape.iter().product::<usize>().checked_div(count)?;
        let of_input = width.checked_div(layer.shape[layer.axes.input])?;
        let is_plain = encoding.zero_point.iter().all(|&zero| zero == 0)
            && encoding.axis.is_none_or(|own| own == if encoding.block.is_some() { layer.axes.input } else { axis });
        let whole = count.is_multiple_of(layer.groups.max(1)) && width > 0 && is_plain;
        whole.then(|| Channels {
            width,
            count,
            of_group: count / layer.groups.max(1),
            inner: if is_transposed { 1 } else { layer.shape[axis + 1..].iter().product() },
            block: encoding.block.map_or(width, |block| block * of_input),
        })
    }

    /// Columns that share a scale.
    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Row-major position of a weight in the tensor.
    fn position(&self, channel: usize, column: usize) -> usize {
        (column / self.inner * self.count + channel) * self.inner + column % self.inner
    }

    /// Whether the tensor has one row after the other, as that of a convolution.
    fn is_by_row(&self) -> bool {
        self.inner == self.width
    }

    /// The numbers of the tensor, row by row.
    pub(crate) fn rows<T: Copy>(&self, tensor: &[T]) -> Vec<T> {
        if self.is_by_row() {
            return tensor.to_vec();
        }
        let all = (0..self.count).flat_map(|channel| (0..self.width).map(move |column| (channel, column)));
        all.map(|(channel, column)| tensor[self.position(channel, column)]).collect()
    }

    /// The inverse of [`Channels::rows`].
    pub(crate) fn tensor<T: Copy + Default>(&self, rows: &[T]) -> Vec<T> {
        if self.is_by_row() {
            return rows.to_vec();
        }
        let mut made = vec![T::default(); rows.len()];
        for (channel, row) in rows.chunks(self.width).enumerate() {
            for (column, &one) in row.iter().enumerate() {
                made[self.position(channel, column)] = one;
            }
        }
        made
    }

    /// The scales, for each row one for each block of columns.
    pub(crate) fn scales(&self, encoding: &Encoding, shape: &[usize]) -> Vec<f32> {
        let entry = encoding.entries(shape);
        let firsts = (0..self.width).step_by(self.block);
        let all = (0..self.count).flat_map(|channel| firsts.clone().map(move |column| (channel, column)));
        all.map(|(channel, column)| encoding.scale[entry(self.position(channel, column))]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use crate::ir::ops::Axes;
    use crate::program::Group;

    fn layer(shape: &[usize], output: usize, input: usize, groups: usize) -> Layer {
        let axes = Axes { output: Some(output), input };
        Layer { group: Group::fixed("some"), name: "w".into(), shape: shape.to_vec(), axes, groups, readers: vec![] }
    }

    #[test]
    fn rows_are_those_of_matrices_and_of_convolutions() {
        let per_channel = |axis| Encoding::symmetric(IntegerType::Int8, &[127.0, 254.0], Some(axis));
        let (matrix, tensor) = (layer(&[3, 2], 1, 0, 1), [1, 2, 3, 4, 5, 6]);
        let channels = Channels::of(&matrix, &per_channel(1)).unwrap();
        assert_eq!((channels.width, channels.count, channels.of_group), (3, 2, 2));
        assert_eq!(channels.rows(&tensor), [1, 3, 5, 2, 4, 6]);
        assert_eq!(channels.tensor(&channels.rows(&tensor)), tensor);
        assert_eq!(channels.scales(&per_channel(1), &matrix.shape), [1.0, 2.0]);
        let convolution = layer(&[2, 1, 1, 3], 0, 1, 2);
        let channels = Channels::of(&convolution, &per_channel(0)).unwrap();
        assert_eq!((channels.rows(&tensor), channels.of_group), (tensor.to_vec(), 1));
        assert_eq!(channels.scales(&per_channel(0), &convolution.shape), [1.0, 2.0]);
    }

    #[test]
    fn blocks_have_scales_along_the_row() {
        let scale: Vec<f32> = [4., 5., 6., 70., 80., 90.].map(|most: f32| most / 127.0).to_vec();
        let zero_point = vec![0; scale.len()];
        let encoding = Encoding { integer: IntegerType::Int8, scale, zero_point, axis: Some(0), block: Some(2) };
        let channels = Channels::of(&layer(&[4, 3], 1, 0, 1), &encoding).unwrap();
        assert_eq!((channels.block(), channels.width), (2, 4));
        let scales = [4., 70., 5., 80., 6., 90.].map(|most: f32| most / 127.0);
        assert_eq!(channels.scales(&encoding, &[4, 3]), scales);
    }

    #[test]
    fn every_element_of_a_transposed_kernel_has_rows_of_its_own() {
        // [C, M, kH, kW] of 2 x 3 x 1 x 2
        let encoding = Encoding::symmetric(IntegerType::Int8, &[1.0, 2.0, 4.0], Some(1));
        let shape = [2, 3, 1, 2];
        let channels = Channels::of(&layer(&shape, 1, 0, 1), &encoding).unwrap();
        assert_eq!((channels.count, channels.of_group, channels.width), (6, 6, 2));
        let weights: Vec<usize> = (0..12).collect();
        assert_eq!(channels.rows(&weights), [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]);
        assert_eq!(channels.tensor(&channels.rows(&weights)), weights);
        let scales = channels.scales(&encoding, &shape);
        assert_eq!(scales, [1.0f32, 1.0, 2.0, 2.0, 4.0, 4.0].map(|most| most / 127.0));
    }

    #[test]
    fn weights_without_output_channels_or_with_zero_points_have_no_rows() {
        let mut encoding = Encoding::symmetric(IntegerType::Int8, &[1.0], None);
        let mut one = layer(&[3, 2], 1, 0, 1);
        assert!(Channels::of(&one, &encoding).is_some());
        encoding.zero_point = vec![3];
        assert!(Channels::of(&one, &encoding).is_none());
        encoding.zero_point = vec![0];
        one.axes.output = None;
        assert!(Channels::of(&one, &encoding).is_none());
    }
}
