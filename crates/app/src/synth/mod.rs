//! A checkpoint of made-up weights: a model definition goes in, a complete checkpoint comes out, whose weights behave
//! like trained ones in what matters for quantization. It knows nothing and answers nonsense; it is there to measure
//! time, memory and numbers of a model whose weights nobody publishes.
//!
//! Which tensors there are is asked of the front end's builders (`record`), and what a tensor is of the operators
//! that read it (`walk`), so every model family has a synthetic checkpoint without a list of names. What the numbers
//! look like (`recipe`, `random`) follows what was published about trained models. The figures are choices in the
//! range of what the papers show, not fits to one model:
//!
//! - **Heavy tails.** Weights and activations of language models follow Student's t more closely than a normal
//!   distribution (Dotzel et al., "Learning from Students", arXiv 2405.03103); spectra of trained weights are
//!   heavy-tailed too (Martin & Mahoney, arXiv 1810.01075). Here: t with 10 degrees of freedom within a channel
//!   (kurtosis 4); with the channel scales a tensor as a whole has a kurtosis of about 9, that of a t with 5.
//! - **Channel scales** of trained convolutions and linear layers differ by an order of magnitude, those of depthwise
//!   convolutions by more (Nagel et al., arXiv 1906.04721). Here: log-normal; 2048 output channels spread about
//!   15-fold.
//! - **Outlier channels.** A few channels of a language model's residual stream are 20 times as large as the others and
//!   more, in nearly all layers and tokens (Dettmers et al., LLM.int8(), arXiv 2208.07339; up to 100 times: Xiao et
//!   al., SmoothQuant, arXiv 2211.10438). Here: one channel in 512 (at least 2), whose rows in whatever writes to the
//!   stream are 15 to 67 times as large. *Massive activations*, single tokens of 1000 times the median and more (Sun et
//!   al., arXiv 2402.17762), are not imitated.
//! - **Normalizations.** Gains are log-normal around 1. Where the stream has outliers they matter for quantization
//!   (Wei et al., Outlier Suppression, arXiv 2209.13325); here they are half as large there, and a tenth before the
//!   head, so that most of an outlier, but not all, reaches the products. Gains of queries and keys are 1.2.
//! - **Layer scale** begins at 0.1 or below (Touvron et al., CaiT, arXiv 2103.17239) and is learned per channel. Here:
//!   log-normal around 0.2.
//! - **Residual streams** change little from layer to layer (cosine similarity near 1 in most layers: Men et al.,
//!   ShortGPT, arXiv 2403.03853). Here: a branch without layer scale adds 0.15 of the stream's size to it.
//!
//! What is *not* like a trained model: weights and activations are not aligned with each other. A trained network
//! amplifies what it looks for, a random one treats rounding errors as it treats signals. So the SQNR of a synthetic
//! model is no figure for a trained one of the same bits; ranges, time, memory and bytes are what it can stand in for.

mod fill;
mod random;
mod recipe;
mod shards;
mod tensor;
mod tokenizer;
mod walk;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use autoneural_base::error::{Error, Result};
use autoneural_base::folder::{self, Partial};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_core::ir::Shape;
use autoneural_front::{Definition, Recorder, assemble};
use autoneural_host::{CHAT_TEMPLATE, TOKENIZER};
use recipe::{Kind, Recipe};
use tensor::Tensor;

/// File that says that a checkpoint is synthetic, and what it was made from.
pub const NOTE: &str = "synth.json";
/// What [`NOTE`] gives as its maker.
const MAKER: &str = "autoneural synth";

/// Where a synthetic checkpoint goes, and what it depends on.
pub struct Plan<'a> {
    /// The model definition's file.
    pub definition: &'a Path,
    /// The folder to make.
    pub out: &'a Path,
    /// Whether a synthetic checkpoint that is there is replaced.
    pub replace: bool,
    /// Where chance begins.
    pub seed: u64,
    /// Most bytes of a shard; a larger tensor gets a shard of its own.
    pub shard_bytes: u64,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The folder.
    #[serde(serialize_with = "autoneural_base::shown::path")]
    pub checkpoint: PathBuf,
    /// Where chance began.
    pub seed: u64,
    /// Number of tensors.
    pub tensors: usize,
    /// Numbers in all tensors.
    pub parameters: u64,
    /// Bytes of all tensors.
    pub bytes: u64,
    /// Number of safetensors files.
    pub shards: usize,
}

