//! The picture of one partition: a box per block from top to bottom with its operators in order, and the tensors that go
//! from block to block.

use std::collections::BTreeMap;

use super::blocks::{Block, blocks};
use super::svg::{LINE, PAD, Svg, name_width, shorten, width};
use super::{Part, Subject, Tensor, Tensors};
use crate::error::{Error, Result};
use crate::ir::{Node, Op, ValueId};
use crate::text::bytes;

/// Left edge of the boxes.
const LEFT: i32 = 2 * PAD;
/// Width of the boxes, unless a line needs more.
const WIDTH: i32 = 1060;
/// Height of an operator's box, and of its row.
const CHIP: i32 = 24;
const CHIP_ROW: i32 = 30;
/// Longest name that is written out.
const LONGEST: usize = 60;

/// Draws the inside of the partition of this name.
///
/// # Errors
/// There is no such partition, encodings of another graph.
pub fn inside(subject: &Subject, name: &str, tensors: Tensors) -> Result<String> {
    let Some(at) = subject.parts.iter().position(|part| part.partition.name == name) else {
        return Err(Error::input("", format!("has no partition `{name}`; it has {}", subject.names().join(", "))));
    };
    let part = &subject.parts[at];
    let blocks = blocks(&part.partition.graph);
    let mut made = Vec::new();
    for (position, block) in blocks.iter().enumerate() {
        made.push(Lines::new(part, &blocks, position, block, tensors)?);
    }
    let box_width = made.iter().map(|lines| lines.width()).fold(WIDTH, i32::max);
    let mut svg = Svg::default();
    let title = format!("{name} of {}", shorten(&subject.model, LONGEST));
    svg.text("title", LEFT, 34, &title, None);
    let facts: Vec<String> = subject.facts(at).into_iter().map(|(_, text)| text).collect();
    svg.text("quiet", LEFT, 58, &facts.join("; "), None);
    let mut y = 80;
    for (position, lines) in made.iter().enumerate() {
        y = lines.draw(&mut svg, y, box_width, position + 1 < made.len());
    }
    let description = format!("{} blocks: {}", blocks.len(), facts.join("; "));
    Ok(svg.finish(&title, &description))
}

/// What an operator is, in a few words.
struct Operator {
    text: String,
    class: &'static str,
    /// What it makes, where all tensors are named.
    makes: Vec<Tensor>,
}

/// The text of one block.
struct Lines {
    class: &'static str,
    path: String,
    whole_path: String,
    weights: String,
    takes: Vec<(String, String)>,
    operators: Vec<Operator>,
    gives: Vec<(String, String)>,
    feeds_next: bool,
    tensors: Tensors,
}

impl Lines {
    fn new(part: &Part, blocks: &[Block], at: usize, block: &Block, tensors: Tensors) -> Result<Self> {
        let graph = &part.partition.graph;
        let line = |id: ValueId, end: &str| -> Result<(String, String)> {
            let tensor = Tensor::new(part, id)?;
            let (name, detail) = (shorten(&tensor.name, LONGEST), tensor.detail());
            Ok((format!("{name} {detail}{end}"), format!("{} {detail}{end}", tensor.name)))
        };
        let maker = |id: ValueId| blocks.iter().find(|other| other.gives.iter().any(|(given, _)| *given == id));
        let from = |id: ValueId| match maker(id) {
            Some(other) => format!(", of {}", shorten(other.path, LONGEST)),
            None => ", from outside".to_string(),
        };
        let takes = block.takes.iter().map(|&id| line(id, &from(id))).collect::<Result<Vec<_>>>()?;
        let mut gives = Vec::new();
        for (id, readers) in &block.gives {
            let mut ends: Vec<String> =
                readers.iter().map(|&reader| shorten(blocks[reader].path, LONGEST / 2)).take(4).collect();
            if readers.len() > ends.len() {
                ends.push(format!("{} more", readers.len() - ends.len()));
            }
            if graph.outputs().contains(id) {
                ends.push("outside".into());
            }
            gives.push(line(*id, &format!(", to {}", ends.join(", ")))?);
        }
        let operator = |node: &Node| -> Result<Operator> {
            let (text, class) = describe(part, node)?;
            let makes = node.outputs.iter().map(|&id| Tensor::new(part, id)).collect::<Result<_>>()?;
            Ok(Operator { text, class, makes })
        };
        Ok(Lines {
            class: if part.npu_nodes.is_some() { "npu" } else { "plain" },
            path: shorten(block.path, LONGEST),
            whole_path: block.path.to_string(),
            weights: weights(part, block)?,
            takes,
            operators: block.nodes.iter().map(operator).collect::<Result<_>>()?,
            gives,
            feeds_next: block.gives.iter().any(|(_, readers)| readers.contains(&(at + 1))),
            tensors,
        })
    }

    /// Room that the longest line needs in the box.
    fn width(&self) -> i32 {
        let listed = self.operators.iter().flat_map(|operator| {
            operator
                .makes
                .iter()
                .map(|tensor| COLUMN + width(&shorten(&tensor.name, LONGEST)) + width(&tensor.detail()))
        });
        let listed = if self.tensors == Tensors::All { listed.max().unwrap_or(0) } else { 0 };
        let head = name_width(&self.path) + width(&self.weights) + PAD;
        let lines = self.takes.iter().chain(&self.gives).map(|(text, _)| width(text) + 2 * PAD);
        lines.fold(listed.max(head), i32::max) + 3 * PAD
    }

