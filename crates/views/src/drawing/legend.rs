//! What boxes and lines of a picture mean, in a row on top of it.

use super::svg::{Svg, width};
use super::tensor::Tensors;

/// Size of a sample box.
const BOX: [i32; 2] = [22, 14];

/// A sample and its words; gives where the next begins.
fn entry(svg: &mut Svg, (x, y): (i32, i32), class: &str, words: &str) -> i32 {
    match class {
        "line" | "skip" => svg.line(class, &[(x, y + 7), (x + BOX[0], y + 7)]),
        class => svg.rectangle(class, [x, y, BOX[0], BOX[1]]),
    }
    svg.text("quiet", x + BOX[0] + 6, y + 11, words, None);
    x + BOX[0] + width(words) + 26
}

fn row(svg: &mut Svg, mut x: i32, y: i32, entries: &[(&str, &str)]) {
    for (class, words) in entries {
        x = entry(svg, (x, y), class, words);
    }
}

/// Of the inside of a partition.
pub fn inside(svg: &mut Svg, (x, y): (i32, i32), tensors: Tensors, has_figures: bool) {
    let boxes = [("weighty", "operator with weights"), ("plain", "other operator"), ("moves", "only moves data")];
    let lines = [("line", "to the next"), ("skip", "residual, or read from elsewhere")];
    let mut words = match tensors {
        Tensors::Border => {
            row(svg, x, y, &[&boxes[..], &lines].concat());
            vec![]
        }
        Tensors::All => {
            row(svg, x, y, &lines);
            vec!["bold: operators with weights", "grey: operators that only move data"]
        }
    };
    if has_figures {
        words.push("dB: SQNR of what an operator makes, on the NPU against float, where it was measured");
    }
    svg.text("quiet", x, y + 31, &words.join("; "), None);
}

/// Of all partitions.
pub fn overview(svg: &mut Svg, x: i32, y: i32) {
    let entries = [
        ("npu", "context binary, on the NPU"),
        ("plain", "not compiled"),
        ("host", "what the host does, on the CPU"),
        ("state", "kept from step to step"),
        ("line", "tensor: name, shape, integers, bytes"),
    ];
    row(svg, x, y, &entries);
    svg.text("quiet", x, y + 31, "SQNR is that of the partition's main output against float, on float inputs", None);
}
