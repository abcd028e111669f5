//! Export: definition and checkpoint become frozen graphs, float models and what the host needs.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::drivers::export::{Exported, FOLDER, export_group, refuse_another_model};
use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Key, Making, Stage};
use autoneural_core::ir::Constant;
use autoneural_core::partition::Partition;
use autoneural_core::passes::Frozen;
use autoneural_core::target::Target;
use autoneural_front::{
    Beside, Checkpoint, Definition, DefinitionFile, Layout, WeightsPlace, as_built, build, partition, program,
};
use autoneural_host::PromptRecord;
use autoneural_host::{
    BESIDE_TOKENIZER, CHAT_TEMPLATE, Chat, Embeddings, Found, HostFacts, NAME_ENDS, SPECIAL_TOKENS, Special, Specials,
    TOKENIZER, TemplateSource, Tokenizer, find_template, probe, prompt_contract,
};

/// Largest tokenizer that is copied; reading it has checked it before.
const LARGEST_TOKENIZER: u64 = 1 << 30;
/// Runs the stage, and names model and target in the manifest.
///
/// # Errors
/// The checkpoint or a file beside it is missing, unreadable or does not fit the definition, a bundle of another model
/// is at the destination, or files cannot be written.
pub(crate) fn export(
    bundle: &mut Making,
    file: &DefinitionFile,
    weights: &[WeightsPlace],
    target: &Target,
    target_text: &str,
    progress: &dyn Progress,
) -> Result<()> {
    let DefinitionFile { path, text: definition_text, definition } = file;
    refuse_another_model(bundle, &definition.name, target)?;
    let checkpoint = Checkpoint::open_all(weights)?;
    let beside = checkpoint.beside(definition)?;
    let stage = Stage::Export.name();
    let Found { template, specials, warnings: of_template } = find_template(&beside.words_first(), stage)?;
    let tokenizer = beside.words.join(TOKENIZER);
    // Errors about the checkpoint name its files; the others are about graphs that the definition asks for.
    let is_of_weights = |place: &str| weights.iter().any(|given| place.starts_with(&*given.path.to_string_lossy()));
    let of_definition = |error: Error| match is_of_weights(&error.place) {
        true => error,
        false => error.within(path.display()),
    };
    // Graphs are built once, and only if there is something to export.
    let made: OnceCell<Made> = OnceCell::new();
    let graphs = || -> Result<&Made> {
        if let Some(made) = made.get() {
            return Ok(made);
        }
        let model = build(definition, &checkpoint, progress).map_err(of_definition)?;
        let partitions = partition(&model, definition, target).map_err(of_definition)?;
        let as_built = as_built(&model).map_err(of_definition)?;
        Ok(made.get_or_init(|| Made { embeddings: model.embeddings, partitions, as_built }))
    };
    let key = || -> Result<Key> {
        let mut key = Key::new().and("definition", definition_text).and("target", target_text);
        for (part, file) in checkpoint.files() {
            let what = part.map_or("weights".into(), |part| format!("weights of {}", part.name()));
            key = key.and(&what, bundle.hash_input(file)?);
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
    let of_words = BESIDE_TOKENIZER.map(|name| (name, beside.words.join(name)));
    for (name, path) in of_words.into_iter().chain(NAME_ENDS.map(|name| (name, beside.file(name)))) {
        if path.is_file() {
            host = host.and(name, bundle.hash_input(&path)?);
        }
    }
    let of_host = bundle.unit("export/host", FOLDER, host, progress, |folder| {
        // A definition with impossible sizes is refused by its key before prompts are made with it.
        let embeddings = &graphs()?.embeddings;
        let Words { tokenizer: changed, facts, prompt, warnings } =
            words(&beside, template.as_ref(), &specials, definition)?;
        Embeddings::write(&folder.join(Embeddings::FILE), embeddings)?;
        let copy = |name: &str, bytes: &[u8]| files::write(&folder.join(name), bytes);
        write_json(&program(definition)?, &folder.join("program.json"))?;
        copy("definition.toml", definition_text.as_bytes())?;
        copy("target.toml", target_text.as_bytes())?;
        let whole = || autoneural_base::text::read_at_most(&tokenizer, LARGEST_TOKENIZER);
        copy(TOKENIZER, &changed.map_or_else(whole, Ok)?)?;
        if facts != HostFacts::default() {
            write_json(&facts, &folder.join(HostFacts::FILE))?;
        }
        if let Some(template) = &template {
            copy(CHAT_TEMPLATE, template.text.as_bytes())?;
            if !specials.is_empty() {
                let text = serde_json::to_vec(&specials).map_err(|error| Error::internal(SPECIAL_TOKENS, error))?;
                copy(SPECIAL_TOKENS, &text)?;
            }
        }
        // Before the work counts as done on the contents whose hash is in its key.
        checkpoint.refuse_changed()?;
        Ok((warnings, prompt))
    })?;
    let (of_host, prompt) = of_host;
    for group in program(definition)?.groups() {
        let graphs = || graphs().map(|made| Exported { partitions: &made.partitions, as_built: &made.as_built });
        export_group(bundle, &group, key()?, graphs, || checkpoint.refuse_changed(), progress)?;
    }
    checkpoint.refuse_changed()?;
    let layout = Layout::of(&checkpoint, definition, path)?;
    let of_checkpoint = autoneural_front::warnings(&checkpoint, definition, &layout);
    let warnings = [of_template, of_checkpoint, of_host].concat();
    let relative = |warning: Warning| Warning {
        place: beside.inside(&warning.place),
        message: beside.inside(&warning.message),
        ..warning
    };
    let warnings = warnings.into_iter().map(relative).collect();
    bundle.manifest.set_warnings(stage, warnings);
    bundle.manifest.host.prompt = Some(prompt);
    bundle.manifest.model.clone_from(&definition.name);
    bundle.manifest.target = target.name.clone();
    Ok(())
}

/// What definition and checkpoint become.
struct Made {
    /// The embedding table.
    embeddings: Constant,
    /// The frozen graphs with their ports.
    partitions: Vec<Partition>,
    /// The graphs as they were built.
    as_built: Vec<Frozen>,
}

/// What tokenizer and chat template come to.
struct Words {
    /// The tokenizer's file, where files beside it change it.
    tokenizer: Option<Vec<u8>>,
    /// What the bundle keeps of files beside it.
    facts: HostFacts,
    /// What the manifest says of both.
    prompt: PromptRecord,
    /// What is odd.
    warnings: Vec<Warning>,
}

/// Tries tokenizer and chat template as later stages and conversations use them: what they would refuse is better told
/// now.
fn words(
    beside: &Beside,
    template: Option<&TemplateSource>,
    specials: &BTreeMap<String, Special>,
    definition: &Definition,
) -> Result<Words> {
    let tokenizer = Tokenizer::read(&beside.words, definition)?;
    let (facts, mut warnings) = HostFacts::find(beside, definition, &tokenizer, Stage::Export.name())?;
    let texts = Specials { named: specials.clone(), ..tokenizer.specials()? };
    let chat = Chat::new(template.cloned(), texts)?;
    warnings.extend(probe(&tokenizer, &chat, Stage::Export.name())?);
    let prompt = prompt_contract(&tokenizer, &chat, &facts, definition)?;
    Ok(Words { tokenizer: tokenizer.with_additions()?, facts, prompt, warnings })
}

/// Refuses what the stage would refuse of the tokenizer and the chat template beside a checkpoint's weights; gives what
/// is odd about them.
///
/// # Errors
/// A tokenizer that is missing or is not the model's, a template that cannot work.
pub fn check_words(beside: &Beside, definition: &Definition) -> Result<Vec<Warning>> {
    let Found { template, specials, warnings } = find_template(&beside.words_first(), Stage::Export.name())?;
    let more = words(beside, template.as_ref(), &specials, definition)?.warnings;
    Ok([warnings, more].concat())
}
