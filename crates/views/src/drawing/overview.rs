//! The picture of a whole bundle in three lanes: what the host does, the partitions from the image down to the logits,
//! and the state of a sequence, which goes out of a step and into the next.
//!
//! Every tensor that crosses a partition's border has a row of its own, name above and shape below its arrow, so that
//! no text meets another. A tensor that one partition hands to the next as it is stands between the two.

use super::legend;
use super::rows::{Band, Row, bands};
use super::subject::Subject;
use super::svg::{LINE, LONGEST, PAD, Svg, name_width, shorten, width};
use super::tensor::Tensors;
use autoneural_app::drivers::{Turn, Work};
use autoneural_app::report::StateKind;
use autoneural_base::error::Result;
use autoneural_base::text::bytes;

/// Height of a tensor's row.
const ROW: i32 = 46;
/// Between two partitions.
const GAP: i32 = 34;
/// The same where a tensor is handed over in it.
const HANDOVER: i32 = 70;
/// Left of the host's lane, for the way back from the chosen token.
const RETURN: i32 = 44;
/// Top of the lanes.
const TOP: i32 = 150;

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
    legend::overview(&mut svg, PAD, 72);
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
    host(&mut svg, &lanes, &bands, &tops);
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
        let hosts = bands.iter().flat_map(|band| &band.host).map(|row| &row.host);
        let host_width = widest(&mut hosts.map(|work| {
            work.lines.iter().map(|line| width(line)).max().unwrap_or(0).max(name_width(work.name)) + 2 * PAD
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
fn host(svg: &mut Svg, lanes: &Lanes, bands: &[Band], tops: &[i32]) {
    let mut boxes: Vec<(&Work, i32, i32)> = Vec::new();
    for (band, &top) in bands.iter().zip(tops) {
        for (at, row) in band.host.iter().enumerate() {
            let y = band.row(&band.host, at, top);
            match boxes.last_mut() {
                Some((host, _, bottom)) if **host == row.host => *bottom = y,
                _ => boxes.push((&row.host, y, y)),
            }
        }
    }
    let (half, x) = (ROW / 2 - 2, lanes.host + lanes.host_width / 2);
    for (at, &(host, first, last)) in boxes.iter().enumerate() {
        let (top, height) = (first - half, last - first + 2 * half);
        svg.rectangle("host", [lanes.host, top, lanes.host_width, height]);
        svg.text("name", lanes.host + PAD, top + 17, host.name, None);
        let room = (height - 24) / LINE;
        for (line, text) in host.lines.iter().take(room.max(1) as usize).enumerate() {
            svg.text("quiet", lanes.host + PAD, top + 17 + LINE * (line as i32 + 1), text, None);
        }
        if host.turn != Some(Turn::Chooses) {
            continue;
        }
        // The token that was chosen is the next step's input: the step below, or the same once more.
        let rows = |&(host, ..): &(&Work, i32, i32)| host.turn == Some(Turn::Takes);
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
