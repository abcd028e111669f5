//! How much a template may do.

/// Steps that a template may take; one for a message takes some dozens a message.
pub const MOST_STEPS: u64 = 10_000_000;
/// Most bytes that a template may write.
pub const MOST_TEXT: usize = 16 << 20;
