//! `autoneural inspect`: what a file or folder holds.

use std::path::{Path, PathBuf};

use autoneural::back::bundle::{Bundle, Stage};
use autoneural::back::onnx;
use autoneural::back::qnn::Runtime;
use autoneural::error::IoContext;
use autoneural::front::{self, Checkpoint, ComponentLayout, Definition, Layout, Misshapen, WeightsPlace};
use autoneural::partition::Partition;
use autoneural::quantize::Table;
use autoneural::report::{Sizes, segment_reports};
use autoneural::shown::in_line;
use autoneural::{Error, Result};
use clap::Args;
use serde_json::{Value, json};

use super::Session;

/// Most tensors listed of each kind that does not fit.
const MOST_LISTED: usize = 20;

/// Arguments of `inspect`.
#[derive(Args)]
pub struct Inspect {
    /// A checkpoint (folder or .safetensors file), an ONNX model, a bundle, or a context model (.onnx or its .bin). Several are the
    /// parts of one checkpoint, as --weights of `compile` takes them.
    #[arg(required = true, value_name = "FILE", value_parser = super::stage::weights())]
    files: Vec<WeightsPlace>,
    /// For a bundle: print the graph of this partition, one node a line.
    #[arg(long, value_name = "PARTITION")]
    graph: Option<String>,
    /// For a checkpoint: the model definition that it is held against [default: the built-in one that fits best].
    #[arg(long, value_name = "GRAPH.toml")]
    definition: Option<PathBuf>,
}

impl Inspect {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let WeightsPlace { part, path } = &self.files[0];
        if self.graph.is_none() && (self.files.len() > 1 || part.is_some()) {
            return self.checkpoint(session);
        }
        Bundle::tidy(path);
        let meta = std::fs::metadata(path).at(path)?;
        let extension =
            path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        if let Some(name) = &self.graph {
            let bundle = Bundle::look(path)?;
            let partitions = bundle.partitions()?;
            let Some(partition) = partitions.iter().find(|partition| partition.name == *name) else {
                let names: Vec<&str> = partitions.iter().map(|partition| partition.name.as_str()).collect();
                return Err(Error::input(
                    path.display(),
                    format!("has no partition `{name}`; it has {}", names.join(", ")),
                ));
            };
            let text = partition.graph.to_string();
            return session.print(&json!({ "partition": name, "graph": text }), &text);
        }
        let (value, text) = match extension.as_str() {
            _ if meta.is_dir() && path.join("manifest.json").is_file() => bundle(path)?,
            _ if meta.is_dir() => return self.checkpoint(session),
            // Those of other formats are told by name.
            "safetensors" | "gguf" | "pt" | "pth" | "ckpt" | "h5" => return self.checkpoint(session),
            "json" if path.to_string_lossy().ends_with(".safetensors.index.json") => return self.checkpoint(session),
            "onnx" => model(path)?,
            // PyTorch's files of weights end like context binaries.
            "bin" if front::kind_of_file(path).is_some() => {
                return self.checkpoint(session);
            }
            "bin" => model(&context_of(path)?)?,
            _ => {
                return Err(Error::input(path.display(), "is no kind of file that is known").help(
                    "a checkpoint, an ONNX model (.onnx), a bundle or a context binary (.bin) can be inspected",
                ));
            }
        };
        session.print(&value, &text)
    }

    fn checkpoint(&self, session: &Session) -> Result<()> {
        let checkpoint = Checkpoint::open_all(&self.files)?;
        let found = match &self.definition {
            Some(path) => {
                let definition = Definition::read(path)?;
                Some((Layout::of(&checkpoint, &definition, path)?, definition))
            }
            None => Layout::recognize(&checkpoint)?,
        };
        let (mut value, mut text) = tensors(&checkpoint);
        let Some((layout, definition)) = found else {
            text.push_str("no tensor of a known model; --definition names the file of another one\n");
            value["layout"] = Value::Null;
            return session.print(&value, &text);
        };
        // What names and shapes do not tell, as export would.
        let refusal = match layout.is_whole() {
            true => front::build(&definition, &checkpoint, session.progress()).err(),
            false => None,
        };
        let warnings = front::warnings(&checkpoint, &definition, &layout);
        text.push_str(&layout_text(&layout, refusal.as_ref()));
        warnings.iter().for_each(|warning| text.push_str(&format!("{warning}\n")));
        value["layout"] = json!(layout);
        value["warnings"] = json!(warnings);
        if let Some(error) = &refusal {
            value["refusal"] = json!({ "place": error.place, "message": error.message, "help": error.help });
        }
        session.print(&value, &text)?;
        refusal.map_or(Ok(()), Err)
    }
}

