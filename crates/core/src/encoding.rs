//! Encodings: how integers stand for real numbers. Affine quantization as in Jacob et al., arXiv 1712.05877, and as
//! ONNX `QuantizeLinear` computes it: `q = clamp(round_half_even(x / scale) + zero_point)`,
//! `x = (q - zero_point) * scale`.

use serde::{Deserialize, Serialize};

/// Integer types of encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntegerType {
    /// 4 bits, signed.
    Int4,
    /// 8 bits, signed.
    Int8,
    /// 8 bits, unsigned.
    Uint8,
    /// 16 bits, signed.
    Int16,
    /// 16 bits, unsigned.
    Uint16,
    /// 32 bits, signed.
    Int32,
}

impl IntegerType {
    /// Number of bits.
    pub fn bits(self) -> u32 {
        match self {
            IntegerType::Int4 => 4,
            IntegerType::Int8 | IntegerType::Uint8 => 8,
            IntegerType::Int16 | IntegerType::Uint16 => 16,
            IntegerType::Int32 => 32,
        }
    }

    /// Bytes of a tensor of these integers; elements of 4 bits are packed two to a byte.
    pub fn bytes_of(self, shape: &[usize]) -> u64 {
        let elements: u64 = shape.iter().map(|&size| size as u64).product();
        (elements * u64::from(self.bits())).div_ceil(8)
    }

    /// Whether negative integers exist.
    pub fn is_signed(self) -> bool {
        !matches!(self, IntegerType::Uint8 | IntegerType::Uint16)
    }

    /// Smallest and largest integer.
    pub fn limits(self) -> (i64, i64) {
        let bits = self.bits();
        if self.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }

    /// The type of this name.
    ///
    /// # Errors
    /// No integer type has this name; the error lists the names that exist.
    pub fn of_name(name: &str) -> Result<Self, String> {
        use IntegerType::*;
        let all = [Int4, Int8, Uint8, Int16, Uint16, Int32];
        let names = || all.map(IntegerType::name).join(", ");
        all.into_iter()
            .find(|known| known.name() == name)
            .ok_or(())
            .map_err(|()| format!("`{name}` is no integer type; there are {}", names()))
    }

    /// Name as in recipes and manifests.
    pub fn name(self) -> &'static str {
        match self {
            IntegerType::Int4 => "int4",
            IntegerType::Int8 => "int8",
            IntegerType::Uint8 => "uint8",
            IntegerType::Int16 => "int16",
            IntegerType::Uint16 => "uint16",
            IntegerType::Int32 => "int32",
        }
    }
}

/// An encoding: one scale and zero point for the whole tensor, or one pair for each index of an axis, or one pair for
/// each block of indices of an axis.
///
/// ```
/// use autoneural_core::encoding::{Encoding, IntegerType};
///
/// // Activations: affine, one scale. The range is widened so that it contains 0.
/// let activations = Encoding::of_range(IntegerType::Uint8, 0.5, 2.55);
/// assert_eq!(activations.zero_point, [0]);
/// assert_eq!(activations.quantize(&[0.0, 1.0, 9.0], &[3]), [0, 100, 255]); // 9.0 saturates
///
/// // Weights of shape [2, 2]: symmetric, one scale for each index of axis 0.
/// let weights = Encoding::symmetric(IntegerType::Int8, &[127.0, 254.0], Some(0));
/// let codes = weights.quantize(&[127.0, -1.0, 254.0, 4.0], &[2, 2]);
/// assert_eq!(codes, [127, -1, 127, 2]);
/// assert_eq!(weights.dequantize(&codes, &[2, 2]), [127.0, -1.0, 254.0, 4.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// The integers.
    pub integer: IntegerType,
    /// The real number that one integer step stands for: one entry, or one for each index of `axis`. With blocks, the
    /// entries are in row-major order of the tensor's shape in which the size of `axis` is replaced by the number of
    /// blocks.
    pub scale: Vec<f32>,
    /// The integer that stands for 0.0, one for each entry of `scale`.
    pub zero_point: Vec<i64>,
    /// The axis along which scales differ; `None` if one scale holds for the whole tensor.
    pub axis: Option<usize>,
    /// With blocks: how many neighbouring indices of `axis` share a scale. Each index of the other axes then has scales
    /// of its own.
    pub block: Option<usize>,
}

/// Bytes of scales: 4 for each channel, and 1 for each block, which has a multiple of its channel's scale (LPBQ).
pub(crate) fn scale_bytes(channels: u64, blocks: u64) -> u64 {
    4 * channels + blocks
}

/// Smallest scale that an encoding gets: below it f32 reciprocals overflow and the NPU's fixed-point multipliers
/// degenerate.
pub(crate) const SMALLEST_SCALE: f32 = 1e-12;

