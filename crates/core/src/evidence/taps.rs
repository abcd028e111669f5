//! Sums over the windows of a convolution without its windows: each element of a window sees nearly the same numbers of
//! a picture, which are added up once for all of them.

use super::exact::Digits;
use crate::ir::ops::WindowAxis;

/// What each element of a window sees along one axis, at all places of the window.
pub(super) struct Taps {
    /// What elements of the window see in common: positions in the picture.
    cores: Vec<Vec<usize>>,
    /// For each element, the number of such a core, and what it sees beside it.
    taps: Vec<(usize, Vec<usize>)>,
}

impl Taps {
    pub(super) fn new(axis: &WindowAxis) -> Self {
        let seen = |tap| (0..axis.places).filter_map(|place| axis.at(place, tap)).collect::<Vec<usize>>();
        let all: Vec<Vec<usize>> = (0..axis.taps).map(seen).collect();
        let mut made = Taps { cores: vec![], taps: vec![] };
        let mut classes: Vec<Option<usize>> = vec![];
        for own in &all {
            // Elements that meet anywhere are a stride apart: they differ at the borders alone.
            let class = own.first().map(|first| first % axis.stride);
            let core = classes.iter().position(|other| *other == class).unwrap_or_else(|| {
                let like = all.iter().filter(|other| other.first().map(|first| first % axis.stride) == class);
                let common = |at: &usize| like.clone().all(|other| other.binary_search(at).is_ok());
                made.cores.push(own.iter().copied().filter(common).collect());
                classes.push(class);
                classes.len() - 1
            });
            let common = &made.cores[core];
            let beside = own.iter().copied().filter(|at| common.binary_search(at).is_err()).collect();
            made.taps.push((core, beside));
        }
        made
    }

    /// For each element of the window, the sum of the numbers that it sees.
    pub(super) fn sums(&self, numbers: &[Digits]) -> Vec<Digits> {
        let sum = |mut sum: Digits, positions: &[usize]| {
            positions.iter().for_each(|at| sum.add(numbers[*at]));
            sum
        };
        let cores: Vec<Digits> = self.cores.iter().map(|core| sum(Digits::default(), core)).collect();
        self.taps.iter().map(|(core, beside)| sum(cores[*core], beside)).collect()
    }
}
