//! The numbers of one tensor as bfloat16, from its recipe and the seed.

use std::sync::Mutex;

use half::bf16;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::random::{HeavyTails, exp, generator, normal};
use super::recipe::{Kind, Recipe};
use autoneural_base::machine::threads;

/// Elements that share one stream of random numbers; whole rows, at least one.
const BLOCK: usize = 1 << 16;
/// Elements that are made before they are handed over; a block at least.
const AT_ONCE: usize = 1 << 24;

/// Makes the numbers of a tensor (as stored bytes) and hands them to `give` in pieces, in order.
///
/// The result depends on seed, name, shape and recipe, not on how many threads there are.
///
/// # Errors
/// `give` fails.
pub(crate) fn fill<E>(
    seed: u64,
    name: &str,
    shape: &[usize],
    recipe: &Recipe,
    give: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut random = generator(seed, name);
    let elements: usize = shape.iter().product();
    if recipe.kind == Kind::Gains {
        let mut gains = log_normal(&mut random, elements, recipe.spread);
        recipe.outliers.iter().for_each(|outlier| gains[outlier.channel] *= outlier.factor);
        let bytes: Vec<u8> = gains.iter().flat_map(|gain| stored((gain * recipe.scale) as f32)).collect();
        return give(&bytes);
    }
    let rows = Rows::new(&mut random, elements, shape, recipe);
    let block = (BLOCK / rows.length()).max(1);
    let at_once = block * (AT_ONCE / (block * rows.length())).max(1);
    let count = rows.scales.len();
    let mut bytes = Vec::new();
    for first in (0..count).step_by(at_once) {
        let here = (count - first).min(at_once);
        bytes.resize(here * rows.length() * 2, 0);
        let blocks = Mutex::new(bytes.chunks_mut(block * rows.length() * 2).enumerate());
        let work = || {
            let next = || blocks.lock().ok().and_then(|mut blocks| blocks.next());
            while let Some((index, bytes)) = next() {
                rows.fill(&random, first + index * block, bytes);
            }
        };
        let threads = threads().min(here.div_ceil(block));
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        give(&bytes)?;
    }
    Ok(())
}

/// A tensor as rows of one output channel each: element `(i, j)` is `scales[i] * columns[j] * t + offsets[j]`.
struct Rows {
    scales: Vec<f32>,
    columns: Vec<f32>,
    offsets: Vec<f32>,
}

impl Rows {
    fn new(random: &mut ChaCha8Rng, elements: usize, shape: &[usize], recipe: &Recipe) -> Self {
        let count = if recipe.kind == Kind::Offsets { 1 } else { shape[0] };
        let length = elements / count;
        let mut scales = unit(log_normal(random, count, recipe.spread));
        let mut columns = vec![1.0; length];
        let mut offsets = vec![0.0; length];
        match recipe.kind {
            Kind::Matrix => {
                recipe.outliers.iter().for_each(|outlier| scales[outlier.channel] *= outlier.factor);
                // All taps of one input channel share its scale.
                let channels = shape.get(1).copied().unwrap_or(1);
                let of_channels = unit(log_normal(random, channels, recipe.spread / 2.0));
                columns.iter_mut().enumerate().for_each(|(j, column)| *column = of_channels[j * channels / length]);
            }
            Kind::Table | Kind::Offsets => {
                for outlier in &recipe.outliers {
                    offsets[outlier.channel] = (outlier.factor * outlier.sign * recipe.scale) as f32;
                }
            }
            Kind::Gains => {}
        }
        let single = |values: Vec<f64>, factor: f64| values.iter().map(|value| (value * factor) as f32).collect();
        Rows { scales: single(scales, recipe.scale), columns: single(columns, 1.0), offsets }
    }

    fn length(&self) -> usize {
        self.columns.len()
    }

    /// Fills `bytes` with the rows from `first` on, whose random numbers are a stream of their own.
    fn fill(&self, random: &ChaCha8Rng, first: usize, bytes: &mut [u8]) {
        let (table, mut random) = (HeavyTails::table(), random.clone());
        random.set_stream(1 + first as u64);
        random.set_word_pos(0);
        let mut bits = vec![0; self.length() * 4];
        for (row, &scale) in bytes.chunks_exact_mut(self.length() * 2).zip(&self.scales[first..]) {
            random.fill_bytes(&mut bits);
            let channels = self.columns.iter().zip(&self.offsets);
            for ((out, bits), (column, offset)) in row.chunks_exact_mut(2).zip(bits.chunks_exact(4)).zip(channels) {
                let drawn = table.pick(u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]));
                out.copy_from_slice(&stored(scale * column * drawn + offset));
            }
        }
    }
}

fn stored(value: f32) -> [u8; 2] {
    bf16::from_f32(value).to_le_bytes()
}

/// Positive numbers with median 1 whose logarithms have this standard deviation.
fn log_normal(random: &mut ChaCha8Rng, count: usize, spread: f64) -> Vec<f64> {
    (0..count).map(|_| exp(spread * normal(random))).collect()
}

/// The same numbers with mean square 1.
fn unit(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value /= mean.sqrt());
    values
}
