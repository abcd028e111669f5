//! The threads among which tract shares its work.

use std::sync::{Arc, Once};

use rayon::ThreadPoolBuilder;
use tract_linalg::multithread::{Executor, set_default_executor};

use autoneural_base::contain::contain_thread;
use autoneural_base::machine::threads;

/// Lets tract use all cores. Its results are the same to the last bit: each element is computed on one thread, in the
/// same order. Where the machine grants no further threads, it goes on with one.
pub(super) fn use_all_cores() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if threads() > 1
            && let Ok(pool) =
                ThreadPoolBuilder::new().num_threads(threads()).start_handler(|_| contain_thread()).build()
        {
            set_default_executor(Executor::MultiThread(Arc::new(pool)));
        }
    });
}
