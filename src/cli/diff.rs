//! `autoneural diff`: which operator of a quantized model is wrong.

use std::path::{Path, PathBuf};

use autoneural::back::qnn::Runtime;
use autoneural::bundle::Bundle;
use autoneural::diff::{Diff as Found, Given, Layer, Looking, Models, compare, extract, of_bundle_models, table};
use autoneural::front::GRAPHS;
use autoneural::recipe::Recipe;
use autoneural::shown::in_line;
use autoneural::target::Target as TargetFile;
use autoneural::{Error, Result};
use clap::builder::StringValueParser;
use clap::{Args, ValueEnum, ValueHint};
use serde_json::json;

use super::decibels::decibels;
use super::session::Session;
use super::suggested::Suggested;

const AFTER_HELP: &str = "\
Both models get the same input. Every value of the quantized model is compared with the float model's, whoever \
quantized it: values are matched by name, behind QuantizeLinear and DequantizeLinear, else by what they are computed \
from. Each operator is judged twice: `so far`, on what the engine made before it, and `alone`, on float values, so \
that one bad operator is not blamed on the next. It is wrong where it alone reaches less than --floor dB, and 10 dB \
less than its integers allow; or where its weights are plainly not those of the float model. The first one that is \
wrong stands on top, with the likely cause and what to change.

With --on npu the model is compiled in parts of which every value is an output, each operator once more by itself, and \
the whole network once with its own outputs alone. The first operator that is wrong is told as soon as it is known, on \
standard error; with --first it ends there. Where that is much worse than its parts, beginnings of the network are \
compiled until the operators are found that only go wrong together. An operator that the NPU does not take runs on the \
CPU, and is named; such a network is not compiled as a whole.

Exit status 6: an operator is wrong.

Examples:
  autoneural diff float.onnx quantized.onnx --input sample.safetensors --on npu
  autoneural diff float.onnx quantized.onnx --input sample.safetensors --on npu --first
  autoneural diff float.onnx quantized.onnx --on simulated --all
  autoneural diff out/demo --partition vision --calibration calibration/demo.toml --on npu
  autoneural diff float.onnx quantized.onnx --input sample.safetensors --extract layers.3/Conv out/conv";

/// Version of what --json prints.
const SCHEMA: u32 = 1;

/// Arguments of `diff`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Diff {
    /// The float model, or a bundle with both.
    #[arg(value_name = "FLOAT.onnx|BUNDLE", value_hint = ValueHint::AnyPath)]
    float: PathBuf,
    /// The quantized model, with QuantizeLinear and DequantizeLinear.
    #[arg(value_name = "QUANTIZED.onnx", value_hint = ValueHint::FilePath)]
    quantized: Option<PathBuf>,
    /// A .safetensors, .npz or .npy file with an array for each input of the float model [default, of two files: numbers
    /// spread evenly over the range that the quantized model has for the input, on which a sound model may look wrong].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    input: Option<PathBuf>,
    /// Which of the samples that are stacked in --input, from 0.
    #[arg(long, value_name = "N", requires = "input")]
    row: Option<usize>,
    /// Of a bundle: a recipe, whose first verification sample goes through the graphs in float.
    #[arg(
        long,
        value_name = "RECIPE.toml",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["input", "quantized"]
    )]
    calibration: Option<PathBuf>,
    /// Of a bundle: only these graphs.
    #[arg(
        long,
        value_name = "PARTITION",
        value_delimiter = ',',
        conflicts_with = "quantized",
        value_parser = Suggested::new(StringValueParser::new(), || GRAPHS.to_vec())
    )]
    partition: Vec<String>,
    /// The engine that is compared with float.
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Simulated)]
    on: Engine,
    /// Chip: a known name, or the path of a target file (.toml).
    #[arg(
        long,
        value_name = "TARGET",
        default_value = "sa8295p",
        value_hint = ValueHint::AnyPath,
        value_parser = super::target::name()
    )]
    target: String,
    /// An operator may be wrong where it alone reaches less than this many dB (30 dB: an error of 3 %).
    #[arg(long, value_name = "DB", default_value_t = 30.0, value_parser = decibels)]
    floor: f64,
    /// Write the operator of this node, or of the value that it makes, into a new folder: two small models, float and
    /// quantized, each in binary and in text form, and its input. They show its fault by themselves, as `autoneural diff` takes them.
    #[arg(long, num_args = 2, value_names = ["NODE", "DIR"], value_hint = ValueHint::DirPath)]
    extract: Option<Vec<PathBuf>>,
    /// List all layers, and not only those next to a fault or with the most noise.
    #[arg(long)]
    all: bool,
    /// End at the first operator that is wrong: of a large network this takes a small part of the time.
    #[arg(long, conflicts_with = "extract")]
    first: bool,
}

