//! Export: definition and checkpoint become lowered graphs, float models and what the host needs.

use std::path::Path;

use crate::back::bundle::{Bundle, Stage, write_partition};
use crate::back::onnx::{DataFiles, emit_float};
use crate::error::{Error, IoContext, Result};
use crate::front::{Checkpoint, Definition, build};
use crate::host::{CHAT_TEMPLATE, Embeddings, TOKENIZER, Tokenizer, find_template};
use crate::partition::partition;
use crate::progress::Progress;
use crate::target::Target;

/// Runs the stage.
pub fn export(
    bundle: &mut Bundle,
    definition_path: &Path,
    weights: &Path,
    target: &Target,
    target_text: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let definition_text = crate::text::read(definition_path)?;
    let definition = Definition::parse(&definition_text, definition_path)?;
    let checkpoint = Checkpoint::open(weights)?;
    // Only later stages need the tokenizer; a wrong one is better told now.
    Tokenizer::read(checkpoint.folder(), &definition)?;
    let template = find_template(checkpoint.folder())?;
    bundle.stage(Stage::Export, |_, folder| {
        // Errors about the checkpoint name its files; the others are about graphs that the definition asks for.
        let of_definition = |error: Error| match error.place.starts_with(&*weights.to_string_lossy()) {
            true => error,
            false => error.within(definition_path.display()),
        };
        let model = build(&definition, &checkpoint, progress).map_err(of_definition)?;
        let partitions = partition(&model, &definition, target).map_err(of_definition)?;
        progress.start("export", partitions.len() as u64);
        let mut data = DataFiles::new(folder);
        for partition in &partitions {
            progress.begin(&partition.name);
            let writer = data.writer(partition.component)?;
            let places = emit_float(partition, &folder.join(format!("{}.onnx", partition.name)), writer)?;
            write_partition(partition, &places, folder)?;
            progress.tick(&partition.name);
        }
        data.finish()?;
        Embeddings::write(&folder.join(Embeddings::FILE), &model.embeddings)?;
        let copy = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).at(&folder.join(name));
        copy("definition.toml", definition_text.as_bytes())?;
        copy("target.toml", target_text.as_bytes())?;
        let tokenizer = checkpoint.folder().join(TOKENIZER);
        copy(TOKENIZER, &std::fs::read(&tokenizer).at(&tokenizer)?)?;
        if let Some(template) = &template {
            copy(CHAT_TEMPLATE, template.as_bytes())?;
        }
        progress.finish();
        Ok(())
    })?;
    bundle.manifest.model = definition.name;
    bundle.manifest.target = target.name.clone();
    Ok(())
}
