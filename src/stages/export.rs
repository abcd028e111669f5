//! Export: definition and checkpoint become lowered graphs, float models and what the host needs.

use std::cell::OnceCell;
use std::path::Path;

use crate::back::bundle::{Bundle, Key, Stage, write_json, write_partition};
use crate::back::onnx::{DataWriter, emit_float};
use crate::error::{Error, Result};
use crate::files;
use crate::front::{Checkpoint, Definition, DefinitionFile, Layout, build, other_preprocessing, warnings};
use crate::host::{
    BESIDE_TOKENIZER, CHAT_TEMPLATE, Chat, Embeddings, HostFacts, Message, NAME_ENDS, Role, TOKENIZER, Tokenizer,
    find_template,
};
use crate::ir::Constant;
use crate::partition::{Component, Partition, partition};
use crate::progress::Progress;
use crate::target::Target;
use crate::warning::Warning;

/// Largest tokenizer that is copied; reading it has checked it before.
const LARGEST_TOKENIZER: u64 = 1 << 30;
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
    let template = find_template(checkpoint.folder())?;
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
        for file in checkpoint.files() {
            key = key.and("weights", bundle.hash_input(file)?);
        }
        Ok(key)
    };
    // A missing tokenizer is an error of its own kind, which reading it gives.
    let tokenizer_hash = if tokenizer.is_file() { bundle.hash_input(&tokenizer)? } else { String::new() };
    let mut host = key()?.and("tokenizer", tokenizer_hash).setting("template", &template);
    for name in BESIDE_TOKENIZER.into_iter().chain(NAME_ENDS) {
        let path = checkpoint.folder().join(name);
        if path.is_file() {
            host = host.and(name, bundle.hash_input(&path)?);
        }
    }
    let of_host = bundle.unit("export/host", FOLDER, host, progress, |folder| {
        let (words, facts, found) = words(checkpoint.folder(), template.as_deref(), definition)?;
        Embeddings::write(&folder.join(Embeddings::FILE), &graphs()?.0)?;
        let copy = |name: &str, bytes: &[u8]| files::write(&folder.join(name), bytes);
        copy("definition.toml", definition_text.as_bytes())?;
        copy("target.toml", target_text.as_bytes())?;
        copy(TOKENIZER, &words.map_or_else(|| crate::text::read_at_most(&tokenizer, LARGEST_TOKENIZER), Ok)?)?;
        if facts != HostFacts::default() {
            write_json(&facts, &folder.join(HostFacts::FILE))?;
        }
        template.as_ref().map_or(Ok(()), |template| copy(CHAT_TEMPLATE, template.as_bytes()))?;
        // Before the work counts as done on the contents whose hash is in its key.
        checkpoint.refuse_changed()?;
        Ok(found)
    })?;
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
            checkpoint.refuse_changed()
        })?;
    }
    checkpoint.refuse_changed()?;
    let mut warnings = warnings(&checkpoint, definition, &Layout::of(&checkpoint, definition, path)?);
    warnings.extend(other_preprocessing(checkpoint.folder(), &definition.vision));
    warnings.extend(of_host);
    bundle.manifest.set_warnings(Stage::Export.name(), warnings);
    bundle.manifest.model.clone_from(&definition.name);
    bundle.manifest.target = target.name.clone();
    Ok(())
}

/// Tries tokenizer and chat template as later stages and conversations use them: what they would refuse is better told now. Gives
/// the tokenizer's file where files beside it change it, what the bundle keeps of them, and what is odd.
fn words(
    folder: &Path,
    template: Option<&str>,
    definition: &Definition,
) -> Result<(Option<Vec<u8>>, HostFacts, Vec<Warning>)> {
    let tokenizer = Tokenizer::read(folder, definition)?;
    let (facts, warnings) = HostFacts::find(folder, definition, &tokenizer)?;
    let chat = Chat::of(folder.join(CHAT_TEMPLATE), template.map(String::from), tokenizer.specials()?)?;
    tokenizer.conversation(&chat, &[Message::new(Role::User, 0, "What is it?")])?;
    Ok((tokenizer.with_additions()?, facts, warnings))
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
