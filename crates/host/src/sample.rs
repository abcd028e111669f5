//! The next token from logits: the best one, or one drawn by chance.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Position of the largest number, the first of several. NaN is never the largest.
pub fn best(logits: &[f32]) -> u32 {
    let larger = |best: usize, at: usize| if logits[at] > logits[best] || logits[best].is_nan() { at } else { best };
    (0..logits.len()).reduce(larger).unwrap_or(0) as u32
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the best token always.
    pub temperature: f32,
    /// Only the most likely tokens that together have this share of probability are drawn from.
    pub top_p: f32,
    /// Only so many of the most likely tokens are drawn from.
    pub top_k: Option<usize>,
    /// Where chance begins; the same seed draws the same tokens from the same logits.
    pub seed: u64,
}

/// Chooses tokens, one after the other.
pub struct Sampler {
    /// None: always the best token.
    chance: Option<(Sampling, ChaCha8Rng)>,
}

impl Sampler {
    /// Takes the best token always.
    pub fn greedy() -> Self {
        Sampler { chance: None }
    }

    /// Draws tokens by chance.
    pub fn new(sampling: Sampling) -> Self {
        let random = ChaCha8Rng::seed_from_u64(sampling.seed);
        Sampler { chance: (sampling.temperature > 0.0).then_some((sampling, random)) }
    }

    /// The next token.
    pub fn pick(&mut self, logits: &[f32]) -> u32 {
        let Some((sampling, random)) = &mut self.chance else { return best(logits) };
        let candidates = candidates(logits, sampling);
        let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
        // 53 random bits: every f64 between 0 and 1 that is a multiple of 2^-53.
        let mut left = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * total;
        for &(token, weight) in &candidates {
            if left < weight {
                return token;
            }
            left -= weight;
        }
        candidates.last().map_or_else(|| best(logits), |&(token, _)| token)
    }
}

/// The tokens that can be drawn, most likely first, with weights of which the first is 1.
fn candidates(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f64)> {
    let mut order: Vec<u32> = (0..logits.len() as u32).filter(|&token| !logits[token as usize].is_nan()).collect();
    order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    order.truncate(sampling.top_k.unwrap_or(usize::MAX));
    let Some(&first) = order.first() else { return vec![] };
    let highest = f64::from(logits[first as usize]);
    let weight = |token: u32| {
        let below = f64::from(logits[token as usize]) - highest;
        // Infinities of one sign have no difference; they are as likely as the first.
        if below.is_nan() { 1.0 } else { (below / f64::from(sampling.temperature)).exp() }
    };
    let mut made: Vec<(u32, f64)> = order.into_iter().map(|token| (token, weight(token))).collect();
    let share = made.iter().map(|(_, weight)| weight).sum::<f64>() * f64::from(sampling.top_p);
    let mut sum = 0.0;
    let enough = made.iter().position(|(_, weight)| {
        sum += weight;
        sum >= share
    });
    made.truncate(enough.map_or(made.len(), |last| last + 1));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [1.0, 3.0, f32::NAN, 2.0];

    fn sampling(temperature: f32, top_p: f32, top_k: Option<usize>) -> Sampling {
        Sampling { temperature, top_p, top_k, seed: 7 }
    }

    #[test]
    fn the_best_is_the_first_of_the_largest_and_no_nan() {
        assert_eq!(best(&[f32::NAN, 2.0, 5.0, 5.0]), 2);
        assert_eq!(best(&LOGITS), 1);
        assert_eq!(best(&[]), 0);
    }

    #[test]
    fn temperature_zero_and_narrow_limits_take_the_best() {
        for narrow in [sampling(0.0, 1.0, None), sampling(1.0, 1.0, Some(1)), sampling(1.0, 0.1, None)] {
            let mut sampler = Sampler::new(narrow);
            assert!((0..50).all(|_| sampler.pick(&LOGITS) == 1));
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let mut sampler = Sampler::new(sampling(1.0, 1.0, None));
        let mut drawn = [0.0; 4];
        (0..20_000).for_each(|_| drawn[sampler.pick(&LOGITS) as usize] += 1.0 / 20_000.0);
        let total: f64 = [1.0f64, 2.0, 3.0].iter().map(|logit| logit.exp()).sum();
        for (token, logit) in [(0, 1.0f64), (1, 3.0), (3, 2.0)] {
            assert!((drawn[token] - logit.exp() / total).abs() < 0.02, "{drawn:?}");
        }
        assert_eq!(drawn[2], 0.0);
    }

    #[test]
    fn limits_leave_the_most_likely() {
        let tokens = |sampling| candidates(&LOGITS, &sampling).iter().map(|c| c.0).collect::<Vec<_>>();
        assert_eq!(tokens(sampling(1.0, 1.0, Some(2))), [1, 3]);
        // Shares are 67, 24 and 9 percent.
        assert_eq!(tokens(sampling(1.0, 0.7, None)), [1, 3]);
        assert_eq!(tokens(sampling(1.0, 1.0, None)), [1, 3, 0]);
    }
}
