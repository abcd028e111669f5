//! The process before it begins: what must be so before other threads and other people's code run.

use std::sync::atomic::{AtomicBool, Ordering};

use super::memory::REFUSED;
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
