//! `autoneural inspect`: what a file or folder is, and what it holds.

mod bundle;
mod checkpoint;
mod model;
mod summary;

use std::path::{Path, PathBuf};

use autoneural::bundle::Bundle;
use autoneural::error::IoContext;
use autoneural::front::{self, GRAPHS, WeightsPlace, onnx};
use autoneural::{Error, Result};
use clap::builder::StringValueParser;
use clap::{Args, ValueHint};
use serde_json::json;

use super::session::Session;
use super::suggested::Suggested;

const AFTER_HELP: &str = "\
What is printed is a summary; --all adds the tensors, ports, operators or files, and --json always has everything. Of \
a checkpoint the summary says which model it is of, what is missing (tensors, tokenizer, chat template) and what to do \
next. If all its tensors fit and `export` would refuse it all the same, the command ends with status 3.

Examples:
  autoneural inspect models/autoneural-tiny
  autoneural inspect models/autoneural-tiny --definition graphs/autoneural-tiny.toml --all
  autoneural inspect vision/ language/ projector.safetensors
  autoneural inspect out/demo
  autoneural inspect out/demo --graph vision
  autoneural inspect out/demo/qdq/projector.onnx --text
  autoneural inspect out/demo/context/vision_qnn.bin";

/// Arguments of `inspect`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Inspect {
    /// A checkpoint (folder or .safetensors file), a bundle, an ONNX model, or a context model (.onnx or its .bin).
    /// Several are the parts of one checkpoint, as --weights of `compile` takes them.
    #[arg(
        required = true,
        value_name = "PATH",
        value_hint = ValueHint::AnyPath,
        value_parser = super::source::weights()
    )]
    files: Vec<WeightsPlace>,
    /// Add everything that the summary leaves out: tensors, ports, operators, files.
    #[arg(long)]
    all: bool,
    /// Of a bundle: print the graph of this partition, one node on each line.
    #[arg(long, value_name = "PARTITION", value_parser = Suggested::new(StringValueParser::new(), || GRAPHS.to_vec()))]
    graph: Option<String>,
    /// Of an ONNX model: print it in protobuf's text form, as it can stand in a bug report. A file that is called
    /// .textproto or .pbtxt is read wherever an ONNX model is.
    #[arg(long, conflicts_with_all = ["all", "graph", "definition"])]
    text: bool,
    /// Of a checkpoint: the model definition to compare it with [default: the built-in one that fits best].
    #[arg(long, value_name = "GRAPH.toml", value_hint = ValueHint::AnyPath, value_parser = super::source::definition())]
    definition: Option<PathBuf>,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    /// The file is missing, unreadable or of an unknown kind.
    pub fn run(&self, session: &Session) -> Result<()> {
        let WeightsPlace { part, path } = &self.files[0];
        if self.text {
            let WeightsPlace { part: None, path } = &self.files[0] else {
                return Err(Error::input(self.files[0].path.display(), "is no ONNX model"));
            };
            return model::text(path, session);
        }
        if self.graph.is_none() && (self.files.len() > 1 || part.is_some()) {
            return self.checkpoint(session);
        }
        Bundle::tidy(path);
        if let Some(name) = &self.graph {
            return graph(path, name, session);
        }
        let meta = std::fs::metadata(path).reading(path)?;
        let extension =
            path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (value, text) = match extension.as_str() {
            _ if meta.is_dir() && path.join("manifest.json").is_file() => bundle::bundle(path, self.all)?,
            _ if meta.is_dir() => return self.checkpoint(session),
            // Those of other formats are told by name.
            "safetensors" | "gguf" | "pt" | "pth" | "ckpt" | "h5" => return self.checkpoint(session),
            "json" if path.to_string_lossy().ends_with(".safetensors.index.json") => return self.checkpoint(session),
            _ if onnx::is_model(path) => model::model(path, self.all)?,
            // PyTorch's files of weights end like context binaries.
            "bin" if front::kind_of_file(path).is_some() => return self.checkpoint(session),
            "bin" => model::model(&model::context_of(path)?, self.all)?,
            _ => {
                return Err(Error::input(path.display(), "is no kind of file that is known").help(
                    "a checkpoint, a bundle, an ONNX model (.onnx, .textproto) or a context binary (.bin) can be inspected",
                ));
            }
        };
        session.print(&value, &text)
    }

    fn checkpoint(&self, session: &Session) -> Result<()> {
        checkpoint::checkpoint(&self.files, self.definition.as_deref(), self.all, session)
    }
}

/// Prints the graph of a partition.
fn graph(path: &Path, name: &str, session: &Session) -> Result<()> {
    let bundle = Bundle::look(path)?;
    let partitions = bundle.partitions()?;
    let Some(partition) = partitions.iter().find(|partition| partition.name == name) else {
        let names: Vec<&str> = partitions.iter().map(|partition| partition.name.as_str()).collect();
        let message = format!("has no partition `{name}`; it has {}", names.join(", "));
        return Err(Error::input(path.display(), message));
    };
    let text = partition.graph.to_string();
    session.print(&json!({ "partition": name, "graph": text }), &text)
}
