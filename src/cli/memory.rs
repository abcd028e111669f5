//! The program's memory. It is the system's, and tensors keep theirs for a while: the next layer of a model wants blocks
//! of the same sizes, and the system fills each block that it gives with zeros.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether memory was asked for that was not to be had.
pub static REFUSED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which remembers that it had no memory: the program ends by a signal then, and says nothing
/// else. It asks for large pages where much is taken at once, and keeps some large blocks that were given back.
pub struct Remembering;

// SAFETY: blocks are the system's, and go back to it under the layout that they were made with.
unsafe impl GlobalAlloc for Remembering {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(block) = KEPT.take(layout) {
            return block;
        }
        let at = unsafe { System.alloc(layout) };
        if !at.is_null() {
            return seen(at, layout.size());
        }
        KEPT.clear();
        seen(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if !KEPT.keep(at, layout) {
            unsafe { System.dealloc(at, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        seen(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        seen(unsafe { System.realloc(at, layout, size) }, size)
    }
}

/// Memory of at least this many bytes is that of tensors. It comes from the system and goes back to it each time, page by
/// page: with small ones that takes longer than what is done with the numbers.
const MUCH: usize = 4 << 20;
/// Size of a small page; with others the system does not take the advice.
const PAGE: usize = 1 << 12;

fn seen(at: *mut u8, size: usize) -> *mut u8 {
    if at.is_null() {
        REFUSED.store(true, Ordering::Relaxed);
    } else if size >= MUCH {
        // All pages that it touches: as one piece it can still grow in its place, and needs no copy.
        let start = at.map_addr(|address| address / PAGE * PAGE);
        let length = (at.addr() - start.addr() + size).next_multiple_of(PAGE);
        // SAFETY: these pages belong to the process. The advice changes no contents; where the system does not take it,
        // pages stay small.
        unsafe {
            libc::madvise(start.cast(), length, libc::MADV_HUGEPAGE);
        }
    }
    at
}

/// Most blocks that are kept.
const BLOCKS: usize = 4;
/// Most bytes that are kept.
const BYTES: usize = 192 << 20;

static KEPT: Kept = Kept { is_busy: AtomicBool::new(false), blocks: UnsafeCell::new([None; BLOCKS]) };

/// Large blocks that were given back, the oldest first. Nobody waits for it: who finds it busy does without.
struct Kept {
    is_busy: AtomicBool,
    blocks: UnsafeCell<[Option<(*mut u8, Layout)>; BLOCKS]>,
}

// SAFETY: the blocks are touched only by who made the flag true.
unsafe impl Sync for Kept {}

impl Kept {
    /// Does something with the blocks, if nobody else does.
    fn with<T>(&self, act: impl FnOnce(&mut [Option<(*mut u8, Layout)>; BLOCKS]) -> T) -> Option<T> {
        if self.is_busy.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: the flag was false, so this is the only reference.
        let made = act(unsafe { &mut *self.blocks.get() });
        self.is_busy.store(false, Ordering::Release);
        Some(made)
    }

    /// A block of this size, whatever is in it.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() < MUCH {
            return None;
        }
        self.with(|blocks| {
            let at = blocks.iter().position(|block| block.is_some_and(|(_, kept)| kept == layout))?;
            let (block, _) = blocks[at].take()?;
            blocks[at..].rotate_left(1);
            Some(block)
        })?
    }

    /// Keeps a block; gives whether it did.
    fn keep(&self, block: *mut u8, layout: Layout) -> bool {
        if layout.size() < MUCH || layout.size() > BYTES {
            return false;
        }
        let kept = self.with(|blocks| {
            let total = |blocks: &[Option<(*mut u8, Layout)>; BLOCKS]| -> usize {
                blocks.iter().flatten().map(|(_, layout)| layout.size()).sum()
            };
            while blocks[BLOCKS - 1].is_some() || total(blocks) + layout.size() > BYTES {
                give_back(blocks[0].take());
                blocks.rotate_left(1);
            }
            let free = blocks.iter().position(Option::is_none).unwrap_or(BLOCKS - 1);
            blocks[free] = Some((block, layout));
        });
        kept.is_some()
    }

    /// Gives everything back to the system.
    fn clear(&self) {
        self.with(|blocks| blocks.iter_mut().for_each(|block| give_back(block.take())));
    }
}

fn give_back(block: Option<(*mut u8, Layout)>) {
    if let Some((at, layout)) = block {
        // SAFETY: it came from the system under this layout, and nobody else has it.
        unsafe { System.dealloc(at, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_for_the_same_layout_alone_and_few_are_kept() {
        let kept = Kept { is_busy: AtomicBool::new(false), blocks: UnsafeCell::new([None; BLOCKS]) };
        let layout = |size| Layout::from_size_align(size, 64).unwrap();
        // SAFETY: none of these layouts is empty.
        let new = |size| unsafe { System.alloc(layout(size)) };
        let all: Vec<*mut u8> = (0..BLOCKS + 2).map(|at| new(MUCH + 64 * at)).collect();
        for (at, &block) in all.iter().enumerate() {
            assert!(kept.keep(block, layout(MUCH + 64 * at)));
        }
        assert_eq!((kept.take(layout(MUCH)), kept.take(layout(MUCH + 64))), (None, None));
        let other = Layout::from_size_align(MUCH + 128, 32).unwrap();
        assert_eq!((kept.take(other), kept.take(layout(MUCH + 128))), (None, Some(all[2])));
        assert_eq!(kept.take(layout(MUCH + 128)), None);
        // The last of many bytes drives the others out.
        let large = new(BYTES - 1);
        assert!(kept.keep(all[2], layout(MUCH + 128)) && kept.keep(large, layout(BYTES - 1)));
        assert_eq!((kept.take(layout(MUCH + 192)), kept.take(layout(BYTES - 1))), (None, Some(large)));
        assert!(!kept.keep(large, layout(BYTES + 1)) && !kept.keep(large, layout(1)));
        give_back(Some((large, layout(BYTES - 1))));
        kept.clear();
    }
}
