//! The picture of a whole bundle in three lanes: what the host does, the partitions from the image down to the logits,
//! and the state of a sequence, which goes out of a step and into the next.
//!
//! Every tensor that crosses a partition's border has a row of its own, name above and shape below its arrow, so that
//! no text meets another. A tensor that one partition hands to the next as it is stands between the two.

use super::svg::{LINE, PAD, Svg, name_width, shorten, width};
use super::{Subject, Tensor, Tensors};
use crate::error::Result;
use crate::ir::ValueId;
use crate::partition::{Port, Role};
use crate::report::StateKind;
use crate::text::bytes;

/// Height of a tensor's row.
const ROW: i32 = 46;
/// Between two partitions.
const GAP: i32 = 34;
/// The same where a tensor is handed over in it.
const HANDOVER: i32 = 70;
/// Left of the host's lane, for the way back from the chosen token.
const RETURN: i32 = 44;
/// Top of the lanes.
const TOP: i32 = 116;
/// Longest name that is written out.
const LONGEST: usize = 48;

/// What the host does with a tensor that goes in or comes out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Host {
    Picture,
    Rows,
    Rotary,
    Mask,
    Positions,
    Token,
    Copy,
}

impl Host {
    fn of(role: Role) -> Self {
        match role {
            Role::Image => Host::Picture,
            Role::Embeddings => Host::Rows,
            Role::Rotary => Host::Rotary,
            Role::Mask => Host::Mask,
            Role::Index => Host::Positions,
            Role::Logits => Host::Token,
            Role::Features | Role::Keys | Role::Values | Role::ConvState => Host::Copy,
        }
    }

    /// Name, and lines of which as many are written as there is room for.
    fn lines(self, subject: &Subject) -> (&'static str, Vec<String>) {
        let table = format!("of a table of {}", bytes(subject.sizes.device.embedding_bytes));
        let (name, lines): (_, &[&str]) = match self {
            Host::Picture => ("picture", &["resized, as codes"]),
            Host::Rows => ("embeddings", &["a row for each token", &table, "rows of the picture", "in their places"]),
            Host::Rotary => ("rotary table", &["of the positions"]),
            Host::Mask => ("mask", &["of visible tokens"]),
            Host::Positions => ("positions", &["last that counts"]),
            Host::Token => ("next token", &["likeliest or drawn"]),
            Host::Copy => ("hand-over", &["a plain copy"]),
        };
        (name, lines.iter().map(|line| line.to_string()).collect())
    }
}

/// One tensor, or the same of several layers, at a partition's side.
struct Row {
    name: String,
    whole: String,
    detail: String,
    inward: bool,
    host: Host,
}

/// A partition with its rows.
struct Band {
    name: String,
    whole_name: String,
    class: &'static str,
    facts: Vec<(&'static str, String)>,
    /// Inputs first, then outputs.
    host: Vec<Row>,
    state: Vec<Row>,
    /// What it hands to the next partition as it is.
    handed: Vec<Tensor>,
}

impl Band {
    fn height(&self) -> i32 {
        let text = LINE * (self.facts.len() as i32 + 1) + 2 * PAD;
        text.max(ROW * self.host.len().max(self.state.len()) as i32 + PAD)
    }