/// What was recognized, as a list.
fn layout_text(layout: &Layout, refusal: Option<&Error>) -> String {
    let all = match layout.is_whole() {
        true if refusal.is_none() => "all of it and nothing else",
        true => "all names and shapes fit, but it cannot be exported",
        false => "not all fits",
    };
    let mut text = format!("layout: {} ({}), {all}\n", layout.model, layout.definition);
    for one in &layout.components {
        let ComponentLayout { component, naming, prefix, found, needed } = one;
        let (naming, prefix) = (in_line(naming), in_line(prefix));
        text.push_str(&format!("  {component:<10} {naming}, behind `{prefix}`: {found} of {needed} tensors\n"));
    }
    let shapes = |one: &Misshapen| format!("{} is {:?}, the model has {:?}", one.name, one.shape, one.needed);
    let lists = [
        ("missing", layout.missing.clone()),
        ("of another shape", layout.misshapen.iter().map(shapes).collect()),
        ("zero, as no layer of the kind has one", layout.zero.clone()),
        ("left over", layout.left_over.clone()),
    ];
    if let Some(error) = refusal {
        text.push_str(&format!("export refuses it: {error}\n"));
    }
    for (title, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
        text.push_str(&format!("{title}: {}\n", names.len()));
        names.iter().take(MOST_LISTED).for_each(|name| text.push_str(&format!("  {}\n", in_line(name))));
        if names.len() > MOST_LISTED {
            text.push_str(&format!("  and {} more (--json lists all)\n", names.len() - MOST_LISTED));
        }
    }
    text
}

fn tensors(checkpoint: &Checkpoint) -> (Value, String) {
    let mut parameters = 0u64;
    let mut text = String::new();
    let mut tensors = Vec::new();
    for (name, info) in checkpoint.tensors() {
        parameters += info.shape.iter().map(|&size| size as u64).product::<u64>();
        text.push_str(&format!("{:<5} {:<20} {}\n", info.dtype, format!("{:?}", info.shape), in_line(name)));
        tensors.push(
            json!({ "name": name, "dtype": info.dtype, "shape": info.shape, "file": info.file.display().to_string() }),
        );
    }
    let count = tensors.len();
    text.push_str(&format!("checkpoint of {count} tensors, {parameters} parameters\n"));
    (json!({ "kind": "checkpoint", "parameters": parameters, "tensors": tensors }), text)
}

fn model(path: &Path) -> Result<(Value, String)> {
    let model = onnx::decode(path)?;
    let counts = onnx::op_counts(&model);
    let is_context = counts.contains_key("EPContext");
    let kind = if is_context { "context" } else { "onnx" };
    let opset = model.opset_import.iter().find(|import| import.domain.is_empty()).map_or(0, |import| import.version);
    let (maker, version) = (in_line(&model.producer_name), in_line(&model.producer_version));
    let mut text = format!("{kind} model, opset {opset}, made by {maker} {version}\n");
    let mut value = json!({ "kind": kind, "opset": opset, "nodes": counts });
    let graph = model.graph.unwrap_or_default();
    for (title, infos) in [("inputs", &graph.input), ("outputs", &graph.output)] {
        text.push_str(&format!("{title}:\n"));
        let mut list = Vec::new();
        for info in infos {
            let (name, dtype, shape) = onnx::summary(info);
            text.push_str(&format!("  {dtype:<8} {:<20} {}\n", format!("{shape:?}"), in_line(&name)));
            list.push(json!({ "name": name, "dtype": dtype, "shape": shape }));
        }
        value[title] = json!(list);
    }
    text.push_str("nodes:\n");
    for (op, count) in &counts {
        text.push_str(&format!("  {count:>6} {}\n", in_line(op)));
    }
    value["initializers"] = json!(graph.initializer.len());
    text.push_str(&format!("{} initializers\n", graph.initializer.len()));
    if is_context {
        let binary = Runtime::binary_of(path)?;
        let bytes = std::fs::metadata(&binary).at(&binary)?.len();
        let file = binary.display().to_string();
        text.push_str(&format!("context binary: {} ({bytes} bytes)\n", in_line(&file)));
        value["binary"] = json!({ "file": file, "bytes": bytes });
    }
    Ok((value, text))
}

