//! Warnings about a checkpoint that is accepted nevertheless.

use super::hub::{Holds, contradictions};
use super::preprocessor::other_preprocessing;
use super::{Checkpoint, Definition, Layout, SetAside};
use autoneural_base::warning::Warning;

/// The stage that takes checkpoints.
const STAGE: &str = "export";

/// Warnings about a checkpoint: files that are not read, biases that are zero, a configuration that says something else
/// than the definition, folders that contradict each other.
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
    for set_aside in &layout.set_aside {
        let SetAside { part, place, tensors, taken_from } = set_aside;
        let message =
            format!("{tensors} tensors of the {part} part are not read: --weights takes it from {taken_from}");
        made.push(Warning::new(STAGE, place, message));
    }
    // Where it cannot be told which files are meant, export refuses them.
    let Ok(beside) = checkpoint.beside(definition) else { return made };
    made.extend(beside.warnings.iter().cloned());
    for folder in &beside.folders {
        let holds = Holds { language: folder == beside.language(), vision: beside.vision.as_ref() == Some(folder) };
        made.extend(contradictions(folder, holds, definition));
        made.extend(definition.vision().into_iter().flat_map(|vision| other_preprocessing(folder, vision)));
    }
    made
}
