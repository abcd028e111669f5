//! `autoneural init`: a recipe to begin with.

use std::path::{Path, PathBuf};

use autoneural::bundle::Bundle;
use autoneural::drivers::Takes;
use autoneural::front::{self, DefinitionFile};
use autoneural::program::Group;
use autoneural::samples::init;
use autoneural::shown::in_line;
use autoneural::{Error, Result};
use clap::{Args, ValueHint};
use serde_json::json;

use super::Session;
use super::samples::takes;

const AFTER_HELP: &str = "\
The recipe says what the model's inputs are, has the bits of each group, a guess of how pictures become inputs (size, crop, \
colours, mean, deviation), and places for samples and goals, each with a comment. A file that is there is not replaced.

Examples:
  autoneural init graphs/autoneural-tiny.toml --out my-recipe.toml
  autoneural init out/demo --out -";

/// Arguments of `init`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Init {
    /// What the recipe is for: a model definition, a built-in one by its name, or a bundle.
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: PathBuf,
    /// The recipe to write; `-` for standard output.
    #[arg(short, long, value_name = "RECIPE.toml", value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

/// What a recipe is written for.
struct Model {
    name: String,
    takes: Takes,
    groups: Vec<Group>,
}

impl Init {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let model = model_of(&self.model)?;
        let text = init(&model.name, &model.takes, &model.groups);
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
fn model_of(path: &Path) -> Result<Model> {
    if path.join("manifest.json").is_file() {
        let bundle = Bundle::look(path)?;
        let (name, groups) = (bundle.manifest.model.clone(), bundle.program()?.groups());
        return Ok(Model { name, takes: takes(&bundle)?, groups });
    }
    let definition = DefinitionFile::read(path, None)?;
    Ok(Model { name: definition.definition.name.clone(), takes: Takes::Words, groups: front::program()?.groups() })
}
