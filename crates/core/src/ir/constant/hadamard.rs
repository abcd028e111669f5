//! Hadamard transforms: rotations that spread a number over a block of numbers, and are their own inverse.

/// Replaces every `block` numbers that are `stride` apart by their Hadamard transform (Sylvester's matrix of this size
/// over its square root, which is symmetric and orthogonal), in `block log2(block)` sums. `block` is a power of two, and
/// there are whole blocks.
pub fn hadamard(values: &mut [f32], block: usize, stride: usize) {
    let scale = (block as f32).sqrt().recip();
    for chunk in values.chunks_exact_mut((block * stride).max(1)) {
        let mut half = 1;
        while half < block {
            for pair in chunk.chunks_exact_mut(2 * half * stride) {
                let (low, high) = pair.split_at_mut(half * stride);
                for (low, high) in low.iter_mut().zip(high) {
                    (*low, *high) = (*low + *high, *low - *high);
                }
            }
            half *= 2;
        }
        chunk.iter_mut().for_each(|value| *value *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sylvesters_matrix() {
        for (block, stride) in [(1, 1), (2, 3), (8, 1), (16, 5)] {
            for from in 0..block {
                let mut values = vec![0f32; 2 * block * stride];
                values[block * stride + from * stride + stride - 1] = 1.0;
                hadamard(&mut values, block, stride);
                for (at, value) in values.iter().enumerate() {
                    let (row, column) = (at / stride % block, at % stride);
                    let is_touched = at >= block * stride && column == stride - 1;
                    let sign = if (row & from).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
                    let wanted = if is_touched { sign / (block as f32).sqrt() } else { 0.0 };
                    assert!((value - wanted).abs() < 1e-6, "{block} {stride} {from} {at}: {value} {wanted}");
                }
            }
        }
    }

    #[test]
    fn it_is_its_own_inverse() {
        let numbers: Vec<f32> = (0..96).map(|at| ((at * 37) % 23) as f32 - 11.0).collect();
        let mut made = numbers.clone();
        hadamard(&mut made, 16, 3);
        hadamard(&mut made, 16, 3);
        assert!(made.iter().zip(&numbers).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