/// Writes a synthetic checkpoint. Definition and seed decide every byte, on every machine.
///
/// # Errors
/// A definition that cannot be, a folder that exists (and is no synthetic checkpoint, with `replace`), too little
/// space.
pub fn synthesize(plan: &Plan, progress: &dyn Progress) -> Result<Summary> {
    let definition = Definition::read(plan.definition)?;
    let in_definition = |error: Error| error.within(plan.definition.display());
    let tokenizer = tokenizer::tokenizer(&definition).map_err(in_definition)?;
    let tensors = tensors(&definition, plan).map_err(in_definition)?;
    let place = folder::place(plan.out)?;
    refuse_taken(&place, plan)?;
    let shards = shards::split(&tensors, plan.shard_bytes);
    let summary = Summary {
        checkpoint: plan.out.to_path_buf(),
        seed: plan.seed,
        tensors: tensors.len(),
        parameters: tensors.iter().map(|tensor| tensor.elements() as u64).sum(),
        bytes: tensors.iter().map(Tensor::bytes).sum(),
        shards: shards.len(),
    };
    let partial = Partial::begin(&place)?;
    let root = partial.path();
    refuse_full(root, plan.out, summary.bytes)?;
    progress.start("synth", tensors.len() as u64);
    shards::write(root, &shards, plan.seed, progress)?;
    write_json(&tokenizer, &root.join(TOKENIZER))?;
    let template = root.join(CHAT_TEMPLATE);
    autoneural_base::files::write(&template, tokenizer::CHAT_TEMPLATE.as_bytes())?;
    write_json(&note(&definition, &summary), &root.join(NOTE))?;
    partial.finish(&place)?;
    progress.finish();
    Ok(summary)
}

/// The tensors of a model in the order of their names.
fn tensors(definition: &Definition, plan: &Plan) -> Result<Vec<Tensor>> {
    let recorder = Recorder::new(definition, plan.definition);
    let model = assemble(definition, &recorder)?.model;
    let mut recipes = walk::recipes(&model, plan.seed);
    drop(model);
    let with_recipe = |(name, (start, shape)): (String, (usize, Shape))| {
        let recipe = recipes.remove(&start).unwrap_or_else(|| of_shape(&shape));
        Tensor { name, shape, recipe }
    };
    Ok(recorder.into_tensors().into_iter().map(with_recipe).collect())
}

/// The recipe of a tensor that no operator told the meaning of.
fn of_shape(shape: &[usize]) -> Recipe {
    let fan_in: usize = shape.iter().skip(1).product();
    match shape.len() {
        0 | 1 => Recipe::new(Kind::Offsets, recipe::BIAS, 0.0),
        _ => Recipe::new(Kind::Matrix, 1.0 / (fan_in as f64).sqrt(), recipe::CHANNEL_SPREAD),
    }
}

fn refuse_taken(place: &Path, plan: &Plan) -> Result<()> {
    let out = plan.out;
    if place.symlink_metadata().is_err() {
        return Ok(());
    }
    if !plan.replace {
        return Err(Error::input(out.display(), "exists already")
            .help("choose another folder with --out, or replace this checkpoint with --force"));
    }
    let note =
        autoneural_base::text::read(&out.join(NOTE)).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if note.is_none_or(|note| note["made_by"] != MAKER) {
        return Err(Error::input(out.display(), format!("exists and is no synthetic checkpoint (no {NOTE} of one)"))
            .help("--force replaces synthetic checkpoints only; choose another folder with --out"));
    }
    Ok(())
}

/// Refuses to begin where the file system has no room for so many bytes; one that does not tell is believed to have it.
fn refuse_full(root: &Path, out: &Path, needed: u64) -> Result<()> {
    let Ok(system) = rustix::fs::statvfs(root) else { return Ok(()) };
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let mut error = Error::io(out, &std::io::ErrorKind::StorageFull.into());
    error.message = format!("the checkpoint has {needed} bytes, and only {free} are free there");
    Err(error)
}

/// What a reader of the folder should know.
fn note(definition: &Definition, summary: &Summary) -> Value {
    json!({
        "made_by": MAKER,
        "version": autoneural_base::version::VERSION,
        "synthetic": "The weights are random numbers with the statistics of trained ones. The model answers nonsense.",
        "model": definition.name,
        "seed": summary.seed,
        "tensors": summary.tensors,
        "parameters": summary.parameters,
        "choices": {
            "weights": "Student's t with 10 degrees of freedom, cut at 7.5 standard deviations; bfloat16",
            "channel_scales": format!("log-normal, standard deviation of the logarithm {} (depthwise {}), half of it \
                along input channels", recipe::CHANNEL_SPREAD, recipe::DEPTHWISE_SPREAD),
            "normalization_gains": format!("log-normal, {}, median 1, {} before attention scores",
                recipe::GAIN_SPREAD, recipe::SCORE_GAIN),
            "layer_scale": format!("log-normal, {}, median {}", recipe::LAYER_SCALE.1, recipe::LAYER_SCALE.0),
            "branches": format!("add {} of the residual stream's size to it", recipe::BRANCH),
            "logits": format!("standard deviation {}", recipe::LOGITS),
            "outlier_channels": recipe::outliers(summary.seed, definition.language.hidden)
                .iter().map(|outlier| json!({ "channel": outlier.channel, "factor": outlier.factor }))
                .collect::<Vec<_>>(),
        },
    })
}
