//! Rounding of a layer by what the change of each output channel costs, channel group by channel group.

use ndarray::Array2;

use super::channels::Channels;
use super::lattice::{Grid, Lattice};
use crate::encoding::Encoding;
use crate::quantize::layer::Layer;
use autoneural_base::error::{Error, Result};
use autoneural_base::machine::threads;

/// Whether nothing is known of what a layer's weights are multiplied with: they are rounded one by one.
pub(crate) fn unfit(layer: &Layer) -> bool {
    layer.readers.is_empty() || layer.axes.output.is_none()
}

/// The codes of a layer's weights. `form` gives for a channel group the moments of its rows, whose columns are `width`,
/// and the real weights that its rows aim at; it is given the rows of the layer's own weights. Weights of a group whose
/// rows were all zero become the nearest integers.
///
/// # Errors
/// The rows are not those of the weights.
pub(crate) fn by_form(
    layer: &Layer,
    weights: &[f32],
    encoding: &Encoding,
    (width, damping): (usize, f64),
    form: impl Fn(usize, Vec<f32>) -> (Array2<f64>, Vec<f32>) + Sync,
) -> Result<Vec<i32>> {
    let nearest = || encoding.quantize(weights, &layer.shape);
    let Some(channels) = Channels::of(layer, encoding) else { return Ok(nearest()) };
    if channels.width != width {
        let message = format!("has rows of {} weights, which are multiplied with {width} numbers", channels.width);
        return Err(Error::internal(&layer.name, message));
    }
    let (rows, scales) = (channels.rows(weights), channels.scales(encoding, &layer.shape));
    let (size, blocks) = (channels.of_group * width, channels.of_group * width.div_ceil(channels.block()));
    let mut codes = channels.rows(&nearest());
    let one = |group: usize, rows: &[f32], codes: &mut [i32]| {
        let (form, aims) = form(group, rows.to_vec());
        if let Some(lattice) = Lattice::new(form.view(), damping) {
            let scales = &scales[group * blocks..][..blocks];
            let grid = Grid { limits: encoding.integer.limits(), scales, block: channels.block() };
            codes.copy_from_slice(&lattice.round(&aims, &grid));
        }
    };
    // The groups of a depthwise convolution are many and small; where there is one, its channels are shared.
    let groups = rows.len().div_ceil(size.max(1));
    let share = groups.div_ceil(threads()).max(1);
    std::thread::scope(|scope| {
        for (part, (rows, codes)) in rows.chunks(share * size).zip(codes.chunks_mut(share * size)).enumerate() {
            let one = &one;
            let mut work = move || {
                let groups = rows.chunks(size).zip(codes.chunks_mut(size)).enumerate();
                groups.for_each(|(at, (rows, codes))| one(part * share + at, rows, codes));
            };
            match (part + 1) * share < groups {
                true => drop(scope.spawn(work)),
                false => work(),
            }
        }
    });
    Ok(channels.tensor(&codes))
}

/// Takes the products of the means `a` and `b` of `count` rows out of moments: what is left is about their mean, which
/// a bias makes up for.
pub(crate) fn centre(moments: &mut Array2<f64>, a: &[f64], b: &[f64], count: f64) {
    for (mut row, a) in moments.rows_mut().into_iter().zip(a) {
        row.iter_mut().zip(b).for_each(|(moment, b)| *moment -= count * a * b);
    }
}