    /// Draws the block with its top at `y` and gives the top of the next.
    fn draw(&self, svg: &mut Svg, y: i32, box_width: i32, has_next: bool) -> i32 {
        let height = match self.tensors {
            Tensors::Border => CHIP_ROW * self.chips(box_width).last().map_or(1, |(_, row, _)| row + 1),
            Tensors::All => LINE * self.operators.iter().map(|operator| operator.makes.len() as i32).sum::<i32>() + 6,
        };
        let height = height + 30 + LINE * self.takes.len() as i32;
        svg.rectangle(self.class, [LEFT, y, box_width, height]);
        svg.text("name", LEFT + PAD, y + 20, &self.path, Some(&self.whole_path));
        svg.text("quiet", LEFT + 2 * PAD + name_width(&self.path), y + 20, &self.weights, None);
        let mut top = y + 20;
        for (text, whole) in &self.takes {
            top += LINE;
            svg.text("quiet", LEFT + PAD, top, &format!("← {text}"), Some(&format!("← {whole}")));
        }
        match self.tensors {
            Tensors::Border => {
                for (x, row, operator) in self.chips(box_width) {
                    let chip_top = top + 8 + CHIP_ROW * row;
                    svg.rectangle(operator.class, [x, chip_top, width(&operator.text) + 16, CHIP]);
                    let class = if operator.class == "moves" { "quiet" } else { "" };
                    svg.text(class, x + 8, chip_top + 16, &operator.text, None);
                }
            }
            Tensors::All => self.list(svg, top + 3),
        }
        let bottom = y + height;
        let mut end = bottom + 4;
        for (text, whole) in &self.gives {
            end += LINE;
            svg.text("", LEFT + 4 * PAD, end, text, Some(whole));
        }
        end += PAD;
        if has_next && self.feeds_next {
            svg.arrow(&[(LEFT + 2 * PAD, bottom), (LEFT + 2 * PAD, end)]);
        }
        end
    }

    /// Operators with left edge and row.
    fn chips(&self, box_width: i32) -> Vec<(i32, i32, &Operator)> {
        let (mut x, mut row) = (LEFT + PAD, 0);
        let mut made = Vec::new();
        for operator in &self.operators {
            let room = width(&operator.text) + 16;
            if x + room > LEFT + box_width - PAD && x > LEFT + PAD {
                (x, row) = (LEFT + PAD, row + 1);
            }
            made.push((x, row, operator));
            x += room + 8;
        }
        made
    }

    /// One line per tensor that an operator makes.
    fn list(&self, svg: &mut Svg, mut y: i32) {
        for operator in &self.operators {
            for (at, tensor) in operator.makes.iter().enumerate() {
                y += LINE;
                let text = if at == 0 { operator.text.as_str() } else { "" };
                let class = match operator.class {
                    "weighty" => "strong",
                    "moves" => "quiet",
                    _ => "",
                };
                svg.text(class, LEFT + PAD, y, text, None);
                let name = shorten(&tensor.name, LONGEST);
                svg.text("", LEFT + COLUMN, y, &name, Some(&tensor.name));
                svg.text("quiet", LEFT + COLUMN + width(&name) + PAD, y, &tensor.detail(), None);
            }
        }
    }
}

/// Where names stand in a list of operators: behind the longest text of one.
const COLUMN: i32 = 300;

/// An operator with what its weights say of it, and the class of its box.
fn describe(part: &Part, node: &Node) -> Result<(String, &'static str)> {
    let graph = &part.partition.graph;
    let weights = node.inputs.get(1).copied().filter(|&id| graph.value(id).constant().is_some());
    let Some(weights) = weights.map(|id| Tensor::new(part, id)).transpose()? else {
        return Ok((node.op.name().to_string(), if node.op.moves_data_only() { "moves" } else { "plain" }));
    };
    let (name, integer) = (node.op.name(), weights.integer.name());
    Ok(match (&node.op, weights.shape.as_slice()) {
        (Op::Conv { strides, groups, .. }, [_, _, height, width]) => {
            let step = if strides.iter().all(|&step| step == 1) { String::new() } else { format!("/{}", strides[0]) };
            let depthwise = if *groups > 1 { " depthwise" } else { "" };
            (format!("{name} {height}×{width}{step}{depthwise} {integer}"), "weighty")
        }
        (Op::MatMul, [from, to]) => (format!("{name} {from}→{to} {integer}"), "weighty"),
        _ => (format!("{name} {integer}"), "plain"),
    })
}

/// How much the constants of a block weigh, by bits.
fn weights(part: &Part, block: &Block) -> Result<String> {
    let graph = &part.partition.graph;
    let mut by_bits: BTreeMap<u32, u64> = BTreeMap::new();
    let mut seen = Vec::new();
    for &id in block.nodes.iter().flat_map(|node| &node.inputs) {
        if graph.value(id).constant().is_some() && !seen.contains(&id) {
            seen.push(id);
            let constant = Tensor::new(part, id)?;
            *by_bits.entry(constant.integer.bits()).or_default() += constant.integer.bytes_of(&constant.shape);
        }
    }
    let sizes: Vec<String> = by_bits.iter().map(|(bits, size)| format!("{bits} bit {}", bytes(*size))).collect();
    let nodes = block.nodes.iter().filter(|node| node.op != Op::Requantize).count();
    let nodes = if nodes == 1 { "1 node".to_string() } else { format!("{nodes} nodes") };
    Ok(if sizes.is_empty() { nodes } else { format!("{nodes}; weights {}", sizes.join(", ")) })
}