impl Encoding {
    /// Bytes that the scales take beside a constant of this shape: 4 for each, or with blocks 4 for each channel and 1 for
    /// each block. None for the 32-bit integers of biases, whose scales are those of inputs and weights.
    pub fn scale_bytes(&self, shape: &[usize]) -> u64 {
        let entries = self.scale.len() as u64;
        match (self.integer, self.axis.zip(self.block)) {
            (IntegerType::Int32, _) => 0,
            (_, Some((axis, block))) => scale_bytes(entries / shape[axis].div_ceil(block).max(1) as u64, entries),
            (_, None) => scale_bytes(entries, 0),
        }
    }

    /// The affine encoding that covers `low..=high`, widened to contain 0 so that 0.0 is exact.
    pub fn of_range(integer: IntegerType, low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let (least, most) = integer.limits();
        let scale = ((high as f64 - low as f64) / (most - least) as f64).max(SMALLEST_SCALE as f64) as f32;
        let zero_point = (least as f64 - low as f64 / scale as f64).round_ties_even() as i64;
        Encoding {
            integer,
            scale: vec![scale],
            zero_point: vec![zero_point.clamp(least, most)],
            axis: None,
            block: None,
        }
    }

    /// As [`Encoding::of_range`], with a zero point that is a multiple of `step`: the range is widened by up to half a
    /// step of integers.
    pub fn of_range_with_step(integer: IntegerType, low: f32, high: f32, step: i64) -> Self {
        let mut made = Self::of_range(integer, low, high);
        let (least, most) = integer.limits();
        let (below, above) = (f64::from(-low.min(0.0)), f64::from(high.max(0.0)));
        // What is never below zero, or never above it, has its zero point at the end.
        if below > 0.0 && above > 0.0 && step > 1 && step < most - least {
            let (first, last) = (least.div_euclid(step) * step + step, (most - 1).div_euclid(step) * step);
            let nearest = (made.zero_point[0] as f64 / step as f64).round() as i64 * step;
            let zero_point = nearest.clamp(first, last);
            let scale = (below / (zero_point - least) as f64).max(above / (most - zero_point) as f64);
            made.scale[0] = scale.max(f64::from(SMALLEST_SCALE)) as f32;
            made.zero_point[0] = zero_point;
        }
        made
    }

    /// The symmetric encoding (zero point 0) for the largest magnitude of a tensor, or, with an `axis`, for the largest
    /// magnitude at each of its indices. An index at which all numbers are zero is exact under any scale. It gets the
    /// smallest scale of the other indices, which the NPU's multipliers can represent.
    pub fn symmetric(integer: IntegerType, magnitudes: &[f32], axis: Option<usize>) -> Self {
        let most = integer.limits().1 as f32;
        let mut scale: Vec<f32> = magnitudes.iter().map(|&magnitude| magnitude / most).collect();
        let living = scale.iter().copied().filter(|&scale| scale >= SMALLEST_SCALE).fold(f32::INFINITY, f32::min);
        let least = if living.is_finite() { living } else { SMALLEST_SCALE };
        scale.iter_mut().filter(|scale| **scale < SMALLEST_SCALE).for_each(|scale| *scale = least);
        Encoding { integer, scale, zero_point: vec![0; magnitudes.len()], axis, block: None }
    }

    /// How much of [`Encoding::range`] numbers from `low` to `high` use, in percent.
    pub fn range_use_percent(&self, [low, high]: [f32; 2]) -> f64 {
        let [least, most] = self.range();
        let (whole, used) = (f64::from(most) - f64::from(least), f64::from(high.min(most)) - f64::from(low.max(least)));
        if whole > 0.0 { 100.0 * used.max(0.0) / whole } else { 0.0 }
    }

    /// The smallest and the largest real number that the integers reach under the first scale.
    pub fn range(&self) -> [f32; 2] {
        let (least, most) = self.integer.limits();
        let real = |q: i64| ((q - self.zero_point[0]) as f64 * self.scale[0] as f64) as f32;
        [real(least), real(most)]
    }

    /// Shape of the scales as ONNX `DequantizeLinear` takes them, for a tensor of this shape: `[]` for one scale, the
    /// size of the axis for one scale per index, and with blocks the tensor's shape with the number of blocks in place
    /// of the axis's size.
    pub fn scale_shape(&self, shape: &[usize]) -> Vec<usize> {
        match (self.axis, self.block) {
            (None, _) => vec![],
            (Some(_), None) => vec![self.scale.len()],
            (Some(axis), Some(block)) => {
                shape.iter().enumerate().map(|(at, &size)| if at == axis { size / block } else { size }).collect()
            }
        }
    }

