//! ONNX models from elsewhere, as what a bundle is made of: one after the other, each a group.

use std::path::{Path, PathBuf};

use super::driver::NAME;
use super::source::{Graphs, partition};
use crate::drivers::export::FOLDER;
use crate::drivers::{Source, Takes};
use autoneural_base::error::{Error, Result};
use autoneural_base::json::write_json;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Key, Making, kept_file};
use autoneural_core::partition::Partition;
use autoneural_core::passes::{Context, Frozen, as_built, freeze};
use autoneural_core::program::{Group, Program};
use autoneural_core::quantize::Stated;
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;
use autoneural_front::onnx::{StatedShape, demand_computed_reals, import};

/// Models that were read, with their graphs for a target.
#[derive(Default)]
pub struct Models {
    name: String,
    graphs: Vec<Partition>,
    as_built: Vec<Frozen>,
    files: Vec<PathBuf>,
    /// What is kept of quantized models, in the order of the graphs.
    kept: Vec<Stated>,
    /// What was chosen without being asked, in sentences.
    pub notes: Vec<String>,
}

impl Models {
    /// Reads model files. `stated` are shapes of inputs; of several models each takes those of its own inputs. Where
    /// `keeps` is true, what models that are quantized already say of their values goes into the bundle.
    ///
    /// # Errors
    /// A model that cannot be read, has operators that are not supported or outputs that are no results, a shape of no
    /// input, more models than a program has graphs.
    pub fn read(paths: &[PathBuf], stated: &[StatedShape], target: &Target, keeps: bool) -> Result<Self> {
        let mut made = Models::default();
        let mut is_any_quantized = false;
        for path in paths {
            let shapes = match paths {
                [_] => stated.to_vec(),
                _ => of_model(path, stated)?,
            };
            let mut read = import(path, &shapes)?;
            let known: Vec<&str> = made.graphs.iter().map(|graph| graph.name.as_str()).collect();
            read.graph.name = group_name(path, &known);
            read.recognized.name.clone_from(&read.graph.name);
            let is_quantized = !read.stated.is_empty();
            is_any_quantized |= is_quantized;
            if is_quantized && !keeps {
                read.notes.push(dropped(&read.stated));
            }
            made.files.extend(read.files);
            let within = |error: Error| error.within(path.display());
            demand_computed_reals(&read.graph).map_err(within)?;
            made.as_built.push(as_built(&read.graph).map_err(within)?);
            let frozen = freeze(&read.recognized, Context { target }).map_err(within)?;
            let (kept, said) = if keeps { read.stated.fitted(&frozen) } else { Default::default() };
            read.notes.extend(said);
            made.kept.push(kept);
            made.notes.extend(read.notes.into_iter().map(|note| format!("{}: {note}", path.display())));
            made.graphs.push(partition(&read.graph.name, frozen)?);
        }
        let names: Vec<&str> = made.graphs.iter().map(|graph| graph.name.as_str()).collect();
        made.name = names.join("+");
        refuse_idle(paths, stated, &made.graphs)?;
        if keeps && !is_any_quantized {
            made.notes.push("no model is quantized: there are no encodings that --keep-encodings could keep".into());
        }
        Ok(made)
    }

    /// The name of the program: those of its models.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn as_graphs<'a>(&'a self, made_of: &'a str) -> Graphs<'a> {
        Graphs { name: &self.name, graphs: &self.graphs, as_built: &self.as_built, made_of }
    }
}

/// What is said where encodings of a quantized model are not kept.
fn dropped(stated: &Stated) -> String {
    let (values, constants) = (stated.activations.len(), stated.params.len());
    format!(
        "is quantized: the float model behind its QuantizeLinear and DequantizeLinear is taken, and the encodings of \
         {values} values and {constants} constants are dropped; --keep-encodings keeps them"
    )
}

/// The shapes that are of inputs of a model; with several models each has to name its input.
fn of_model(path: &Path, stated: &[StatedShape]) -> Result<Vec<StatedShape>> {
    if stated.iter().any(|one| one.input.is_none()) {
        return Err(Error::input("--shape", "does not say of which input, and there are several models")
            .help("write --shape NAME=SIZES"));
    }
    let inputs = autoneural_front::onnx::input_names(path)?;
    let is_here = |one: &&StatedShape| one.input.as_ref().is_some_and(|name| inputs.contains(name));
    Ok(stated.iter().filter(is_here).cloned().collect())
}

/// Refuses shapes of inputs that none of several models has; one model refuses them itself.
fn refuse_idle(paths: &[PathBuf], stated: &[StatedShape], graphs: &[Partition]) -> Result<()> {
    let is_input = |name: &str| graphs.iter().any(|graph| graph.inputs.iter().any(|port| port.name == name));
    let idle = stated.iter().filter_map(|one| one.input.as_deref()).find(|name| !is_input(name));
    match idle {
        Some(name) if paths.len() > 1 => Err(Error::input(format!("--shape {name}"), "is no input of any model")),
        _ => Ok(()),
    }
}

/// Most bytes of a name that is made of a file's, so that a number fits behind it.
const LONGEST: usize = 60;

/// A name of a group for a file, other than these.
fn group_name(path: &Path, known: &[&str]) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let mut name: String = stem.chars().map(plain).take(LONGEST).collect();
    // Other files of a bundle are called like some names.
    if Group::new(&name).is_err() || Program::new(NAME, vec![name.clone()], Default::default()).is_err() {
        name = format!("model_{name}");
    }
    if !known.contains(&name.as_str()) {
        return name;
    }
    (2usize..).map(|number| format!("{name}_{number}")).find(|name| !known.contains(&name.as_str())).unwrap_or(name)
}

impl Source for &Models {
    fn program(&self) -> Result<Program> {
        self.as_graphs("").program()
    }

    fn takes(&self) -> Result<Takes> {
        self.as_graphs("").takes()
    }

    fn check(&self, bundle: &Making, recipe: &Recipe) -> Result<()> {
        self.as_graphs("").check(bundle, recipe)
    }

    fn export(&self, bundle: &mut Making, target: (&Target, &str), progress: &dyn Progress) -> Result<()> {
        let mut key = Key::new();
        for path in &self.files {
            key = key.and("model", bundle.hash_input(path)?);
        }
        // What options decide beside the files shows in the graphs.
        let shapes: Vec<_> = self.graphs.iter().map(|part| part.graph.to_string()).collect();
        let made_of = key.setting("graphs", &shapes).digest();
        self.as_graphs(&made_of).export(bundle, target, progress)?;
        for (graph, kept) in self.graphs.iter().zip(&self.kept).filter(|(_, kept)| !kept.is_empty()) {
            let path = kept_file(&graph.group);
            let file = path.rsplit('/').next().unwrap_or(&path);
            let key = Key::new().and("graphs", &made_of).setting("kept", kept);
            let name = format!("export/{}/kept", graph.group);
            bundle.unit(&name, FOLDER, key, &Silent, |folder| write_json(kept, &folder.join(file)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_called_like_files_as_far_as_that_is_possible() {
        for (path, name) in [
            ("a/detector.onnx", "detector"),
            ("PP-OCRv4 det.v2.onnx", "PP-OCRv4_det_v2"),
            ("héllo.onnx", "h_llo"),
            ("tokenizer.onnx", "model_tokenizer"),
            ("", "model_"),
        ] {
            assert_eq!(group_name(Path::new(path), &[]), name);
        }
        assert_eq!(group_name(Path::new("a.onnx"), &["a", "a_2"]), "a_3");
        assert_eq!(group_name(Path::new(&format!("{}.onnx", "x".repeat(99))), &[]).len(), LONGEST);
    }
}