/// The context model that a binary belongs to: the one beside it that refers to it.
fn context_of(binary: &Path) -> Result<PathBuf> {
    let folder = binary.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|extension| extension == "onnx")
            && Runtime::binary_of(&path).is_ok_and(|found| found.file_name() == binary.file_name())
        {
            return Ok(path);
        }
    }
    Err(Error::input(binary.display(), "no context model beside it refers to this file"))
}

/// The segments of partitions that are not one context binary each: what they hold and cost, one line each.
fn segments(bundle: &Bundle, partitions: &[Partition], tables: &[Table], text: &mut String) -> Result<Value> {
    let mut all = Vec::new();
    for (partition, table) in partitions.iter().zip(tables) {
        let found = segment_reports(bundle, partition, table, &bundle.segments(partition)?)?;
        found.iter().for_each(|segment| text.push_str(&format!("{}\n", in_line(&segment.line()))));
        all.extend(found);
    }
    Ok(json!(all))
}

fn bundle(path: &Path) -> Result<(Value, String)> {
    let bundle = Bundle::look(path)?;
    let manifest = &bundle.manifest;
    let mut text = format!(
        "bundle of {} for {}, made by {} {}\n",
        in_line(&manifest.model),
        in_line(&manifest.target),
        in_line(&manifest.tool.name),
        in_line(&manifest.tool.version)
    );
    let stages: Vec<String> =
        manifest.stages.iter().map(|stage| format!("{} {:.1} s", stage.name, stage.seconds)).collect();
    text.push_str(&format!("stages: {}\n", in_line(&stages.join(", "))));
    for partition in &manifest.partitions {
        text.push_str(&format!("{} ({})\n", in_line(&partition.name), in_line(&partition.weights)));
        for (direction, ports) in [("in", &partition.inputs), ("out", &partition.outputs)] {
            for port in ports {
                let encoding = match (port.scale, port.zero_point) {
                    (Some(scale), Some(zero_point)) => format!("  scale {scale:e} zero point {zero_point}"),
                    _ => String::new(),
                };
                let shape = format!("{:?}", port.shape);
                let (dtype, name) = (in_line(&port.dtype), in_line(&port.name));
                text.push_str(&format!("  {direction:<3} {dtype:<7} {shape:<20} {name}{encoding}\n"));
            }
        }
    }
    let mut value = serde_json::to_value(manifest).map_err(|error| Error::internal("manifest", error))?;
    value["kind"] = json!("bundle");
    if manifest.has(Stage::Quantize.name()) {
        let partitions = bundle.partitions()?;
        let tables = bundle.tables(&partitions)?;
        let sizes = Sizes::new(&bundle, &partitions, &tables)?;
        value["segments"] = segments(&bundle, &partitions, &tables, &mut text)?;
        text.push_str(&sizes.table());
        value["sizes"] = json!(sizes);
    }
    bundle.refuse_replaced()?;
    text.push_str("files:\n");
    for file in &manifest.files {
        text.push_str(&format!("  {:>12} {}\n", file.bytes, in_line(&file.path)));
    }
    Ok((value, text))
}
