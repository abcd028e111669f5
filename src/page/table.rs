//! Tables of the page, in HTML or Markdown.

use crate::gate::output::cell;
use crate::text::escape;

/// Text of more characters is broken into lines.
const LONG: usize = 40;

/// A cell of a table.
pub enum Cell {
    /// Words.
    Text(String),
    /// A figure.
    Number(String),
    /// A figure that falls short.
    Bad(String),
    /// What was not measured.
    Missing,
}

impl Cell {
    /// A figure, or that there is none.
    pub fn figure(value: Option<f64>, digits: usize, unit: &str) -> Self {
        value.map_or(Cell::Missing, |value| Cell::Number(format!("{value:.digits$}{unit}")))
    }

    /// A figure with its sign.
    pub fn difference(value: Option<f64>, digits: usize, unit: &str) -> Self {
        value.map_or(Cell::Missing, |value| Cell::Number(format!("{value:+.digits$}{unit}")))
    }

    /// The same, marked if it falls short.
    pub fn bad_if(self, is_bad: bool) -> Self {
        match self {
            Cell::Number(text) if is_bad => Cell::Bad(text),
            cell => cell,
        }
    }

    fn words(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Number(text) | Cell::Bad(text) => text,
            Cell::Missing => "not measured",
        }
    }
}

/// A table with a title for each column.
pub struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(titles: &[&str]) -> Self {
        Table { titles: titles.iter().map(|title| title.to_string()).collect(), rows: vec![] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As HTML; all text is escaped.
    pub fn html(&self) -> String {
        let mut text = String::from("<div class=\"wide\"><table><thead><tr>");
        for (index, title) in self.titles.iter().enumerate() {
            let is_number = |row: &Vec<Cell>| matches!(row.get(index), Some(Cell::Number(_) | Cell::Bad(_)));
            let class = if self.rows.iter().any(is_number) { " class=\"number\"" } else { "" };
            text.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(title)));
        }
        text.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            text.push_str("<tr>");
            for cell in row {
                let class = match cell {
                    Cell::Text(text) if text.chars().count() > LONG => " class=\"long\"",
                    Cell::Text(_) => "",
                    Cell::Number(_) => " class=\"number\"",
                    Cell::Bad(_) => " class=\"number bad\"",
                    Cell::Missing => " class=\"number missing\"",
                };
                text.push_str(&format!("<td{class}>{}</td>", escape(cell.words())));
            }
            text.push_str("</tr>\n");
        }
        text + "</tbody></table></div>\n"
    }

    /// As Markdown; all text is escaped.
    pub fn markdown(&self) -> String {
        let titles: Vec<String> = self.titles.iter().map(|title| cell(title)).collect();
        let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|made| match made {
                    Cell::Bad(text) => format!("**{}**", cell(text)),
                    made => cell(made.words()),
                })
                .collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }
}
