//! The process before it begins: what must be so before other threads and other people's code run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use autoneural::back::qnn;
use autoneural::error::Kind;

/// Called first of all, in the only thread.
pub fn prepare() {
    // Where it fails, loading the libraries will say so.
    let _ = qnn::quiet();
    // SAFETY: nothing else runs yet. The first makes a file that grows too large an error of the write, in place of the
    // end; the second only calls what a handler of signals may call.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::signal(libc::SIGABRT, aborted as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

/// Whether memory was asked for that was not to be had.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which remembers that it had no memory: the program ends by a signal then, and says nothing
/// else. It asks for large pages where much is taken at once.
pub struct Remembering;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Remembering {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        seen(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
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

/// Whether errors are told as JSON.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Chooses how the end of memory is told.
pub fn tell_as_json(json: bool) {
    AS_JSON.store(json, Ordering::Relaxed);
}

/// What is said where memory ran out. Nothing can be made any more, so it is whole as it is.
const SAID: &str = "error: memory ran out\n  help: raise the limit of this process (`ulimit -v`), end other programs, \
                    or take a machine with more memory\n";
/// The same as JSON.
const SAID_AS_JSON: &str = "{\"error\":{\"kind\":\"io\",\"place\":\"memory\",\"message\":\"memory ran \
                            out\",\"help\":\"raise the limit of this process (`ulimit -v`), end other programs, or \
                            take a machine with more memory\",\"exit_status\":4}}\n";

/// Handles the signal by which the program ends itself: where memory ran out, with the exit status of what the system
/// refused.
extern "C" fn aborted(_: libc::c_int) {
    // SAFETY: these may be called in a handler.
    unsafe {
        if REFUSED.load(Ordering::Relaxed) {
            let said = if AS_JSON.load(Ordering::Relaxed) { SAID_AS_JSON } else { SAID };
            libc::write(libc::STDERR_FILENO, said.as_ptr().cast(), said.len());
            libc::_exit(Kind::Io.exit_status().into());
        }
        libc::signal(libc::SIGABRT, libc::SIG_DFL);
        libc::raise(libc::SIGABRT);
    }
}
