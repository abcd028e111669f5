//! Panics of other people's code, as errors. Our own code does not panic on input; a library it calls may.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it becomes the text it panicked with.
///
/// # Errors
/// `work` panicked.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_string()
    })
}

/// For a thread that works for others, to which its panics come back: they become errors there.
pub fn contain_thread() {
    CONTAINED.set(true);
}

/// Whether a panic on this thread would become an error, so that nothing need be printed about it.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| assert!(is_contained())), Ok(()));
        let text = "five";
        assert_eq!(contain(|| -> u8 { panic!("{text}") }), Err("five".to_string()));
        assert!(!is_contained());
    }
}
