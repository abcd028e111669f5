//! Chance that can be repeated: the same seed, target and case give the same choices.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, target: &str, case: u64) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(case.to_le_bytes())
            .chain_update(target)
            .finalize();
        Dice(ChaCha8Rng::from_seed(digest.into()))
    }

    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Small numbers often, large ones seldom: 1 to 2 half of the time, up to `most`.
    pub fn few(&mut self, most: usize) -> usize {
        let size = self.below(usize::BITS as usize - most.leading_zeros() as usize);
        1 + self.below((2 << size).min(most))
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut made = vec![0; count];
        self.0.fill_bytes(&mut made);
        made
    }
}