    /// Gives, for the row-major position of an element of a tensor of this shape, the entry of `scale` that applies to
    /// it.
    pub(crate) fn entries<'a>(&self, shape: &'a [usize]) -> impl Fn(usize) -> usize + use<'a> {
        let (axis, block) = (self.axis, self.block);
        let inner: usize = axis.map_or(1, |axis| shape[axis + 1..].iter().product());
        move |position| match (axis, block) {
            (None, _) => 0,
            (Some(axis), None) => position / inner % shape[axis],
            (Some(axis), Some(block)) => {
                let (outer, at) = (position / inner / shape[axis], position / inner % shape[axis]);
                (outer * (shape[axis] / block) + at / block) * inner + position % inner
            }
        }
    }

    /// The integers for the real numbers of a tensor of this shape, row-major. Numbers outside the range saturate.
    pub fn quantize(&self, values: &[f32], shape: &[usize]) -> Vec<i32> {
        let one = |value: f32, entry: usize| {
            let (least, most) = self.integer.limits();
            let steps = (value / self.scale[entry]).round_ties_even() as i64;
            steps.saturating_add(self.zero_point[entry]).clamp(least, most) as i32
        };
        // The largest tensors have one scale, or one per index of an axis, and few bits: they take a faster way.
        match (self.axis, self.block) {
            _ if self.integer == IntegerType::Int32 || self.block.is_some() => {
                let entry = self.entries(shape);
                values.iter().enumerate().map(|(position, &value)| one(value, entry(position))).collect()
            }
            (Some(axis), _) if shape[axis + 1..].iter().product::<usize>() == 1 => {
                let mut codes = Vec::with_capacity(values.len());
                let coders: Vec<Coder> = (0..self.scale.len()).map(|entry| self.coder(entry)).collect();
                for row in values.chunks(self.scale.len()) {
                    codes.extend(row.iter().zip(&coders).map(|(&value, coder)| coder.code(value)));
                }
                codes
            }
            (axis, _) => {
                let inner = axis.map_or(values.len(), |axis| shape[axis + 1..].iter().product());
                let mut codes = Vec::with_capacity(values.len());
                for (index, run) in values.chunks(inner.max(1)).enumerate() {
                    let coder = self.coder(index % self.scale.len());
                    codes.extend(run.iter().map(|&value| coder.code(value)));
                }
                codes
            }
        }
    }

    /// What makes integers of at most 16 bits for an entry of `scale`.
    fn coder(&self, entry: usize) -> Coder {
        let ((least, most), zero_point) = (self.integer.limits(), self.zero_point[entry]);
        let [least, most] = [least, most].map(|limit| (limit - zero_point) as f32);
        Coder { scale: self.scale[entry], least, most, zero_point: zero_point as i32 }
    }

    /// The real numbers that the integers of a tensor of this shape stand for, row-major.
    pub fn dequantize(&self, codes: &[i32], shape: &[usize]) -> Vec<f32> {
        let entry = self.entries(shape);
        codes
            .iter()
            .enumerate()
            .map(|(position, &code)| {
                let entry = entry(position);
                (i64::from(code) - self.zero_point[entry]) as f32 * self.scale[entry]
            })
            .collect()
    }

    /// The real numbers that the integers of these real numbers stand for: [`Encoding::dequantize`] of
    /// [`Encoding::quantize`], without the integers in between where one scale of at most 16 bits is for all.
    pub fn through(&self, values: &[f32], shape: &[usize]) -> Vec<f32> {
        let &[scale] = &self.scale[..] else {
            return self.dequantize(&self.quantize(values, shape), shape);
        };
        if self.integer == IntegerType::Int32 {
            return self.dequantize(&self.quantize(values, shape), shape);
        }
        let coder = self.coder(0);
        values.iter().map(|&value| coder.steps(value) as f32 * scale).collect()
    }
}

/// Makes integers of at most 16 bits of real numbers by one scale. Nothing here branches, so that the compiler makes
/// several at once.
struct Coder {
    scale: f32,
    /// The fewest and the most steps of `scale` that the integers hold.
    least: f32,
    most: f32,
    zero_point: i32,
}

impl Coder {
    /// The integer for a real number.
    #[inline]
    fn code(&self, value: f32) -> i32 {
        self.steps(value) + self.zero_point
    }

    /// The nearest number of steps, ties to even, that the integers hold.
    #[inline]
    fn steps(&self, value: f32) -> i32 {
        let steps = value / self.scale;
        let steps = if steps > self.least { steps } else { self.least };
        let steps = if steps < self.most { steps } else { self.most };
        // The limits are whole numbers, so what lies between them is rounded to one between them.
        (steps + ROUND).to_bits() as i32 - ROUND.to_bits() as i32
    }
}

