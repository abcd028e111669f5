//! What a person should know of a checkpoint that is nevertheless taken.

use super::{Checkpoint, Definition, Layout, contradictions};
use crate::warning::Warning;

/// The stage that takes checkpoints.
const STAGE: &str = "export";

/// Warnings about a checkpoint: files that are not read, biases that are zero, a configuration that says something else
/// than the definition.
pub fn warnings(checkpoint: &Checkpoint, definition: &Definition, layout: &Layout) -> Vec<Warning> {
    let mut made = Vec::new();
    for file in checkpoint.unread() {
        let message = "is not read: the index beside it names other files";
        let help = "give the file itself with --weights, if it is the one that is meant";
        made.push(Warning::new(STAGE, file.display(), message).help(help));
    }
    if let Some(first) = layout.zero.first() {
        let more = if layout.zero.len() > 1 { format!(" (and {} more)", layout.zero.len() - 1) } else { String::new() };
        let place = format!("{}: `{first}`", checkpoint.path().display());
        let message = format!("is not in the checkpoint{more}: the layer is taken as one without a bias");
        made.push(Warning::new(STAGE, place, message));
    }
    made.extend(contradictions(checkpoint.folder(), definition));
    made
}
