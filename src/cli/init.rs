//! `autoneural init`: a recipe to begin with.

use std::path::{Path, PathBuf};

use autoneural::bundle::Bundle;
use autoneural::drivers::tensors::Models;
use autoneural::drivers::{Source as _, Takes};
use autoneural::front::onnx::StatedShape;
use autoneural::front::{self, DefinitionFile, onnx};
use autoneural::program::Group;
use autoneural::samples::init;
use autoneural::shown::in_line;
use autoneural::target::Target;
use autoneural::{Error, Result};
use clap::{Args, ValueHint};
use serde_json::json;

use super::samples::takes;
use super::session::Session;

const AFTER_HELP: &str = "\
The recipe says what the model's inputs are, has the bits of each group, a guess of how pictures become inputs (size, \
crop, colours, mean, deviation), and places for samples and goals, each with a comment. A file that is there is not \
replaced.

Examples:
  autoneural init graphs/autoneural-tiny.toml --out my-recipe.toml
  autoneural init classifier.onnx --shape 1,3,224,224 --out classifier.toml
  autoneural init out/demo --out -";

/// Arguments of `init`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Init {
    /// What the recipe is for: a model definition, a built-in one by its name, an ONNX model, or a bundle.
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: PathBuf,
    /// Shape of an input of an ONNX model whose sizes the file leaves open; may be given several times.
    #[arg(long, value_name = "[NAME=]SIZES", value_parser = super::source::shape())]
    shape: Vec<StatedShape>,
    /// The recipe to write; `-` for standard output.
    #[arg(short, long, value_name = "RECIPE.toml", value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

/// A chip that is always known.
const ANY_TARGET: &str = "sa8295p";

/// What a recipe is written for.
struct Model {
    name: String,
    takes: Takes,
    groups: Vec<Group>,
    /// How many tokens it takes in, where it reads text.
    context: Option<usize>,
}

impl Init {
    /// Runs the command.
    ///
    /// # Errors
    /// The model is missing or unreadable, the recipe exists already, or it cannot be written.
    pub fn run(&self, session: &Session) -> Result<()> {
        let model = model_of(&self.model, &self.shape)?;
        let text = init(&model.name, &model.takes, &model.groups, model.context);
        if self.out == Path::new("-") {
            return session.print(&json!({ "recipe": text }), &text);
        }
        if self.out.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(
                Error::input(self.out.display(), "is there already").help("choose another --out, or remove the file")
            );
        }
        if session.write(&self.out, &text)? {
            return Ok(());
        }
        let place = self.out.display().to_string();
        session.print(&json!({ "recipe": place, "model": model.name }), &format!("recipe: {}", in_line(&place)))
    }
}

/// What is asked for a recipe: a bundle, or what `compile` makes one of.
fn model_of(path: &Path, shapes: &[StatedShape]) -> Result<Model> {
    if path.join("manifest.json").is_file() {
        let bundle = Bundle::look(path)?;
        let (name, groups, takes) = (bundle.manifest.model.clone(), bundle.program()?.groups(), takes(&bundle)?);
        let definition = matches!(takes, Takes::Words).then(|| bundle.definition()).transpose()?;
        return Ok(Model { name, takes, groups, context: definition.map(|made| made.language.context) });
    }
    if onnx::is_model(path) {
        // What samples hold is the same for all chips.
        let models = Models::read(&[path.to_path_buf()], shapes, &Target::find(ANY_TARGET)?.0, false)?;
        let (source, name) = (&models, models.name().to_string());
        return Ok(Model { name, takes: source.takes()?, groups: source.program()?.groups(), context: None });
    }
    let definition = DefinitionFile::read(path, None)?.definition;
    let groups = front::program(&definition)?.groups();
    Ok(Model { name: definition.name, takes: Takes::Words, groups, context: Some(definition.language.context) })
}
