//! Parity: the float reference against outputs that another implementation computed from the same weights.
//!
//! A file of recorded tensors goes in (tools/reference.py makes one with timm and transformers), figures come out. The
//! partitions take the same steps as in every other stage: image, projector, prefill in chunks, decode.

use crate::drivers::Parity;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::engine::{Reference, Tensor};
use autoneural_front::{Checkpoint, Definition, Vision};
use autoneural_host::Steps;

/// Runs the float models of a bundle on recorded inputs: `vision.input` (and `vision.output`, `projector.output`),
/// `embeds` (and `prefill.logits`, `decode.{i}.logits`). What is not recorded is not run.
///
/// # Errors
/// A recorded tensor of another shape than the bundle's model has, a file that records nothing that can be compared.
pub(crate) fn parity(
    definition: &Definition,
    bundle: &Bundle,
    recorded: &Checkpoint,
    progress: &dyn Progress,
) -> Result<Vec<Parity>> {
    let partitions = bundle.partitions()?;
    let load = |partition: &Partition| Reference::load(partition, &bundle.float_model(partition));
    let mut steps = Steps::new(definition, &partitions, None, Box::new(load));
    let has = |name: &str| recorded.tensors().contains_key(name);
    let decoded = (0..).take_while(|step| has(&decode_name(*step))).count();
    let wanted: Vec<String> = ["vision.output", "projector.output", "prefill.logits"]
        .map(String::from)
        .into_iter()
        .filter(|name| has(name))
        .chain((0..decoded).map(decode_name))
        .collect();
    if wanted.is_empty() {
        return Err(Error::input(recorded.path().display(), "records no output that can be compared")
            .help("tools/reference.py makes such a file"));
    }
    progress.start("parity", wanted.len() as u64);
    let mut made = Vec::new();
    let mut compare = |name: String, values: &[f32]| -> Result<()> {
        if has(&name) {
            let reference = recorded.tensor(&name, &shape_of(&name, definition))?.to_f32();
            made.push(Parity { sqnr_db: Sqnr::of(&reference, values)?, name: name.clone() });
            progress.tick(&name);
        }
        Ok(())
    };
    if has("vision.input") {
        definition.seeing().map_err(|error| error.within(recorded.path().display()))?;
        let shape = shape_of("vision.input", definition);
        let image = Tensor::f32(shape.clone(), recorded.tensor("vision.input", &shape)?.to_f32());
        let visual = steps.see(&image, &mut |_| Ok(()))?;
        compare("vision.output".into(), visual.features.as_f32()?)?;
        compare("projector.output".into(), &visual.embeds)?;
        steps.drop_image_engines();
    }
    if has("embeds") {
        let (hidden, context) = (definition.language.hidden, definition.language.context);
        let tokens = recorded.tensors()["embeds"].shape.get(1).copied().unwrap_or(0);
        if tokens <= decoded || tokens > context {
            let message = format!("holds {tokens} tokens of which {decoded} are decoded; the context is {context}");
            return Err(Error::input(format!("{}: `embeds`", recorded.path().display()), message));
        }
        let embeds = recorded.tensor("embeds", &[1, tokens, hidden])?.to_f32();
        let (prompt, rest) = embeds.split_at((tokens - decoded) * hidden);
        let mut sequence = steps.begin()?;
        let logits = steps.extend(&mut sequence, prompt, &mut |_| Ok(()))?;
        compare("prefill.logits".into(), &logits)?;
        for (step, token) in rest.chunks(hidden).enumerate() {
            let logits = steps.extend(&mut sequence, token, &mut |_| Ok(()))?;
            compare(decode_name(step), &logits)?;
        }
    }
    progress.finish();
    if let Some(name) = wanted.iter().find(|name| made.iter().all(|parity| parity.name != **name)) {
        let input = if name.contains("logits") { "embeds" } else { "vision.input" };
        return Err(Error::input(recorded.path().display(), format!("records `{name}` without its input `{input}`")));
    }
    Ok(made)
}

fn decode_name(step: usize) -> String {
    format!("decode.{step}.logits")
}

/// Shape of a recorded tensor.
fn shape_of(name: &str, definition: &Definition) -> Vec<usize> {
    let language = &definition.language;
    let of_vision = |size: fn(&Vision) -> usize| definition.vision().map_or(0, size);
    match name {
        "vision.input" => vec![1, 3, of_vision(Vision::image_size), of_vision(Vision::image_size)],
        "vision.output" => vec![1, of_vision(Vision::tokens), of_vision(Vision::channels)],
        "projector.output" => vec![1, of_vision(Vision::tokens), language.hidden],
        _ => vec![1, language.vocabulary],
    }
}