/// Engines that are compared with float.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The quantized model on the CPU.
    Simulated,
    /// The NPU or its emulator.
    Npu,
}

impl Diff {
    /// Runs the command.
    ///
    /// # Errors
    /// A model is missing or unreadable, ONNX Runtime is missing or refuses a model, or a difference is larger than
    /// demanded.
    pub fn run(&self, session: &Session) -> Result<()> {
        let on_npu = self.on == Engine::Npu;
        let (target, _) = TargetFile::find(&self.target)?;
        let target = on_npu.then_some(target);
        let runtime = match session.runtime(on_npu)? {
            Some(runtime) => runtime,
            None => {
                let remedy = session.toolkit().remedy();
                return Err(Error::toolkit("toolkit", "ONNX Runtime is missing, which runs both models").help(remedy));
            }
        };
        let models = self.models(&runtime, session)?;
        if let Some([node, folder]) = self.extract.as_deref() {
            let [models] = models.as_slice() else {
                return Err(Error::input(self.float.display(), "has several graphs").help("name one with --partition"));
            };
            return extract_into(models, (&node.to_string_lossy(), folder), &runtime, session);
        }
        let mut all = Vec::new();
        let on_first = |layer: &Layer| {
            let cause = layer.fault.as_ref().map_or("", |fault| fault.cause);
            session.note(&in_line(&format!("first fault: {} ({}): {cause}", layer.name, layer.op)));
        };
        let looking = Looking { floor_db: self.floor, only_first: self.first, on_first: &on_first };
        for models in &models {
            all.push(compare(models, (&runtime, target.as_ref()), &looking, session.progress())?);
            if self.first && all.last().is_some_and(|found| !found.faults.is_empty()) {
                break;
            }
        }
        let texts: Vec<String> = all.iter().map(|found| self.text(found, all.len() > 1)).collect();
        session.print(&json!({ "schema": SCHEMA, "comparisons": all }), &texts.join("\n"))?;
        demand_sound(&all)
    }

    fn models(&self, runtime: &Runtime, session: &Session) -> Result<Vec<Models>> {
        let input = self.input.as_deref().map(|path| (path, self.row));
        if let Some(quantized) = &self.quantized {
            return Ok(vec![Models::read(&self.float, quantized, input, runtime)?]);
        }
        if self.float.is_file() {
            return Err(Error::input(self.float.display(), "is a file: the quantized model is missing behind it")
                .help("`autoneural diff FLOAT.onnx QUANTIZED.onnx`, or `autoneural diff BUNDLE`"));
        }
        let bundle = Bundle::look(&self.float)?;
        bundle.check(&|file| file.starts_with("model/") || file.starts_with("qdq/"), session.progress())?;
        let recipe = self.calibration.as_deref().map(Recipe::read).transpose()?;
        let given = match (input, &recipe) {
            (Some((path, row)), _) => Given::File(path, row),
            (_, Some(recipe)) => Given::Recipe(recipe),
            _ => {
                return Err(Error::input(self.float.display(), "is a bundle, and a sample is missing")
                    .help("--calibration RECIPE.toml takes the recipe's first verification sample; --input a file"));
            }
        };
        of_bundle_models(&bundle, &self.partition, &given, runtime, session.progress())
    }

    fn text(&self, found: &Found, titled: bool) -> String {
        let title = if titled { format!("{}\n", in_line(&found.quantized)) } else { String::new() };
        format!("{title}{}", table(found, self.all))
    }
}

fn extract_into(models: &Models, (node, folder): (&str, &Path), runtime: &Runtime, session: &Session) -> Result<()> {
    let written = extract(models, node, folder, runtime)?;
    let files: Vec<String> = written.iter().map(|file| file.display().to_string()).collect();
    let text = format!("diff: {}", in_line(&files.join(", ")));
    session.print(&json!({ "node": node, "files": files }), &text)
}

/// Ends with an error where an operator is wrong.
fn demand_sound(all: &[Found]) -> Result<()> {
    let broken = all.iter().flat_map(|found| found.broken().map(move |layer| (found, layer)));
    let mut broken = broken.filter_map(|(found, layer)| Some((found, layer, layer.fault.as_ref()?)));
    let Some((found, first, fault)) = broken.next() else { return Ok(()) };
    let others = match broken.count() {
        0 => String::new(),
        1 => ", and one more".into(),
        count => format!(", and {count} more"),
    };
    let message = format!("{} ({}) is wrong: {}{others}", first.name, first.op, fault.cause);
    Err(Error::verification(&found.quantized, message).help(fault.change))
}
