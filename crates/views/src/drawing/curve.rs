//! What tuning measured of a group as a curve: fidelity over bytes, with what was chosen and what was checked.

use super::svg::{PAD, Svg};
use autoneural_app::tune::{Figure, Tuned, TunedGroup};
use autoneural_base::text::bytes;
use autoneural_core::tune::WidthsUsed;

/// Size of the plot, without its words.
const SIZE: [i32; 2] = [760, 320];
/// Room for the words on the left and above.
const LEFT: i32 = 80;
const TOP: i32 = 64;
/// Lines of the grid along each axis.
const LINES: i32 = 5;

/// Where numbers are in the plot.
struct Axes {
    bytes: [f64; 2],
    figures: [f64; 2],
}

impl Axes {
    /// Axes that hold all of these points, with some room.
    fn of(points: &[(f64, f64)]) -> Self {
        let ends = |numbers: &mut dyn Iterator<Item = f64>| {
            let [low, high] =
                numbers.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| [low.min(x), high.max(x)]);
            if low > high {
                return [0.0, 1.0];
            }
            let room = ((high - low) * 0.04).max(high.abs() * 1e-3).max(1e-9);
            [low - room, high + room]
        };
        Axes { bytes: ends(&mut points.iter().map(|p| p.0)), figures: ends(&mut points.iter().map(|p| p.1)) }
    }

    fn at(&self, (bytes, figure): (f64, f64)) -> (i32, i32) {
        let share = |[low, high]: [f64; 2], x: f64| ((x - low) / (high - low)).clamp(0.0, 1.0);
        let x = f64::from(LEFT) + share(self.bytes, bytes) * f64::from(SIZE[0]);
        let y = f64::from(TOP + SIZE[1]) - share(self.figures, figure) * f64::from(SIZE[1]);
        (x.round() as i32, y.round() as i32)
    }
}

/// The curve of a group as one SVG file.
pub fn curve(tuned: &Tuned, group: &TunedGroup) -> String {
    let scale = group.scale();
    let figure = |noise: f64| tuned.figure.of(noise);
    // A run reads weights once, and the values that it computes as often as they are written and read.
    let moved = |bytes: u64, widths: Option<WidthsUsed>| (bytes + widths.map_or(0, |widths| widths.moved)) as f64;
    let line: Vec<(f64, f64)> =
        group.curve.iter().map(|point| (moved(point.bytes, point.widths), figure(point.noise * scale))).collect();
    let checks: Vec<(f64, f64)> =
        group.checks.iter().map(|check| (moved(check.bytes, check.widths), figure(check.measured))).collect();
    let widths = group.widths.map(|widths| widths.chosen);
    let chosen = (moved(group.bytes(), widths), figure(group.measured().unwrap_or(group.predicted() * scale)));
    let all: Vec<(f64, f64)> = line.iter().chain(&checks).copied().chain([chosen]).collect();
    let axes = Axes::of(&all);
    let mut svg = Svg::default();
    svg.text("title", PAD, PAD + 14, &group.group, None);
    let unit = match tuned.figure {
        Figure::Db => "SQNR in dB, higher is better",
        Figure::PerplexityPercent => "perplexity above float in percent, lower is better",
    };
    let over = if widths.is_some() { " and of computed values that a run moves" } else { "" };
    svg.text("quiet", PAD, PAD + 36, &format!("{unit}, over bytes of weights with scales{over}"), None);
    for at in 0..=LINES {
        let share = f64::from(at) / f64::from(LINES);
        let between = |[low, high]: [f64; 2]| low + share * (high - low);
        let (size, value) = (between(axes.bytes), between(axes.figures));
        let ((x, _), (_, y)) = (axes.at((size, axes.figures[0])), axes.at((axes.bytes[0], value)));
        svg.path("moves", &[(x, TOP), (x, TOP + SIZE[1])]);
        svg.path("moves", &[(LEFT, y), (LEFT + SIZE[0], y)]);
        svg.text("quiet middle", x, TOP + SIZE[1] + 18, &bytes(size.max(0.0) as u64), None);
        svg.text("quiet", PAD, y + 4, &format!("{value:.1}"), None);
    }
    svg.path("line", &line.iter().map(|point| axes.at(*point)).collect::<Vec<_>>());
    for check in checks {
        svg.dot("npu", axes.at(check), 4);
    }
    let at = axes.at(chosen);
    svg.dot("weighty", at, 6);
    let below = TOP + SIZE[1] + 44;
    svg.path("line", &[(LEFT, below - 4), (LEFT + 22, below - 4)]);
    svg.text("quiet", LEFT + 28, below, "best assignments, by measurements of single layers and the last check", None);
    svg.dot("npu", (LEFT + 11, below + 16), 4);
    svg.text("quiet", LEFT + 28, below + 20, "checked: the whole model, quantized and simulated", None);
    svg.dot("weighty", (LEFT + 11, below + 36), 6);
    svg.text("quiet", LEFT + 28, below + 40, "chosen", None);
    let description = format!("{} points from {} to {}", line.len(), axes.bytes[0].round(), axes.bytes[1].round());
    svg.finish(&format!("fidelity of {} over bytes", group.group), &description)
}
