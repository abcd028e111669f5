//! Export: definition and checkpoint become lowered graphs, float models and what the host needs.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;

use crate::back::bundle::{Bundle, Key, Stage, write_partition};
use crate::back::onnx::{DataWriter, emit_float};
use crate::error::{Error, IoContext, Result};
use crate::front::{Checkpoint, Definition, DefinitionFile, build};
use crate::host::{CHAT_TEMPLATE, Chat, Embeddings, Found, SPECIAL_TOKENS, TOKENIZER, Tokenizer, find_template, probe};
use crate::ir::Constant;
use crate::partition::{Component, Partition, partition};
use crate::progress::Progress;
use crate::target::Target;
use crate::warning::Warning;

/// Folder of everything that export makes.
const FOLDER: &str = "model";

/// Runs the stage, and names model and target in the manifest.
pub fn export(
    bundle: &mut Bundle,
    file: &DefinitionFile,
    weights: &Path,
    target: &Target,
    target_text: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let DefinitionFile { path, text: definition_text, definition } = file;
    refuse_another_model(bundle, definition, target)?;
    let checkpoint = Checkpoint::open(weights)?;
    let Found { template, specials, warnings } = find_template(checkpoint.folder(), Stage::Export.name())?;
    // A bundle does not depend on where its checkpoint lies.
    let folder = format!("{}/", checkpoint.folder().display());
    let relative = |mut warnings: Vec<Warning>| {
        for warning in &mut warnings {
            warning.place = warning.place.replace(&folder, "");
            warning.message = warning.message.replace(&folder, "");
        }
        warnings
    };
    let mut warnings = relative(warnings);
    let tokenizer = checkpoint.folder().join(TOKENIZER);
    // Errors about the checkpoint name its files; the others are about graphs that the definition asks for.
    let of_definition = |error: Error| match error.place.starts_with(&*weights.to_string_lossy()) {
        true => error,
        false => error.within(path.display()),
    };
    // Graphs are built once, and only if there is something to export.
    let made: OnceCell<(Constant, Vec<Partition>)> = OnceCell::new();
    let graphs = || -> Result<&(Constant, Vec<Partition>)> {
        if let Some(made) = made.get() {
            return Ok(made);
        }
        let model = build(definition, &checkpoint, progress).map_err(of_definition)?;
        let partitions = partition(&model, definition).map_err(of_definition)?;
        Ok(made.get_or_init(|| (model.embeddings, partitions)))
    };
    let key = || -> Result<Key> {
        let mut key = Key::new().and("definition", definition_text).and("target", target_text);
        for file in checkpoint.tensors().values().map(|info| &info.file).collect::<BTreeSet<_>>() {
            key = key.and("weights", bundle.hash_input(file)?);
        }
        Ok(key)
    };
    // A missing tokenizer is an error of its own kind, which reading it gives.
    let tokenizer_hash = if tokenizer.is_file() { bundle.hash_input(&tokenizer)? } else { String::new() };
    let text = template.as_ref().map(|template| &template.text);
    let mut host = key()?.and("tokenizer", tokenizer_hash).setting("template", &text);
    if !specials.is_empty() {
        host = host.setting("specials", &specials);
    }
    warnings.extend(bundle.unit("export/host", FOLDER, host, progress, |folder| {
        // Only later stages need the tokenizer and the template; wrong ones are better told now.
        let tokenizer_read = Tokenizer::read(checkpoint.folder(), definition)?;
        let mut texts = tokenizer_read.specials(checkpoint.folder())?;
        texts.named.clone_from(&specials);
        let warnings = probe(&tokenizer_read, &Chat::new(template.clone(), texts)?, Stage::Export.name())?;
        Embeddings::write(&folder.join(Embeddings::FILE), &graphs()?.0)?;
        let copy = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).at(&folder.join(name));
        copy("definition.toml", definition_text.as_bytes())?;
        copy("target.toml", target_text.as_bytes())?;
        copy(TOKENIZER, &std::fs::read(&tokenizer).at(&tokenizer)?)?;
        if let Some(template) = &template {
            copy(CHAT_TEMPLATE, template.text.as_bytes())?;
            if !specials.is_empty() {
                let text = serde_json::to_vec(&specials).map_err(|error| Error::internal(SPECIAL_TOKENS, error))?;
                copy(SPECIAL_TOKENS, &text)?;
            }
        }
        Ok(relative(warnings))
    })?);
    for component in Component::ALL {
        let name = format!("export/{}", component.name());
        bundle.unit(&name, FOLDER, key()?, progress, |folder| {
            let partitions = graphs()?.1.iter().filter(|partition| partition.component == component);
            progress.start(&format!("export {}", component.name()), partitions.clone().count() as u64);
            let mut data = DataWriter::create(folder, component)?;
            for partition in partitions {
                progress.begin(&partition.name);
                let places = emit_float(partition, &folder.join(format!("{}.onnx", partition.name)), &mut data)?;
                write_partition(partition, &places, folder)?;
                progress.tick(&partition.name);
            }
            data.finish()?;
            progress.finish();
            Ok(())
        })?;
    }
    bundle.manifest.set_warnings(Stage::Export.name(), warnings);
    bundle.manifest.model.clone_from(&definition.name);
    bundle.manifest.target = target.name.clone();
    Ok(())
}

/// Refuses to replace a bundle that was made of something else: a name that was mistyped must not cost it.
fn refuse_another_model(bundle: &Bundle, definition: &Definition, target: &Target) -> Result<()> {
    let Some((place, before)) = bundle.before() else { return Ok(()) };
    if before.model == definition.name && before.target == target.name {
        return Ok(());
    }
    let message = format!("is a bundle of {} for {}", before.model, before.target);
    let help = format!("choose another folder for {} for {}, or replace it with --force", definition.name, target.name);
    Err(Error::input(place.display(), message).help(help))
}
