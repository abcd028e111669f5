//! Which places of the program a case came by, where it was built to count them (`make fuzz` does; see
//! `tools/fuzz_rustc.sh`). Without that, what a reader says of an input stands in for it.

/// Places by how often they were come by: a bit for each power of two.
#[derive(Default)]
pub struct Seen(Vec<u8>);

impl Seen {
    /// Adds what was counted since [`reset`]; whether anything of it is new.
    pub fn add(&mut self) -> bool {
        let counters = counters();
        self.0.resize(counters.len(), 0);
        let mut new = false;
        for (seen, &count) in self.0.iter_mut().zip(counters.iter()) {
            if count > 0 {
                let bit = 1 << (u64::BITS - count.leading_zeros()).min(8).saturating_sub(1);
                new |= *seen & bit == 0;
                *seen |= bit;
            }
        }
        new
    }

    /// Number of places that were come by.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|seen| **seen > 0).count()
    }
}

/// Begins to count anew.
pub fn reset() {
    counters().fill(0);
}

#[cfg(fuzz_coverage)]
fn counters() -> &'static mut [u64] {
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *mut u64;
        fn __llvm_profile_end_counters() -> *mut u64;
    }
    // SAFETY: the compiler's counters, between its two marks; a case has ended or not begun, so nothing else counts.
    unsafe {
        let (begin, end) = (__llvm_profile_begin_counters(), __llvm_profile_end_counters());
        std::slice::from_raw_parts_mut(begin, end.offset_from_unsigned(begin))
    }
}

#[cfg(not(fuzz_coverage))]
fn counters() -> &'static mut [u64] {
    &mut []
}
