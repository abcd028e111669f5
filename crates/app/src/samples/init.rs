//! Recipes to begin with: what a model is, and everything that may be said of it, with comments.

use super::written::{group_text, preprocess_text};
use crate::drivers::{Intake, Takes};
use autoneural_core::ir::ElementType;
use autoneural_core::program::Group;
use autoneural_core::recipe::quoted;

/// A recipe for a model of this name: what it is, the bits of its groups, a guess of how pictures become its inputs,
/// and places for samples. `context` is how many tokens a model that reads text takes in, if that is known.
pub fn init(name: &str, takes: &Takes, groups: &[Group], context: Option<usize>) -> String {
    let head = format!(
        "# A recipe for {}. docs/recipe.md and docs/samples.md explain every word.\nschema = 2\nname = {}\n",
        name.replace(|character: char| character.is_control(), " "),
        quoted(name)
    );
    match takes {
        Takes::Words => words(&head, groups, context),
        Takes::Arrays { groups, intakes } => arrays(&head, groups, intakes),
    }
}

/// What bits there are.
const BITS: &str = "\n# Bits. Weights: int4, int8, int16, one scale per output channel, or int4 in blocks of 16, 32, 64 or \
    128\n# input channels. Activations: uint8, uint16.\n";

fn arrays(head: &str, groups: &[Group], intakes: &[Intake]) -> String {
    let mut text = format!("{head}\n# The inputs that samples fill:\n");
    for intake in intakes {
        text.push_str(&format!("#   {} of {}\n", intake.words(), intake.graph));
    }
    text.push_str(BITS);
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
/// How these are quantized to begin with. Of SmolLM2-135M, windows that judge nothing: nearest integers in such blocks
/// add 37 % to the perplexity, these 8 %, in 2.6 times the time.
const LANGUAGE_TEXT: &str = "[recipe.language]
weights = \"int4 in blocks of 32\"
activations = \"uint16\"
kv_cache = \"uint8\"
head = \"int8\"
observer = \"min-max\"
headroom = 0.25
# This takes away most of what 4 bits cost, and takes most of the time: with \"nearest\" a first look is quicker.
rounding = \"qronos\"
";

/// Samples of a model that takes pictures, too.
const PICTURES: &str = "
# Samples that set the ranges: pictures and questions as the car will see them. Pictures are relative to this
# file. Add more; the demonstration has 80.
[[calibration]]
image = \"pictures/0.png\"
prompt = \"What is in the picture?\"

# Samples on which float, simulation and NPU are compared. Keep them apart from the others.
[[verification]]
image = \"pictures/1.png\"
prompt = \"What is in the picture?\"
";
/// Tokens that are decoded behind each sample.
const STEPS: usize = 4;
/// Tokens of a window of text, where the context has room for so many.
const WINDOW: usize = 256;

/// Samples of a model that takes text alone, in windows of so many tokens.
fn prose(window: usize) -> String {
    format!(
        "
# Samples that set the ranges: text as the model will read it, here windows of a file, which is relative to this one. Or
# prompts, each a [[calibration]] with prompt = \"...\".
[[calibration]]
file = \"prose.txt\"
window = {window}
windows = \"0..12\"

# Samples on which float, simulation and NPU are compared. Keep them apart from the others.
[[verification]]
file = \"prose.txt\"
window = {window}
windows = \"12..13\"
"
    )
}

fn words(head: &str, groups: &[Group], context: Option<usize>) -> String {
    let mut text = format!(
        "{head}# Tokens decoded after each prompt, while ranges are observed and results are compared.\ndecode_steps = \
         {STEPS}\n{BITS}"
    );
    for (at, group) in groups.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "\n" });
        match group.name() {
            LANGUAGE => text.push_str(LANGUAGE_TEXT),
            _ => text.push_str(&group_text(group)),
        }
    }
    text.push_str(
        "\n# What is good enough, in dB of SQNR on the NPU, by graph/output.\n# [goal.sqnr_db]\n# \"*\" = 20\n",
    );
    let takes_pictures = groups.iter().any(|group| group.name() != LANGUAGE);
    // What is decoded behind a window must fit into the context, too.
    let window = context.map_or(WINDOW, |context| WINDOW.min(context.saturating_sub(STEPS).max(1)));
    text.push_str(&if takes_pictures { PICTURES.into() } else { prose(window) });
    text
}
