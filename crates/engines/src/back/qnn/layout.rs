//! How the provider laid a graph out for the vendor's compiler: which operators are computed in integers, and which in
//! float, that is fp16 on the NPU.
//!
//! The provider writes the graph that it makes, as JSON, before it is compiled: each node with the tensors that it reads
//! and makes, each tensor with its type. An SQNR does not tell the two apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use autoneural_base::error::{IoContext, Result};
use autoneural_base::json::write_json;
use autoneural_base::text;

/// Most bytes of a file of the provider that is read; of a graph with a thousand nodes it has one million.
const LARGEST: u64 = 1 << 30;
/// What the numbers of float types have above their lowest byte (`Qnn_DataType_t` of QNN's API: 0x0216 is fp16, 0x0232 is
/// float32).
const FLOAT: u32 = 0x02;
/// Operators that only convert between integers and float.
const CONVERSIONS: [&str; 4] = ["Quantize", "Dequantize", "Convert", "Cast"];

/// How a graph is computed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Nodes of the provider's graph.
    pub nodes: usize,
    /// How many of them bring a value of 16 bits to 8.
    #[serde(default)]
    pub narrowed: usize,
    /// Those of them that compute or move something in float.
    pub in_float: Vec<FloatNode>,
}

/// A node that is computed in float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatNode {
    /// QNN's name of the operator.
    pub operator: String,
    /// The provider's name of the first tensor that it makes, which begins with the value's name in most cases.
    pub makes: String,
}

#[derive(Deserialize)]
struct File {
    graph: Option<Graph>,
}

#[derive(Deserialize)]
struct Graph {
    nodes: BTreeMap<String, Node>,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "type")]
    operator: String,
    input_names: Vec<String>,
    output_names: Vec<String>,
}

#[derive(Deserialize)]
struct Tensor {
    data_type: u32,
}

impl Layout {
    /// The provider's options with which it writes its graph into a folder.
    pub(crate) fn options(folder: &str) -> [(&'static str, String); 2] {
        [("dump_json_qnn_graph", "1".into()), ("json_qnn_graph_dir", folder.into())]
    }

    /// Reads what the provider wrote into a folder.
    ///
    /// # Errors
    /// A file cannot be read, or is none of the provider's.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).reading(folder)? {
            paths.push(entry.reading(folder)?.path());
        }
        paths.sort();
        let mut made = Layout::default();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let File { graph } = text::json(path, &text::read_at_most(path, LARGEST)?)?;
            // There is a log of tensors beside it.
            let Some(Graph { nodes, tensors }) = graph else { continue };
            made.nodes += nodes.len();
            let is_float = |name: &String| tensors.get(name).is_some_and(|tensor| tensor.data_type >> 8 == FLOAT);
            let bits = |names: &[String]| Some(tensors.get(names.first()?)?.data_type & 0xff);
            let narrows =
                |node: &&Node| bits(&node.input_names) == Some(0x16) && bits(&node.output_names) == Some(0x08);
            made.narrowed += nodes.values().filter(narrows).count();
            let computes = |node: &&Node| !CONVERSIONS.contains(&node.operator.as_str());
            for node in nodes.values().filter(computes) {
                if node.input_names.iter().chain(&node.output_names).any(is_float) {
                    let makes = node.output_names.first().cloned().unwrap_or_default();
                    made.in_float.push(FloatNode { operator: node.operator.clone(), makes });
                }
            }
        }
        Ok(made)
    }

    /// Path of what is known of the layout of a context binary, beside its model.
    pub fn file(context: &Path) -> PathBuf {
        context.with_extension("layout.json")
    }

    /// Writes it beside a context model.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, context: &Path) -> Result<()> {
        write_json(self, &Self::file(context))
    }

    /// Reads it from the bytes of its file.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        text::json(path, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_between_float_tensors_are_in_float() {
        let folder = tempfile::tempdir().unwrap();
        let graph = r#"{"graph": {"nodes": {
            "a": {"type": "Conv2d", "input_names": ["x", "w"], "output_names": ["y"]},
            "b": {"type": "Dequantize", "input_names": ["y"], "output_names": ["f"]},
            "c": {"type": "MatMul", "input_names": ["f", "v"], "output_names": ["g"]},
            "d": {"type": "Quantize", "input_names": ["g"], "output_names": ["z"]}},
            "tensors": {"x": {"data_type": 1046}, "w": {"data_type": 776}, "y": {"data_type": 1046},
            "f": {"data_type": 534}, "v": {"data_type": 534}, "g": {"data_type": 534}, "z": {"data_type": 1046}}}}"#;
        std::fs::write(folder.path().join("g.json"), graph).unwrap();
        std::fs::write(folder.path().join("g_tensor_log.json"), r#"{"summary": {}}"#).unwrap();
        let made = Layout::of_folder(folder.path()).unwrap();
        let node = FloatNode { operator: "MatMul".into(), makes: "g".into() };
        assert_eq!(made, Layout { nodes: 4, narrowed: 0, in_float: vec![node] });
        let context = folder.path().join("vision.onnx");
        made.write(&context).unwrap();
        let path = Layout::file(&context);
        assert!(path.ends_with("vision.layout.json"));
        assert_eq!(Layout::parse(&path, &std::fs::read(&path).unwrap()).unwrap(), made);
    }
}
