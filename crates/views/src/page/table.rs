//! Tables of the page, in HTML or Markdown.

use super::change::{Change, Trend};
use crate::gate::output::cell;
use autoneural_base::text::escape;

/// A word of more characters may be broken after a sign of punctuation.
const LONG: usize = 16;
/// A table of so many columns is shown as a list on a screen that is not wide.
const MANY: usize = 7;
/// A table of at most so many rows stays on one page of paper.
const FEW: usize = 12;

/// A cell of a table.
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// Words that lead to a place in the page.
    Link(String, String),
    /// Words that say that something is wrong.
    Fault(String),
    /// A figure.
    Number(String),
    /// A figure that falls short.
    Bad(String),
    /// A figure against another.
    Change(Change),
    /// What was not measured.
    Missing,
    /// What there can be no figure of.
    Nothing,
}

impl Cell {
    /// A figure, or that there is none.
    pub(crate) fn figure(value: Option<f64>, digits: usize, unit: &str) -> Self {
        value.map_or(Cell::Missing, |value| Cell::Number(format!("{value:.digits$}{unit}")))
    }

    /// Words.
    pub(crate) fn text(text: &str) -> Self {
        Cell::Text(text.to_string())
    }

    /// The same, marked if it falls short.
    pub(crate) fn bad_if(self, is_bad: bool) -> Self {
        match self {
            Cell::Number(text) if is_bad => Cell::Bad(text),
            cell => cell,
        }
    }

    fn words(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Fault(text) | Cell::Link(text, _) => text,
            Cell::Number(text) | Cell::Bad(text) => text,
            Cell::Change(change) => &change.text,
            Cell::Missing => "not measured",
            Cell::Nothing => "",
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Cell::Number(_) | Cell::Bad(_) | Cell::Change(_) | Cell::Missing)
    }

    fn class(&self) -> &'static str {
        match self {
            Cell::Text(_) | Cell::Link(..) | Cell::Nothing => "",
            Cell::Fault(_) => " class=\"bad\"",
            Cell::Number(_) => " class=\"number\"",
            Cell::Bad(_) => " class=\"number bad\"",
            Cell::Missing => " class=\"number missing\"",
            Cell::Change(Change { turn: Trend::Better, .. }) => " class=\"number better\"",
            Cell::Change(Change { turn: Trend::Same, .. }) => " class=\"number same\"",
            Cell::Change(Change { turn: Trend::Worse, .. }) => " class=\"number worse\"",
        }
    }

    fn html(&self) -> String {
        match self {
            Cell::Link(text, to) => format!("<a href=\"#{}\">{}</a>", escape(to), breakable(text)),
            Cell::Text(text) => breakable(text),
            cell => escape(cell.words()),
        }
    }
}

/// Text in HTML; its long words, such as names of tensors, may be broken after a sign of punctuation and nowhere else.
pub(crate) fn breakable(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for word in text.split_inclusive(' ') {
        if word.chars().count() <= LONG {
            made.push_str(&escape(word));
            continue;
        }
        let pieces = word.split_inclusive(['.', '/', '_', '-', ',', ':', '=']).flat_map(halves);
        for (at, piece) in pieces.enumerate() {
            made.push_str(if at > 0 { "<wbr>" } else { "" });
            made.push_str(&escape(piece));
        }
    }
    made
}

/// A hash in two parts; any other piece as it is.
fn halves(piece: &str) -> Vec<&str> {
    match piece.len() == 64 && piece.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => vec![&piece[..32], &piece[32..]],
        false => vec![piece],
    }
}

/// A paragraph of small text; it is escaped.
pub(crate) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escape(text))
}

/// A table with a title for each column.
pub(crate) struct Table {
    titles: Vec<String>,
    rows: Vec<(Option<String>, Vec<Cell>)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(titles: &[&str]) -> Self {
        Table { titles: titles.iter().map(|title| title.to_string()).collect(), rows: vec![] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push((None, cells));
    }

    /// Adds a row that links lead to.
    pub(crate) fn place(&mut self, id: String, cells: Vec<Cell>) {
        self.rows.push((Some(id), cells));
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As HTML; all text is escaped.
    pub(crate) fn html(&self) -> String {
        let many = if self.titles.len() >= MANY { " many" } else { "" };
        let few = if self.rows.len() <= FEW { " few" } else { "" };
        let mut text = format!("<div class=\"wide\"><table class=\"cards{many}{few}\"><thead><tr>");
        for (index, title) in self.titles.iter().enumerate() {
            let is_number = |(_, row): &(_, Vec<Cell>)| row.get(index).is_some_and(Cell::is_number);
            let class = if self.rows.iter().any(is_number) { " class=\"number\"" } else { "" };
            text.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(title)));
        }
        text.push_str("</tr></thead><tbody>\n");
        for (id, row) in &self.rows {
            let id = id.as_ref().map(|id| format!(" id=\"{}\"", escape(id))).unwrap_or_default();
            text.push_str(&format!("<tr{id}>"));
            for (title, cell) in self.titles.iter().zip(row) {
                let (class, title) = (cell.class(), escape(title));
                text.push_str(&format!("<td{class} data-title=\"{title}\">{}</td>", cell.html()));
            }
            text.push_str("</tr>\n");
        }
        text + "</tbody></table></div>\n"
    }

    /// As Markdown; all text is escaped.
    pub(crate) fn markdown(&self) -> String {
        let titles: Vec<String> = self.titles.iter().map(|title| cell(title)).collect();
        let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
        for (_, row) in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|made| match made {
                    Cell::Bad(text) | Cell::Fault(text) => format!("**{}**", cell(text)),
                    Cell::Change(Change { turn: Trend::Worse, text }) => format!("**{}**", cell(text)),
                    made => cell(made.words()),
                })
                .collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::breakable;

    #[test]
    fn long_names_are_broken_at_their_dots_and_short_words_nowhere() {
        assert_eq!(breakable("of language.decode.logits"), "of language.<wbr>decode.<wbr>logits");
        assert_eq!(breakable("a <b.c> short"), "a &lt;b.c&gt; short");
    }
}
