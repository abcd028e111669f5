//! Recipes to begin with: what a model is, and everything that may be said of it, with comments.

use super::written::{group_text, preprocess_text};
use crate::drivers::{Intake, Takes};
use autoneural_core::ir::ElementType;
use autoneural_core::program::Group;
use autoneural_core::recipe::quoted;

/// A recipe for a model of this name: what it is, the bits of its groups, a guess of how pictures become its inputs,
/// and places for samples.
pub fn init(name: &str, takes: &Takes, groups: &[Group]) -> String {
    let head = format!(
        "# A recipe for {}. docs/recipe.md and docs/samples.md explain every word.\nschema = 2\nname = {}\n",
        name.replace(|character: char| character.is_control(), " "),
        quoted(name)
    );
    match takes {
        Takes::Words => words(&head, groups),
        Takes::Arrays { groups, intakes } => arrays(&head, groups, intakes),
    }
}

fn arrays(head: &str, groups: &[Group], intakes: &[Intake]) -> String {
    let mut text = format!("{head}\n# The inputs that samples fill:\n");
    for intake in intakes {
        text.push_str(&format!("#   {} of {}\n", intake.words(), intake.graph));
    }
    text.push_str("\n# Bits. Weights: int4, int8, int16, one scale per output channel. Activations: uint8, uint16.\n");
    text.push_str(&groups.iter().map(group_text).collect::<Vec<_>>().join("\n"));
    let pictures: Vec<&Intake> = intakes.iter().filter(|intake| !guess(intake).is_empty()).collect();
    if !pictures.is_empty() {
        text.push_str(
            "\n# How pictures become inputs. This is a guess from the shape: set what the model was trained with, or \
             take\n\
             # it out where samples are arrays. A number of size is the shorter side; a code is made\n\
             # (code * scale - mean) / std.\n",
        );
        text.push_str(&pictures.into_iter().map(guess).collect::<Vec<_>>().join("\n"));
    }
    text.push_str(
        "\n# What is good enough, in dB of SQNR on the NPU, by graph/output.\n\
         # [goal.sqnr_db]\n# \"*\" = 30\n\
         \n# Samples, relative to this file. Leave them out, and a folder, a list or an .npz is given instead:\n\
         #   autoneural compile MODEL --recipe THIS.toml --calibration samples/ --target sa8295p --out BUNDLE\n\
         # Without [[verification]] the last quarter of the calibration samples judges, and does not calibrate.\n",
    );
    let pair = |intake: &Intake| {
        let end = if guess(intake).is_empty() { "raw" } else { "png" };
        format!("{} = {}", quoted(&intake.name), quoted(&format!("samples/0.{end}")))
    };
    let pairs: Vec<String> = intakes.iter().map(pair).collect();
    text.push_str(&format!(
        "# [[calibration]]\n# inputs = {{ {} }}\n# [[calibration]]\n# tensors = \"samples.npz\"\n# row = 0\n",
        pairs.join(", ")
    ));
    text
}

fn guess(intake: &Intake) -> String {
    if intake.element == ElementType::F32 { preprocess_text(intake) } else { String::new() }
}

/// Groups whose weights are few bits for the many that they have.
const LANGUAGE: &str = "language";

fn words(head: &str, groups: &[Group]) -> String {
    let mut text = format!(
        "{head}# Tokens decoded after each prompt, while ranges are observed and results are compared.\ndecode_steps = \
         4\n\
         \n# Bits. Weights: int4, int8, int16, one scale per output channel. Activations: uint8, uint16.\n"
    );
    for (at, group) in groups.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "\n" });
        match group.name() {
            LANGUAGE => text.push_str(
                "[recipe.language]\nweights = \"int4\"\nactivations = \"uint16\"\nkv_cache = \"uint8\"\n\
                 head = \"int8\"\nobserver = \"min-max\"\n",
            ),
            _ => text.push_str(&group_text(group)),
        }
    }
    text.push_str(
        "\n# What is good enough, in dB of SQNR on the NPU, by graph/output.\n# [goal.sqnr_db]\n# \"*\" = 20\n\
         \n# Samples that set the ranges: pictures and questions as the car will see them. Pictures are relative to \
         this\n\
         # file. Add more; the demonstration has 80.\n\
         [[calibration]]\nimage = \"pictures/0.png\"\nprompt = \"What is in the picture?\"\n\
         \n# Samples on which float, simulation and NPU are compared. Keep them apart from the others.\n\
         [[verification]]\nimage = \"pictures/1.png\"\nprompt = \"What is in the picture?\"\n",
    );
    text
}
