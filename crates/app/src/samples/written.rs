//! Parts of recipes, as they are written.

use super::entry::Entry;
use crate::drivers::Intake;
use autoneural_core::program::Group;
use autoneural_core::recipe::{Preprocess, quoted};

/// The head of a recipe by default: W8A16 for all groups, with what costs little and mostly helps. How many columns are
/// rounded by their products was chosen on the calibration samples of four networks, of which the last quarter judged:
/// beyond 512 nothing is gained that its time is worth.
pub(crate) fn groups_text(name: &str, groups: &[Group]) -> String {
    let mut text = format!("schema = 2\nname = {}\n", quoted(name));
    groups.iter().for_each(|group| text.push_str(&format!("\n{}", group_text(group))));
    text
}

/// How a group is quantized by default.
pub(crate) fn group_text(group: &Group) -> String {
    let bits = "weights = \"int8\"\nactivations = \"uint16\"\nobserver = \"min-max\"\n\
                headroom = 0.25\nrounding = \"gptq\"\nrounding_columns = 512\nbias_correction = true\n\
                products = \"split\"\n";
    format!("[recipe.{}]\n{bits}", group.name())
}

/// What is guessed of pictures for an input, or nothing where it takes none.
pub(crate) fn preprocess_text(intake: &Intake) -> String {
    Preprocess::guess(&intake.shape).map_or_else(String::new, |guess| guess.text(&intake.name))
}

/// What a sample is.
pub(crate) fn sample_text(entry: &Entry) -> String {
    match entry {
        Entry::Stacked(file, row) => {
            let row = row.map_or(String::new(), |row| format!("row = {row}\n"));
            format!("tensors = {}\n{row}", quoted(&file.display().to_string()))
        }
        Entry::Each(files) => {
            let pair = |(name, file): (&String, &std::path::PathBuf)| {
                format!("{} = {}", quoted(name), quoted(&file.display().to_string()))
            };
            format!("inputs = {{ {} }}\n", files.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}