    /// The middle of a row; inputs are counted from the top of the box and outputs from its bottom.
    fn row(&self, rows: &[Row], at: usize, top: i32) -> i32 {
        let from_end = (rows.len() - at) as i32;
        match rows[at].inward {
            true => top + ROW * at as i32 + ROW / 2 + 4,
            false => top + self.height() - ROW * from_end + ROW / 2 - 4,
        }
    }
}

/// Draws the partitions of a bundle.
///
/// # Errors
/// Encodings of another graph.
pub fn overview(subject: &Subject, tensors: Tensors) -> Result<String> {
    let bands = bands(subject, tensors)?;
    let mut svg = Svg::default();
    let title = format!("{} for {}", shorten(&subject.model, LONGEST), shorten(&subject.target, LONGEST));
    svg.text("title", PAD, 34, &title, None);
    svg.text("quiet", PAD, 58, &subject.sizes.line(), None);
    let lanes = Lanes::new(subject, &bands);
    for (x, lane, text) in [
        (lanes.host, lanes.host_width, "host (CPU)"),
        (lanes.npu, lanes.npu_width, "partitions"),
        (lanes.state, lanes.state_width, "between steps"),
    ] {
        svg.text("strong quiet middle", x + lane / 2, TOP - 18, text, None);
    }
    let mut tops = Vec::new();
    let mut y = TOP;
    for band in &bands {
        tops.push(y);
        y +=
            band.height() + if band.handed.is_empty() { GAP } else { HANDOVER + LINE * (band.handed.len() as i32 - 1) };
    }
    for (at, (band, &top)) in bands.iter().zip(&tops).enumerate() {
        partition(&mut svg, &lanes, band, top);
        let next = tops.get(at + 1).copied().unwrap_or(top + band.height());
        handed(&mut svg, &lanes, band, top + band.height(), next);
    }
    host(&mut svg, subject, &lanes, &bands, &tops);
    state(&mut svg, subject, &lanes, &bands, &tops);
    let description = format!("Partitions: {}. {}", subject.names().join(", "), subject.sizes.line());
    Ok(svg.finish(&title, &description))
}

/// Left edges and widths of the lanes.
struct Lanes {
    host: i32,
    host_width: i32,
    npu: i32,
    npu_width: i32,
    state: i32,
    state_width: i32,
}

impl Lanes {
    fn new(subject: &Subject, bands: &[Band]) -> Self {
        let widest = |widths: &mut dyn Iterator<Item = i32>| widths.max().unwrap_or(0);
        let labels = |rows: &mut dyn Iterator<Item = &Row>| {
            rows.map(|row| width(&row.name).max(width(&row.detail))).max().map_or(PAD, |width| width + 4 * PAD)
        };
        let hosts = bands.iter().flat_map(|band| &band.host).map(|row| row.host.lines(subject));
        let host_width = widest(&mut hosts.map(|(name, lines)| {
            lines.iter().map(|line| width(line)).max().unwrap_or(0).max(name_width(name)) + 2 * PAD
        }));
        let npu_width = widest(&mut bands.iter().map(|band| {
            let facts = band.facts.iter().map(|(_, text)| width(text)).max().unwrap_or(0);
            facts.max(name_width(&band.name)) + 2 * PAD
        }));
        let state_width = widest(&mut state_lines(subject).iter().map(|(_, text)| name_width(text))) + 2 * PAD;
        let host = PAD + RETURN;
        let npu = host + host_width + labels(&mut bands.iter().flat_map(|band| &band.host));
        let state = npu + npu_width + labels(&mut bands.iter().flat_map(|band| &band.state));
        Lanes { host, host_width, npu, npu_width, state, state_width }
    }
}

fn bands(subject: &Subject, tensors: Tensors) -> Result<Vec<Band>> {
    let mut bands: Vec<Band> = Vec::new();
    for (at, part) in subject.parts.iter().enumerate() {
        let (partition, graph) = (&part.partition, &part.partition.graph);
        let next = subject.parts.get(at + 1);
        let before = at.checked_sub(1).map(|before| &subject.parts[before]);
        let mut band = Band {
            name: shorten(&partition.name, LONGEST),
            whole_name: partition.name.clone(),
            class: if part.npu_nodes.is_some() { "npu" } else { "plain" },
            facts: subject.facts(at),
            host: vec![],
            state: vec![],
            handed: vec![],
        };
        for (ports, ids, inward) in
            [(&partition.inputs, graph.inputs(), true), (&partition.outputs, graph.outputs(), false)]
        {
            let mut state: Vec<(Role, Tensor)> = Vec::new();
            for (port, &id) in ports.iter().zip(ids) {
                let tensor = Tensor::new(part, id)?;
                let same = |ports: &[Port], ids: &[ValueId], other: &super::Part| {
                    let alike = |(theirs, &their_id): (&Port, &ValueId)| {
                        is_handed(port)
                            && theirs.encoding_key == port.encoding_key
                            && other.partition.graph.value(their_id).shape == tensor.shape
                    };
                    ports.iter().zip(ids).any(alike)
                };
                let is_taken = match inward {
                    true => before.is_some_and(|p| same(&p.partition.outputs, p.partition.graph.outputs(), p)),
                    false => next.is_some_and(|p| same(&p.partition.inputs, p.partition.graph.inputs(), p)),
                };
                match (StateKind::of(port.role), is_taken) {
                    (Some(_), _) => state.push((port.role, tensor)),
                    (None, false) => band.host.push(row(&[&tensor], inward, Host::of(port.role))),
                    (None, true) if !inward => band.handed.push(tensor),
                    (None, true) => {}
                }
            }
            band.state.extend(state_rows(&state, inward, tensors));
        }
        bands.push(band);
    }
    Ok(bands)
}

/// Whether a tensor can go from a partition to the next as it is; rows of embeddings are put in order by the host.
fn is_handed(port: &Port) -> bool {
    StateKind::of(port.role).is_none() && port.role != Role::Embeddings && !port.encoding_key.is_empty()
}

/// Rows of state: one per tensor, or one for those of all layers that are alike.
fn state_rows(state: &[(Role, Tensor)], inward: bool, tensors: Tensors) -> Vec<Row> {
    let mut groups: Vec<(Role, Vec<&Tensor>)> = Vec::new();
    for (role, tensor) in state {
        let alike = groups
            .iter_mut()
            .find(|(other, group)| tensors == Tensors::Border && other == role && group[0].kind() == tensor.kind());
        match alike {
            Some((_, group)) => group.push(tensor),
            None => groups.push((*role, vec![tensor])),
        }
    }
    groups.iter().map(|(_, group)| row(group, inward, Host::Copy)).collect()
}

/// The row of tensors that are alike.
fn row(group: &[&Tensor], inward: bool, host: Host) -> Row {
    let first = group[0];
    let names: Vec<&str> = group.iter().map(|tensor| tensor.name.as_str()).collect();
    let total = bytes(group.iter().map(|tensor| tensor.bytes()).sum());
    let (name, detail) = match names.len() {
        1 => (first.name.clone(), first.detail()),
        count => (format!("{count} × {}", pattern(&names)), format!("{}, in all {total}", first.kind())),
    };
    let whole = if names.len() == 1 { name.clone() } else { names.join(", ") };
    Row { name: shorten(&name, LONGEST), whole, detail, inward, host }
}

/// What several names have in common, `*` for the parts of the path in which they differ.
fn pattern(names: &[&str]) -> String {
    let mut common: Vec<&str> = names[0].split('.').collect();
    for name in &names[1..] {
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() != common.len() {
            return format!("{}, …", names[0]);
        }
        for (known, part) in common.iter_mut().zip(parts) {
            if *known != part {
                *known = "*";
            }
        }
    }
    common.join(".")
}

fn partition(svg: &mut Svg, lanes: &Lanes, band: &Band, top: i32) {
    svg.rectangle(band.class, [lanes.npu, top, lanes.npu_width, band.height()]);
    svg.text("name", lanes.npu + PAD, top + PAD + 12, &band.name, Some(&band.whole_name));
    for (line, (class, text)) in band.facts.iter().enumerate() {
        svg.text(class, lanes.npu + PAD, top + PAD + 14 + LINE * (line as i32 + 1), text, None);
    }
    let (left, right) = (lanes.npu, lanes.npu + lanes.npu_width);
    for (at, row) in band.host.iter().enumerate() {
        label(svg, row, lanes.host + lanes.host_width, left, band.row(&band.host, at, top), row.inward);
    }
    for (at, row) in band.state.iter().enumerate() {
        label(svg, row, right, lanes.state, band.row(&band.state, at, top), !row.inward);
    }
}

/// The arrow of a row between two edges, with its text.
fn label(svg: &mut Svg, row: &Row, left: i32, right: i32, y: i32, rightward: bool) {
    let middle = (left + right) / 2;
    svg.text("strong middle", middle, y - 6, &row.name, Some(&row.whole));
    svg.text("quiet middle", middle, y + 14, &row.detail, None);
    svg.arrow(&if rightward { [(left, y), (right, y)] } else { [(right, y), (left, y)] });
}

/// The arrow to the next partition, with the tensors that go along it.
fn handed(svg: &mut Svg, lanes: &Lanes, band: &Band, top: i32, bottom: i32) {
    if band.handed.is_empty() {
        return;
    }
    let x = lanes.npu + lanes.npu_width / 2;
    svg.arrow(&[(x, top), (x, bottom)]);
    let lines = 2 * band.handed.len() as i32;
    let mut y = (top + bottom) / 2 - LINE * lines / 2 + 13;
    for tensor in &band.handed {
        svg.text("strong", x + PAD, y, &shorten(&tensor.name, LONGEST), Some(&tensor.name));
        svg.text("quiet", x + PAD, y + LINE, &tensor.detail(), None);
        y += 2 * LINE;
    }
}

/// The host's boxes: rows that follow each other and are made by the same part of it share one.
fn host(svg: &mut Svg, subject: &Subject, lanes: &Lanes, bands: &[Band], tops: &[i32]) {
    let mut boxes: Vec<(Host, i32, i32)> = Vec::new();
    for (band, &top) in bands.iter().zip(tops) {
        for (at, row) in band.host.iter().enumerate() {
            let y = band.row(&band.host, at, top);
            match boxes.last_mut() {
                Some((host, _, bottom)) if *host == row.host => *bottom = y,
                _ => boxes.push((row.host, y, y)),
            }
        }
    }
    let (half, x) = (ROW / 2 - 2, lanes.host + lanes.host_width / 2);
    for (at, &(host, first, last)) in boxes.iter().enumerate() {
        let (top, height) = (first - half, last - first + 2 * half);
        svg.rectangle("host", [lanes.host, top, lanes.host_width, height]);
        let (name, lines) = host.lines(subject);
        svg.text("name", lanes.host + PAD, top + 17, name, None);
        let room = (height - 24) / LINE;
        for (line, text) in lines.iter().take(room.max(1) as usize).enumerate() {
            svg.text("quiet", lanes.host + PAD, top + 17 + LINE * (line as i32 + 1), text, None);
        }
        if host != Host::Token {
            continue;
        }
        // The token that was chosen is the next step's input: the step below, or the same once more.
        let rows = |&(host, ..): &(Host, i32, i32)| host == Host::Rows;
        let bottom = last + half;
        match (boxes.get(at + 1).filter(|next| rows(next)), boxes[..at].iter().rev().find(|found| rows(found))) {
            (Some(&(_, next, _)), _) => svg.arrow(&[(x, bottom), (x, next - half)]),
            (None, Some(&(_, _, last_row))) => {
                let way = lanes.host - RETURN / 2;
                let middle = (first + last) / 2;
                svg.arrow(&[(lanes.host, middle), (way, middle), (way, last_row), (lanes.host, last_row)]);
            }
            (None, None) => {}
        }
    }
}

/// Lines in the box of the state.
fn state_lines(subject: &Subject) -> Vec<(&'static str, String)> {
    let mut lines = vec![("name", "state of a sequence".to_string())];
    for state in &subject.sizes.state {
        let (name, unit) = match state.kind {
            StateKind::KvCache => ("keys and values", "tokens"),
            StateKind::ConvState => ("conv state", "columns"),
        };
        lines.push(("strong", name.to_string()));
        lines.push(("", format!("{} layers, {} {unit}", state.layers, state.tokens)));
        lines.push(("", format!("{}, {}", state.integer.name(), bytes(state.bytes))));
    }
    lines
}

/// The box of the state, along all partitions that have any.
fn state(svg: &mut Svg, subject: &Subject, lanes: &Lanes, bands: &[Band], tops: &[i32]) {
    let mut ends = bands.iter().zip(tops).filter(|(band, _)| !band.state.is_empty());
    let Some((band, &top)) = ends.next() else { return };
    let (last, &last_top) = ends.next_back().unwrap_or((band, &top));
    svg.rectangle("state", [lanes.state, top, lanes.state_width, last_top + last.height() - top]);
    let mut y = top + PAD + 12;
    for (class, text) in state_lines(subject) {
        if class == "strong" {
            y += LINE / 2;
        }
        svg.text(class, lanes.state + PAD, y, &text, None);
        y += LINE;
    }
}
