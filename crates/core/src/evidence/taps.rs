//! Sums over the windows of a convolution without its windows: each element of a window sees nearly the same numbers of
//! a picture, which are added up once for all of them.

use crate::ir::ops::{Run, WindowAxis};

/// What each element of a window sees along one axis, at all places of the window.
pub(super) struct Taps {
    stride: usize,
    /// What elements of the window see in common. Elements see positions a stride apart: those with the same remainder
    /// differ at the borders alone.
    cores: Vec<Run>,
    /// For each element that sees something, the number of its core, and what it sees before and behind that.
    taps: Vec<Option<(usize, [Run; 2])>>,
}

impl Taps {
    pub(super) fn new(axis: &WindowAxis) -> Self {
        let stride = axis.stride;
        let runs = || (0..axis.taps).map(|tap| axis.run(tap));
        let seen: Vec<Run> = runs().filter(|run| run.count > 0).collect();
        let mut remainders: Vec<usize> = seen.iter().map(|run| run.first % stride).collect();
        remainders.sort_unstable();
        remainders.dedup();
        let core = |wanted: &usize| {
            let like = || seen.iter().filter(|run| run.first % stride == *wanted);
            let first = like().map(|run| run.first).max().unwrap_or(0);
            let end = like().map(|run| run.first + run.count * stride).min().unwrap_or(0);
            Run { first, count: end.saturating_sub(first) / stride }
        };
        let cores: Vec<Run> = remainders.iter().map(core).collect();
        let tap = |run: Run| {
            let at = remainders.binary_search(&(run.first % stride)).ok().filter(|_| run.count > 0)?;
            let core = cores[at];
            let before = ((core.first - run.first) / stride).min(run.count);
            let behind = run.count.saturating_sub(before + core.count);
            let first = core.first + core.count * stride;
            Some((at, [Run { count: before, ..run }, Run { first, count: behind }]))
        };
        Taps { stride, taps: runs().map(tap).collect(), cores }
    }

    /// For each element of the window, the sum of what it sees: from `nothing` on, `add` adds what stands at a position.
    pub(super) fn sums<T: Clone>(&self, nothing: &T, add: impl Fn(&mut T, usize)) -> Vec<T> {
        let with = |mut sum: T, run: &Run| {
            (0..run.count).for_each(|at| add(&mut sum, run.first + at * self.stride));
            sum
        };
        let cores: Vec<T> = self.cores.iter().map(|core| with(nothing.clone(), core)).collect();
        let tap = |tap: &Option<(usize, [Run; 2])>| {
            tap.as_ref().map_or(nothing.clone(), |(core, beside)| beside.iter().fold(cores[*core].clone(), with))
        };
        self.taps.iter().map(tap).collect()
    }
}
