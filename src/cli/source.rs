//! What a bundle is made from, on the command line: a definition with a checkpoint, or ONNX models.

use std::path::PathBuf;

use autoneural::drivers::Source;
use autoneural::drivers::tensors::Models;
use autoneural::drivers::vlm::Checkpointed;
use autoneural::front::onnx::StatedShape;
use autoneural::front::{DefinitionFile, WeightsPlace, built_in_names, onnx};
use autoneural::target::Target;
use autoneural::{Error, Result};
use clap::builder::{OsStringValueParser, PathBufValueParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, ValueHint};

use super::session::Session;
use super::suggested::Suggested;

/// What a bundle is made from, and where.
#[derive(Args)]
pub struct SourceArgs {
    /// Model definition, the architecture and its sizes: a file, or one that is built in by its name. Or an ONNX model
    /// (.onnx) from elsewhere; several are groups of one program.
    #[arg(
        value_name = "GRAPH.toml|MODEL.onnx",
        required = true,
        num_args = 1..,
        value_hint = ValueHint::AnyPath,
        value_parser = definition()
    )]
    models: Vec<PathBuf>,
    /// Checkpoint: a folder of safetensors files with a tokenizer.json, one file of it, or a repository in a hub's
    /// cache; may be given several times. ONNX models have theirs.
    ///
    /// Several are the parts of one model. `vision=`, `projector=` or `language=` before a path takes this part from
    /// there and from nowhere else.
    #[arg(long, value_name = "[PART=]DIR", value_hint = ValueHint::AnyPath, value_parser = weights())]
    weights: Vec<WeightsPlace>,
    /// Side of the model's pictures in pixels, in place of the definition's image_size.
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<usize>,
    /// Shape of an input of an ONNX model whose sizes the file leaves open, say image=1,3,640,640; may be given several
    /// times. NAME= may be left out where there is one input.
    #[arg(long, value_name = "[NAME=]SIZES", value_parser = shape())]
    shape: Vec<StatedShape>,
    /// Chip: a known name, or the path of a target file (.toml).
    #[arg(long, value_name = "TARGET", value_hint = ValueHint::AnyPath, value_parser = super::target::name())]
    pub target: String,
    /// The bundle to make.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Begin from nothing, and replace the bundle at --out if there is one.
    #[arg(long)]
    pub force: bool,
    /// Read all input files again to see whether they changed. Without it, files with the size, time and inode of the
    /// last run count as unchanged.
    #[arg(long)]
    pub check_contents: bool,
}

/// What the arguments name, read as far as a program needs.
pub enum Read<'a> {
    /// A definition, and where its weights are.
    Definition(Box<DefinitionFile>, &'a [WeightsPlace]),
    /// ONNX models.
    Models(Models),
}

impl SourceArgs {
    /// Reads what is named; what was chosen without being asked is said.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn read(&self, target: &Target, session: &Session) -> Result<Read<'_>> {
        self.refuse_mixtures(session);
        match self.models.as_slice() {
            [definition] if !onnx::is_model(definition) => {
                Ok(Read::Definition(Box::new(DefinitionFile::read(definition, self.image_size)?), &self.weights))
            }
            models => {
                if let Some(other) = models.iter().find(|path| !onnx::is_model(path)) {
                    let message = "is no ONNX model; several models are compiled together if all of them are";
                    return Err(Error::input(other.display(), message));
                }
                let models = Models::read(models, &self.shape, target)?;
                models.notes.iter().for_each(|note| session.note(note));
                Ok(Read::Models(models))
            }
        }
    }

    /// Options that belong to the other kind of model are errors of usage.
    fn refuse_mixtures(&self, session: &Session) {
        let of_models = self.models.iter().any(|path: &PathBuf| onnx::is_model(path));
        match of_models {
            true if !self.weights.is_empty() || self.image_size.is_some() => {
                session.refuse_usage(
                    ErrorKind::ArgumentConflict,
                    "--weights and --image-size are for model definitions; an ONNX model has its weights and sizes",
                );
            }
            false if !self.shape.is_empty() => {
                session.refuse_usage(
                    ErrorKind::ArgumentConflict,
                    "--shape is for ONNX models; a definition states its sizes",
                );
            }
            false if self.weights.is_empty() => {
                session.refuse_usage(
                    ErrorKind::MissingRequiredArgument,
                    "a model definition needs --weights <[PART=]DIR>",
                );
            }
            _ => {}
        }
    }
}

impl Read<'_> {
    /// What a bundle is made of.
    pub fn source(&self) -> Box<dyn Source + '_> {
        match self {
            Read::Definition(definition, weights) => Box::new(Checkpointed { definition, weights }),
            Read::Models(models) => Box::new(models),
        }
    }
}

/// Reads where weights are from an argument, which need not be text.
pub fn weights() -> impl TypedValueParser<Value = WeightsPlace> {
    OsStringValueParser::new().map(WeightsPlace::parse)
}

/// Takes the path of a model definition, or the name of one that is built in.
pub fn definition() -> impl TypedValueParser<Value = PathBuf> {
    Suggested::new(PathBufValueParser::new(), built_in_names)
}

/// Takes the shape of an input.
pub fn shape() -> impl TypedValueParser<Value = StatedShape> {
    StringValueParser::new().try_map(|text| StatedShape::parse(&text))
}