/// The largest magnitude at each index of an axis; without an axis, that of the whole tensor.
pub(crate) fn magnitudes(values: &[f32], shape: &[usize], axis: Option<usize>) -> Vec<f32> {
    let Some(axis) = axis else { return vec![values.iter().fold(0.0, |most, value| value.abs().max(most))] };
    let inner: usize = shape[axis + 1..].iter().product();
    let mut made = vec![0f32; shape[axis]];
    for rows in values.chunks_exact(inner * made.len()) {
        if inner == 1 {
            made.iter_mut().zip(rows).for_each(|(most, value)| *most = most.max(value.abs()));
            continue;
        }
        for (most, row) in made.iter_mut().zip(rows.chunks_exact(inner)) {
            *most = row.iter().fold(*most, |most, value| most.max(value.abs()));
        }
    }
    made
}

/// At 2^23 and above f32 holds whole numbers only, one for each pattern of bits, so adding this and subtracting it again
/// rounds numbers up to 2^22, ties to even, in fewer instructions than a call. It is 1.5 * 2^23, which leaves room for
/// negative numbers.
const ROUND: f32 = 12_582_912.0;

/// The nearest whole number, ties to even, of a number of steps for an integer of at most 16 bits: beyond 2^20 steps,
/// where any such integer saturates, 2^20.
#[inline]
pub(crate) fn round(steps: f32) -> f32 {
    const FAR: f32 = 1_048_576.0;
    (steps.clamp(-FAR, FAR) + ROUND) - ROUND
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scales_are_counted_by_hand() {
        let of = |integer, entries: usize, axis, block| {
            let (scale, zero_point) = (vec![1.0; entries], vec![0; entries]);
            Encoding { integer, scale, zero_point, axis, block }.scale_bytes(&[10, 64])
        };
        assert_eq!(of(IntegerType::Int8, 1, None, None), 4);
        assert_eq!(of(IntegerType::Int8, 10, Some(0), None), 40);
        // 10 channels of two blocks each.
        assert_eq!(of(IntegerType::Int4, 20, Some(1), Some(32)), 10 * 4 + 20);
        assert_eq!(of(IntegerType::Int32, 10, Some(0), None), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn codes_are_the_nearest_integers_ties_to_even(
            values in prop::collection::vec(
                prop_oneof![-1e30f32..1e30, -100f32..100., (-9..9i32).prop_map(|v| v as f32 / 2.)],
                24,
            ),
            scales in prop::collection::vec(prop_oneof![1e-12f32..1e-6, 1e-3f32..10., Just(1.0)], 4),
            zero_point in 0i64..256,
            axis in 0usize..3,
        ) {
            let shape = [[4, 3, 2], [3, 4, 2], [2, 3, 4]][axis];
            let per_axis = Encoding {
                integer: IntegerType::Uint8,
                zero_point: vec![zero_point; 4],
                scale: scales.clone(),
                axis: Some(axis),
                block: None,
            };
            let whole = Encoding {
                axis: None,
                scale: vec![scales[0]],
                zero_point: vec![zero_point],
                integer: IntegerType::Uint16,
                block: None,
            };
            for encoding in [per_axis, whole] {
                let (least, most) = encoding.integer.limits();
                let entry = encoding.entries(&shape);
                let codes = encoding.quantize(&values, &shape);
                for (position, (&value, code)) in values.iter().zip(codes).enumerate() {
                    let steps = (value / encoding.scale[entry(position)]).round_ties_even() as i64;
                    prop_assert_eq!(i64::from(code), steps.saturating_add(zero_point).clamp(least, most));
                }
                let back = encoding.dequantize(&encoding.quantize(&values, &shape), &shape);
                prop_assert_eq!(encoding.through(&values, &shape), back);
            }
        }
    }

    #[test]
    fn every_block_has_a_scale_of_its_own() {
        // Four input channels in blocks of two, three output channels.
        let values = [1., 2., 3., -4., 5., 6., 70., 80., 90., 10., 20., -30.];
        let scale = [4., 5., 6., 70., 80., 90.].map(|most: f32| most / 127.0).to_vec();
        let (integer, zero_point) = (IntegerType::Int8, vec![0; 6]);
        let encoding = Encoding { integer, scale, zero_point, axis: Some(0), block: Some(2) };
        let back = encoding.dequantize(&encoding.quantize(&values, &[4, 3]), &[4, 3]);
        for (value, back) in values.iter().zip(back) {
            assert!((value - back).abs() <= 90.0 / 254.0, "{value} became {back}");
        }
    }
}
