//! What drawings are made of: boxes, lines of text and arrows go in, the text of one SVG file comes out.
//!
//! All text is in a monospaced font, so that its width is known without measuring. Coordinates are whole pixels.

use std::fmt::Write;

use autoneural_base::text::escape;

/// Longest name that is written out in the picture of a bundle.
pub(crate) const LONGEST: usize = 48;
/// Height of a line of text.
pub(crate) const LINE: i32 = 17;
/// Room between a box and its text.
pub(crate) const PAD: i32 = 12;

/// How the tip of an arrow is sized and turned.
const MARKER: &str = r#"markerUnits="userSpaceOnUse" orient="auto""#;

/// Colours by class, for light and then for dark surroundings: of boxes fill and outline, of text and lines one.
const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}
.title{font-size:18px;font-weight:bold}
.name{font-size:14px;font-weight:bold}
.strong{font-weight:bold}
.quiet{fill:#59636e}
.wrong{fill:#cf222e}
.middle{text-anchor:middle}
.paper{fill:#ffffff}
.npu{fill:#ddf4ff;stroke:#0969da}
.host{fill:#f6f8fa;stroke:#6e7781;stroke-dasharray:5 3}
.state{fill:#dafbe1;stroke:#1a7f37}
.plain{fill:#ffffff;stroke:#8c959f}
.weighty{fill:#fff8c5;stroke:#9a6700}
.moves{fill:none;stroke:#8c959f;stroke-opacity:0.5}
.line{fill:none;stroke:#59636e;stroke-width:1.5}
.tip{fill:#59636e}
.skip{fill:none;stroke:#8250df;stroke-width:1.5}
.skiptip{fill:#8250df}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.quiet{fill:#9198a1}
.wrong{fill:#ff7b72}
.paper{fill:#0d1117}
.npu{fill:#0c2d6b;stroke:#58a6ff}
.host{fill:#161b22;stroke:#8b949e}
.state{fill:#033a16;stroke:#3fb950}
.plain{fill:#0d1117;stroke:#6e7681}
.weighty{fill:#341a00;stroke:#d29922}
.line{stroke:#9198a1}
.tip{fill:#9198a1}
.skip{stroke:#bc8cff}
.skiptip{fill:#bc8cff}
}
";

/// Width in pixels of text of 12 pixels: 7.3 a character, the widest of common monospaced fonts, and twice as much for
/// characters that fonts draw wide.
pub(crate) fn width(text: &str) -> i32 {
    let units: i32 = text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
    units * 73 / 10 + 1
}

/// Width of the same text as the name of a box (14 pixels, bold).
pub(crate) fn name_width(text: &str) -> i32 {
    width(text) * 14 / 12 + 1
}

/// Width of the same text as the title of a drawing (18 pixels, bold).
pub(crate) fn title_width(text: &str) -> i32 {
    width(text) * 18 / 12 + 1
}

/// Text of at most so many characters; of a longer one the middle is left out.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= most {
        return text.to_string();
    }
    // The end of a path tells more than its beginning.
    let (head, tail) = ((most - 1) / 3, most - 1 - (most - 1) / 3);
    let (head, tail) = (&characters[..head], &characters[characters.len() - tail..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// A drawing that is being made.
#[derive(Default)]
pub(crate) struct Svg {
    body: String,
    width: i32,
    height: i32,
}

impl Svg {
    fn reach(&mut self, x: i32, y: i32) {
        (self.width, self.height) = (self.width.max(x), self.height.max(y));
    }

    /// A box with round corners.
    pub(crate) fn rectangle(&mut self, class: &str, [x, y, width, height]: [i32; 4]) {
        self.reach(x + width, y + height);
        let _ =
            writeln!(self.body, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>"#);
    }

    /// A line of text that begins at `x` (or has its middle there, of class `middle`) and stands on `y`. `whole` is
    /// what it was shortened from, shown where the pointer rests.
    pub(crate) fn text(&mut self, class: &str, x: i32, y: i32, text: &str, whole: Option<&str>) {
        let size = match class {
            "title" => title_width(text),
            "name" => name_width(text),
            _ => width(text),
        };
        self.reach(if class.contains("middle") { x + size / 2 } else { x + size }, y + 5);
        let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
        let whole = whole.filter(|whole| *whole != text);
        let title = whole.map(|whole| format!("<title>{}</title>", escape(whole))).unwrap_or_default();
        let _ = writeln!(self.body, r#"<text{class} x="{x}" y="{y}">{title}{}</text>"#, escape(text));
    }

    /// A line through these points with a tip at its end.
    pub(crate) fn arrow(&mut self, points: &[(i32, i32)]) {
        self.line("line", points);
    }

    /// The same of a class: `line`, or `skip` for what goes past something.
    pub(crate) fn line(&mut self, class: &str, points: &[(i32, i32)]) {
        points.iter().for_each(|&(x, y)| self.reach(x, y));
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let tip = if class == "skip" { "skiptip" } else { "tip" };
        let path = path.join(" ");
        let _ = writeln!(self.body, r#"<polyline class="{class}" points="{path}" marker-end="url(#{tip})"/>"#);
    }

    /// A line through these points without a tip.
    pub(crate) fn path(&mut self, class: &str, points: &[(i32, i32)]) {
        points.iter().for_each(|&(x, y)| self.reach(x, y));
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let _ = writeln!(self.body, r#"<polyline class="{class}" points="{}"/>"#, path.join(" "));
    }

    /// A round dot.
    pub(crate) fn dot(&mut self, class: &str, (x, y): (i32, i32), radius: i32) {
        self.reach(x + radius, y + radius);
        let _ = writeln!(self.body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#);
    }

    /// The whole file. `title` and `description` are for those who cannot see it.
    pub(crate) fn finish(self, title: &str, description: &str) -> String {
        let (width, height) = (self.width + 2 * PAD, self.height + 2 * PAD);
        let (title, description, body) = (escape(title), escape(description), self.body);
        format!(
            r##"<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>{title}</title>
<desc>{description}</desc>
<style>
{STYLE}</style>
<defs>
<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" {MARKER}>
<path class="tip" d="M0,0 8,4 0,8z"/>
</marker>
<marker id="skiptip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" {MARKER}>
<path class="skiptip" d="M0,0 8,4 0,8z"/>
</marker>
</defs>
<rect class="paper" width="{width}" height="{height}"/>
{body}</svg>
"##
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_text() {
        let mut svg = Svg::default();
        svg.text("", 0, 0, "</text><script>", Some("]]>"));
        let made = svg.finish("<title>", "&");
        assert!(made.contains("<title>]]&gt;</title>&lt;/text&gt;&lt;script&gt;</text>"), "{made}");
        assert!(made.contains("<title>&lt;title&gt;</title>\n<desc>&amp;</desc>"), "{made}");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shorten("layers.0.conv", 13), "layers.0.conv");
        assert_eq!(shorten("layers.0.convolution", 10), "lay…lution");
        assert_eq!(shorten("äöüäöüäöü", 4), "ä…öü");
    }
}
