//! The models of a bundle, with the inputs that a sample gives them.

use std::collections::HashMap;
use std::path::Path;

use super::models::Models;
use crate::drivers::{Run, of_bundle};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::recipe::Recipe;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{Array, Data, Elements, Engine, Reference, Tensor};

/// What one graph of a bundle gets.
pub enum Given<'a> {
    /// A file of arrays, and the sample's place where several are stacked there.
    File(&'a Path, Option<usize>),
    /// What the first suitable verification sample of a recipe makes of the graphs before it.
    Recipe(&'a Recipe),
}

/// The float and the quantized model of each of these graphs, all of them where none is named, with its inputs.
///
/// # Errors
/// A bundle without quantized models or without a graph of such a name, one file for several graphs, a sample that
/// reaches a graph not.
pub fn of_bundle_models(
    bundle: &Bundle,
    names: &[String],
    given: &Given,
    runtime: &Runtime,
    progress: &dyn Progress,
) -> Result<Vec<Models>> {
    let place = bundle.path("");
    let partitions = bundle.partitions()?;
    let known = || partitions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = names.iter().find(|name| !partitions.iter().any(|one| one.name == **name)) {
        let message = format!("has no graph `{name}`");
        return Err(Error::input(place.display(), message).help(format!("graphs are {}", known())));
    }
    let wanted: Vec<usize> =
        (0..partitions.len()).filter(|&at| names.is_empty() || names.contains(&partitions[at].name)).collect();
    if let (Given::File(..), [_, _, ..]) = (given, wanted.as_slice()) {
        let message = format!("has the graphs {}; --input is for one", known());
        return Err(Error::input(place.display(), message).help("name one with --partition, or give --calibration"));
    }
    let mut samples = match given {
        Given::Recipe(recipe) => walk(bundle, &partitions, &wanted, recipe, progress)?,
        Given::File(..) => HashMap::new(),
    };
    let mut all = Vec::new();
    for at in wanted {
        let partition = &partitions[at];
        let file = if let Given::File(path, row) = given { Some((*path, *row)) } else { None };
        let models = Models::read(&bundle.float_model(partition), &bundle.quantized_model(partition), file, runtime)?;
        all.push(match samples.remove(&at) {
            Some((sample, what)) => models.with_sample(sample, what),
            None => models,
        });
    }
    Ok(all)
}

type Samples = HashMap<usize, (HashMap<String, Array>, String)>;

/// The inputs of the last step of each graph.
fn walk(
    bundle: &Bundle,
    partitions: &[Partition],
    wanted: &[usize],
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<Samples> {
    let driver = of_bundle(bundle)?;
    let place = driver.layer_sample(recipe)?;
    let samples = std::slice::from_ref(&recipe.verification[place]);
    let groups: Vec<Group> = wanted.iter().map(|&at| partitions[at].group.clone()).collect();
    let mut found = Samples::new();
    let load = |partition: &Partition| -> Result<Box<dyn Engine>> {
        Ok(Box::new(Reference::load(partition, &bundle.float_model(partition))?))
    };
    let run = Run { bundle, partitions, recipe, progress };
    driver.walk("run the sample in float", &run, (samples, &groups), Box::new(load), &mut |step| {
        let at = step.partition;
        if step.is_last && wanted.contains(&at) && !found.contains_key(&at) {
            let ports = partitions[at].inputs.iter().map(|port| port.name.clone());
            let sample = ports.zip(step.inputs.iter().map(array)).collect();
            found.insert(at, (sample, format!("verification sample {} of the recipe", place + 1)));
        }
        Ok(())
    })?;
    match wanted.iter().find(|at| !found.contains_key(at)) {
        Some(&at) => {
            let message = format!("no sample reaches the graph `{}`", partitions[at].name);
            Err(Error::input("recipe", message).help(driver.how_to_reach()))
        }
        None => Ok(found),
    }
}

fn array(tensor: &Tensor) -> Array {
    let elements = match tensor.data.clone() {
        Data::F32(values) => Elements::Float32(values),
        Data::U8(values) => Elements::Uint8(values),
        Data::U16(values) => Elements::Uint16(values),
        Data::I32(values) => Elements::Int32(values),
    };
    Array { shape: tensor.shape.clone(), elements }
}
