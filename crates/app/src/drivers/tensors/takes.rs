//! What samples of plain graphs have to hold, and what a person should know of those that are given.

use std::collections::BTreeSet;

use super::arrays::Wanted;
use super::names::Names;
use super::sample::{PICTURES, end_of, preprocess};
use crate::arrays::{ENDS, LABELS, open};
use crate::drivers::Intake;
use autoneural_base::warning::Warning;
use autoneural_core::partition::Partition;
use autoneural_core::recipe::{self, Recipe, Sample};

/// The inputs that samples of these graphs have to fill.
pub fn intakes(partitions: &[Partition]) -> Vec<Intake> {
    let names = Names::new(partitions);
    let one = |(whole, wanted): (String, Wanted)| {
        let alone = whole.strip_prefix(wanted.graph).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&whole);
        let name = if names.input(alone, "").is_ok() { alone } else { &whole };
        let (graph, shape) = (wanted.graph.to_string(), wanted.shape.to_vec());
        Intake { name: name.to_string(), graph, shape, element: wanted.element }
    };
    names.open_inputs().into_iter().map(one).collect()
}

/// What is guessed of pictures, and what numbers lose on the way to their input; each is told once.
pub(crate) fn warnings(
    names: &Names,
    recipe: &Recipe,
    samples: &[Sample],
    (place, stage): (&str, &str),
) -> Vec<Warning> {
    let mut said = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for sample in samples {
        let Some(arrays) = sample.arrays() else { continue };
        let files = match arrays {
            recipe::Arrays::File(path, _) => vec![(None, path)],
            recipe::Arrays::Each(files) => files.iter().map(|(name, path)| (Some(name), path.as_path())).collect(),
        };
        for (input, path) in files {
            let end = end_of(path);
            if let Some(name) = input.filter(|_| PICTURES.contains(&end.as_str())) {
                let Ok((whole, wanted)) = names.input(name, "") else { continue };
                let is_stated = [&whole, name].iter().any(|name| recipe.preprocess.contains_key(*name));
                if let (false, Some(guess)) = (is_stated, preprocess(recipe, &whole, &wanted)) {
                    said.insert(format!("nothing says how pictures become `{name}`; taken: {}", guess.words()));
                }
            }
            let path = sample.beside(path);
            if !ENDS.contains(&end.as_str()) || !seen.insert(path.clone()) {
                continue;
            }
            // A file that cannot be read was refused before.
            let Ok(file) = open(&path) else { continue };
            let is_label = |array: &str| array == LABELS && names.input(array, "").is_err();
            for (array, about) in file.abouts().iter().filter(|(array, _)| !is_label(array)) {
                let only = names.open_inputs();
                let by_name = names.input(input.unwrap_or(array), "").ok();
                let wanted = by_name.or_else(|| only.first().cloned().filter(|_| only.len() == 1));
                if let Some(lost) = wanted.and_then(|(_, wanted)| about.kind.loses_as(wanted.element)) {
                    let array = if array.is_empty() { "the array" } else { array };
                    said.insert(format!("{array}: {lost}"));
                }
            }
        }
    }
    let help = |message: &String| match message.contains("pictures become") {
        true => "state it in the recipe: `[preprocess.INPUT]`",
        false => "save the samples as what the input takes, say with `array.astype(numpy.float32)`",
    };
    said.iter().map(|message| Warning::new(stage, place, message).help(help(message))).collect()
}
