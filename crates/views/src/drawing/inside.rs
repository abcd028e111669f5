//! The picture of one partition: a box per block from top to bottom with its operators in order, and the tensors that
//! go from block to block.

use std::collections::BTreeMap;

use super::blocks::{Block, blocks};
use super::legend;
use super::rails::{Rails, rails};
use super::routes::{CHIP, Origin, Routes, routes};
use super::subject::{DrawnPartition, Subject};
use super::svg::{LINE, PAD, Svg, name_width, shorten, width};
use super::tensor::{Tensor, Tensors};
use autoneural_base::error::{Error, Result};
use autoneural_base::text::bytes;
use autoneural_core::ir::{Graph, Node, ValueId};

/// Width of the boxes, unless a line needs more.
const WIDTH: i32 = 1060;
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
    // What skips a block goes along the left of the boxes.
    let skips: Vec<(usize, usize)> = blocks
        .iter()
        .enumerate()
        .flat_map(|(from, block)| block.gives.iter().map(move |(_, readers)| (from, readers)))
        .flat_map(|(from, readers)| readers.iter().filter(move |&&to| to > from + 1).map(move |&to| (from, to)))
        .collect();
    let beside = rails(&skips);
    let left = 2 * PAD + beside.width();
    let mut svg = Svg::default();
    let title = format!("{name} of {}", shorten(&subject.model, LONGEST));
    svg.text("title", left, 34, &title, None);
    let facts: Vec<String> = subject.facts(at).into_iter().map(|(_, text)| text).collect();
    svg.text("quiet", left, 58, &facts.join("; "), None);
    legend::inside(&mut svg, (left, 72), tensors, !part.figures.is_empty());
    let mut y = 112;
    let mut ends = Vec::new();
    for (position, lines) in made.iter().enumerate() {
        let top = y;
        y = lines.draw(&mut svg, (left, y), box_width, position + 1 < made.len());
        ends.push((top, lines.bottom(top, box_width)));
    }
    for (&(from, to), lane) in skips.iter().zip(&beside.lanes) {
        let (x, start, end) = (left - beside.at(*lane), ends[from].1 - 8, ends[to].0 + 12);
        svg.line("skip", &[(left, start), (x, start), (x, end), (left, end)]);
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
    /// SQNR of each of them, where layers were measured.
    figures: Vec<String>,
    /// What it reads, beside constants.
    reads: Vec<Origin>,
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
    fn new(part: &DrawnPartition, blocks: &[Block], at: usize, block: &Block, tensors: Tensors) -> Result<Self> {
        let graph = &part.partition.graph;
        let line = |id: ValueId, end: &str| -> Result<(String, String)> {
            let tensor = Tensor::new(part, id)?;
            let (name, mut detail) = (shorten(&tensor.name, LONGEST), tensor.detail());
            let figure = part.figure(&tensor.name);
            if !figure.is_empty() {
                detail.push_str(&format!(", SQNR {figure}"));
            }
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
        let made = |(at, node): (usize, &Node)| node.outputs.iter().map(move |&id| (id, at)).collect::<Vec<_>>();
        let makers: BTreeMap<ValueId, usize> = block.nodes.iter().enumerate().flat_map(made).collect();
        let operator = |node: &Node| -> Result<Operator> {
            let (mut text, class) = describe(part, node)?;
            let makes: Vec<Tensor> = node.outputs.iter().map(|&id| Tensor::new(part, id)).collect::<Result<_>>()?;
            let figures: Vec<String> = makes.iter().map(|made| part.figure(&made.name)).collect();
            if tensors == Tensors::Border && !figures[0].is_empty() {
                text.push_str(&format!(" {}", figures[0]));
            }
            Ok(Operator { text, class, makes, figures, reads: reads(graph, block, &makers, node) })
        };
        Ok(Lines {
            class: if part.npu_nodes.is_some() { "npu" } else { "plain" },
            path: shorten(block.path, LONGEST),
            whole_path: block.path.to_string(),
            weights: format!("{}{}", weights(part, block)?, lowest(part, block)),
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
            operator.makes.iter().zip(&operator.figures).map(|(tensor, figure)| {
                width(&shorten(&tensor.name, LONGEST)) + width(&tensor.detail()) + width(figure)
            })
        });
        let listed = match self.tensors {
            Tensors::All => listed.max().unwrap_or(0) + COLUMN + self.rails().1.width() + 2 * PAD,
            Tensors::Border => 0,
        };
        let head = name_width(&self.path) + width(&self.weights) + PAD;
        let lines = self.takes.iter().chain(&self.gives).map(|(text, _)| width(text) + 2 * PAD);
        lines.fold(listed.max(head), i32::max) + 3 * PAD
    }

    /// The operators' places and lines.
    fn routes(&self, box_width: i32) -> Routes {
        let widths: Vec<i32> = self.operators.iter().map(|operator| width(&operator.text) + 16).collect();
        let reads: Vec<Vec<Origin>> = self.operators.iter().map(|operator| operator.reads.clone()).collect();
        routes(&widths, &reads, PAD, box_width - PAD)
    }

    /// What goes past other operators in a list of all tensors: from line to line, and the lanes.
    fn rails(&self) -> (Vec<(usize, usize)>, Rails) {
        let mut first = Vec::new();
        let mut line = 1;
        for operator in &self.operators {
            first.push(line);
            line += operator.makes.len();
        }
        let mut skips = Vec::new();
        for (at, operator) in self.operators.iter().enumerate() {
            skips.extend(operator.reads.iter().filter_map(|from| match from {
                Origin::Operator(source) => (source + 1 != at).then(|| (first[*source], first[at])),
                // From the line of the block's name.
                Origin::Outside(_) => (at > 0).then(|| (0, first[at])),
            }));
        }
        let made = rails(&skips);
        (skips, made)
    }

    /// Bottom of the box whose top is at `y`.
    fn bottom(&self, y: i32, box_width: i32) -> i32 {
        let height = match self.tensors {
            Tensors::Border => self.routes(box_width).height,
            Tensors::All => LINE * self.operators.iter().map(|operator| operator.makes.len() as i32).sum::<i32>() + 6,
        };
        y + height + 30 + LINE * self.takes.len() as i32
    }

    /// Draws the block with its upper left corner there and gives the top of the next.
    fn draw(&self, svg: &mut Svg, (left, y): (i32, i32), box_width: i32, has_next: bool) -> i32 {
        let bottom = self.bottom(y, box_width);
        svg.rectangle(self.class, [left, y, box_width, bottom - y]);
        svg.text("name", left + PAD, y + 20, &self.path, Some(&self.whole_path));
        svg.text("quiet", left + 2 * PAD + name_width(&self.path), y + 20, &self.weights, None);
        let mut top = y + 20;
        for (text, whole) in &self.takes {
            top += LINE;
            svg.text("quiet", left + PAD, top, &format!("← {text}"), Some(&format!("← {whole}")));
        }
        match self.tensors {
            Tensors::Border => {
                let routes = self.routes(box_width);
                let corner = |&(x, y): &(i32, i32)| (left + x, top + 4 + y);
                for line in &routes.lines {
                    let points: Vec<(i32, i32)> = line.points.iter().map(corner).collect();
                    svg.line(if line.skips { "skip" } else { "line" }, &points);
                }
                for (operator, place) in self.operators.iter().zip(&routes.chips) {
                    let (x, y) = corner(place);
                    svg.rectangle(operator.class, [x, y, width(&operator.text) + 16, CHIP]);
                    let class = if operator.class == "moves" { "quiet" } else { "" };
                    svg.text(class, x + 8, y + 16, &operator.text, None);
                }
            }
            Tensors::All => self.list(svg, left, top + 3),
        }
        let mut end = bottom + 4;
        for (text, whole) in &self.gives {
            end += LINE;
            svg.text("", left + 4 * PAD, end, text, Some(whole));
        }
        end += PAD;
        if has_next && self.feeds_next {
            svg.arrow(&[(left + 2 * PAD, bottom), (left + 2 * PAD, end)]);
        }
        end
    }

    /// One line per tensor that an operator makes; what skips lines goes along their left.
    fn list(&self, svg: &mut Svg, left: i32, mut y: i32) {
        let (skips, rails) = self.rails();
        let text = left + PAD + rails.width();
        for (&(from, to), lane) in skips.iter().zip(&rails.lanes) {
            let (x, middle) = (text - rails.at(*lane), |line: usize| y + LINE * line as i32 - 4);
            let end = [(x, middle(to)), (text - 4, middle(to))];
            match from {
                0 => svg.line("skip", &[&[(x, y + 3)][..], &end].concat()),
                from => svg.line("skip", &[&[(text - 4, middle(from)), (x, middle(from))][..], &end].concat()),
            }
        }
        for operator in &self.operators {
            for (at, (tensor, figure)) in operator.makes.iter().zip(&operator.figures).enumerate() {
                y += LINE;
                let what = if at == 0 { operator.text.as_str() } else { "" };
                let class = match operator.class {
                    "weighty" => "strong",
                    "moves" => "quiet",
                    _ => "",
                };
                svg.text(class, text, y, what, None);
                let name = shorten(&tensor.name, LONGEST);
                svg.text("", text + COLUMN, y, &name, Some(&tensor.name));
                let x = text + COLUMN + width(&name) + PAD;
                svg.text("quiet", x, y, &tensor.detail(), None);
                if !figure.is_empty() {
                    svg.text("strong", x + width(&tensor.detail()) + PAD, y, figure, None);
                }
            }
        }
    }
}

/// What an operator of a block reads, beside constants, each value once.
fn reads(graph: &Graph, block: &Block, makers: &BTreeMap<ValueId, usize>, node: &Node) -> Vec<Origin> {
    let mut made = Vec::new();
    for &id in node.inputs.iter().filter(|&&id| graph.value(id).constant().is_none()) {
        let outside = || Origin::Outside(block.reads.iter().position(|other| *other == id).unwrap_or_default());
        let from = makers.get(&id).map_or_else(outside, |&at| Origin::Operator(at));
        if !made.contains(&from) {
            made.push(from);
        }
    }
    made
}

/// The lowest figure of a block's tensors, in words behind other words.
fn lowest(part: &DrawnPartition, block: &Block) -> String {
    let names = block.nodes.iter().flat_map(|node| &node.outputs).map(|&id| &part.partition.graph.value(id).name);
    let found = names.filter_map(|name| Some((part.figures.get(name)?.best()?, name)));
    match found.min_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((db, name)) => {
            let end = name.strip_prefix(block.path).map_or(name.as_str(), |end| end.trim_start_matches('.'));
            let end = if end.is_empty() { name.as_str() } else { end };
            format!("; lowest SQNR {db:.1} dB ({})", shorten(end, LONGEST / 2))
        }
        None => String::new(),
    }
}

