//! What cannot be read of a model, all at once: operators by name with their nodes, and the way round.

use std::collections::BTreeMap;

use autoneural_base::error::Error;

/// Most nodes that are named of each kind of trouble.
const MOST_NODES: usize = 3;
/// Most kinds of trouble that are told in full.
const MOST_KINDS: usize = 24;

/// Everything that was found.
#[derive(Default)]
pub struct Unsupported {
    /// Operators that are not known: the nodes by operator.
    operators: BTreeMap<String, Vec<String>>,
    /// Nodes of operators that are known in a form that is not taken: by operator and what is wrong.
    forms: BTreeMap<(String, String), Vec<String>>,
}

/// What is wrong with a node that does something else when a model is trained.
pub const TRAINS: &str = "is in training mode";
/// What is wrong with a node that computes with integers, behind their name.
pub const PICKS_TOO: &str = ", whose elements pick others, too";

impl Unsupported {
    /// A node of an operator that is not known.
    pub fn operator(&mut self, operator: String, node: &str) {
        self.operators.entry(operator).or_default().push(node.to_string());
    }

    /// A node in a form that is not taken.
    pub fn form(&mut self, operator: &str, node: &str, message: String) {
        self.forms.entry((operator.to_string(), message)).or_default().push(node.to_string());
    }

    /// The error that names all of it; none where there is nothing.
    pub fn error(&self, opset: i64) -> Option<Error> {
        if self.operators.is_empty() && self.forms.is_empty() {
            return None;
        }
        let mut told = Vec::new();
        if !self.operators.is_empty() {
            let all = self.operators.iter().map(|(operator, nodes)| format!("{operator} ({})", named(nodes)));
            told.push(format!(
                "operators that are not supported: {} (operator set {opset})",
                shortened(all.collect(), ", ")
            ));
        }
        if !self.forms.is_empty() {
            let all = self
                .forms
                .iter()
                .map(|((operator, message), nodes)| format!("{operator} ({}) {message}", named(nodes)));
            told.push(format!("nodes that cannot be read: {}", shortened(all.collect(), "; ")));
        }
        let mut ways: Vec<&str> = self.operators.keys().map(|operator| way_round(operator)).collect();
        let of_form = |(operator, message): &(String, String)| {
            way_of_form(operator, message).unwrap_or_else(|| way_round(operator))
        };
        ways.extend(self.forms.keys().map(of_form).filter(|way| *way != OTHERWISE));
        ways.sort_unstable();
        ways.dedup();
        let made = Error::input("", told.join("; "));
        Some(if ways.is_empty() { made } else { made.help(ways.join("; ")) })
    }
}

fn named(nodes: &[String]) -> String {
    let names: Vec<String> = nodes.iter().take(MOST_NODES).map(|name| format!("`{name}`")).collect();
    match nodes.len().saturating_sub(MOST_NODES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn shortened(mut all: Vec<String>, between: &str) -> String {
    let more = all.len().saturating_sub(MOST_KINDS);
    all.truncate(MOST_KINDS);
    let text = all.join(between);
    if more > 0 { format!("{text}{between}and {more} more") } else { text }
}

/// What to do about an operator for which nothing better is known.
const OTHERWISE: &str = "express the operator by others (docs list those that are read), or end the model before it and \
                         compute the rest on the host";

/// Operators of models whose nodes compute with integers themselves.
const COMPUTES_IN_INTEGERS: [&str; 12] = [
    "ConvInteger",
    "MatMulInteger",
    "QGemm",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConcat",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QLinearMatMul",
    "QLinearMul",
    "QLinearSigmoid",
    "QLinearSoftmax",
];

/// What to do about what is wrong with a node, whatever its operator is otherwise; none where that says it.
fn way_of_form(operator: &str, message: &str) -> Option<&'static str> {
    Some(match message {
        TRAINS => "export the model for inference: in PyTorch after `model.eval()`",
        _ if message.ends_with(PICKS_TOO) => {
            "integers that pick rows of tables are not computed with, unless they pick themselves of a table that is \
             constant: compute on the host what is computed of them, and give it to the model as an input of its own"
        }
        _ if message.contains(FOUR_AXES) && operator == "Conv" => {
            "a convolution over three axes is read where weights are constant and its kernel is as long as its step along \
             the first of them, without padding there (patch embeddings do so), or looks at one place of each frame: write \
             others as a sum of convolutions over two axes, or end the model before it and compute the rest on the host"
        }
        _ if message.contains(FOUR_AXES) => {
            "images have four axes, [N, C, H, W]: put further ones into the first two with Reshape, or end the model before \
             it and compute the rest on the host"
        }
        _ => return None,
    })
}

/// What operators of images say of other shapes.
const FOUR_AXES: &str = "four axes are wanted, not ";

/// What to do about an operator.
fn way_round(operator: &str) -> &'static str {
    match operator {
        "If" | "Loop" | "Scan" => {
            "control flow that depends on data cannot run on the NPU: export the model with this branch or loop resolved \
             (tracing does so), or cut it there into models that the host calls"
        }
        "LSTM" | "GRU" | "RNN" => {
            "recurrent layers are written out step by step where their weights are constant, all rows are equally long and \
             the functions are those that ONNX takes by default: export the model so, or end it before them and compute \
             the rest on the host"
        }
        "TopK" => {
            "sorting is not supported: the largest number alone is ReduceMax, and its place ArgMax; for more of them end the \
             model before it, and sort on the host"
        }
        "NonZero" | "NonMaxSuppression" | "Unique" | "Compress" => {
            "what has as many elements as the data says has no place on the NPU: end the model before it, and do the rest \
             on the host"
        }
        "SequenceConstruct" | "SequenceAt" | "SplitToSequence" | "ConcatFromSequence" | "Optional" => {
            "sequences of tensors are not supported: export the model with tensors throughout"
        }
        "QuantizeLinear" | "DequantizeLinear" => {
            "integers that something computes with are not those of a pair of QuantizeLinear and DequantizeLinear: \
             quantize in the format QDQ, or give the float model"
        }
        "DynamicQuantizeLinear" => {
            "scales that follow from the data are not those of this chip: give the float model, or quantize it statically"
        }
        _ if COMPUTES_IN_INTEGERS.contains(&operator.strip_prefix("com.microsoft.").unwrap_or(operator)) => {
            "the model is quantized in the format QOperator: quantize it in the format QDQ (ONNX Runtime: \
             quant_format=QuantFormat.QDQ), which is read, or give the float model that it was made from"
        }
        _ if operator.contains('.') => {
            "operators of a domain of their own are not standard: export the model without fusion for one runtime, or \
             with the functions in the file that say what they are"
        }
        _ => OTHERWISE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_named_at_once_with_the_way_round() {
        let mut found = Unsupported::default();
        assert!(found.error(17).is_none());
        for at in 0..5 {
            found.operator("Loop".into(), &format!("loop.{at}"));
        }
        found.operator("com.microsoft.FusedConv".into(), "fused");
        found.form("Slice", "cut", "in steps of 2".into());
        let said = found.error(17).unwrap().to_string();
        for words in [
            "operators that are not supported: Loop (`loop.0`, `loop.1`, `loop.2` and 2 more), com.microsoft.FusedConv (`fused`) \
             (operator set 17)",
            "nodes that cannot be read: Slice (`cut`) in steps of 2",
            "control flow that depends on data",
            "domain of their own",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