/// Where names stand in a list of operators: behind the longest text of one.
const COLUMN: i32 = 300;

/// An operator with what its weights say of it, and the class of its box.
fn describe(part: &DrawnPartition, node: &Node) -> Result<(String, &'static str)> {
    let graph = &part.partition.graph;
    let is_weight = |id: &ValueId| graph.value(*id).constant().is_some() && graph.value(*id).element.is_real();
    let weights = node.inputs.get(1).copied().filter(is_weight);
    let Some(weights) = weights.map(|id| Tensor::new(part, id)).transpose()? else {
        return Ok((node.op.name().to_string(), if node.op.moves_data_only() { "moves" } else { "plain" }));
    };
    let (name, integer) = (node.op.name(), weights.integer.name());
    Ok(match node.op.words(&weights.shape) {
        Some(words) => (format!("{name} {words} {integer}"), "weighty"),
        None => (format!("{name} {integer}"), "plain"),
    })
}

/// How much the constants of a block weigh, by bits.
fn weights(part: &DrawnPartition, block: &Block) -> Result<String> {
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
    let nodes = block.nodes.iter().filter(|node| !node.op.requantizes()).count();
    let nodes = if nodes == 1 { "1 node".to_string() } else { format!("{nodes} nodes") };
    Ok(if sizes.is_empty() { nodes } else { format!("{nodes}; weights {}", sizes.join(", ")) })
}
