//! Text of other people's files where people and the systems of CI read it: names of tensors, models and tools, paths,
//! what libraries say, answers. A terminal obeys some characters, and a system of CI obeys some lines; here they stand
//! for themselves.

use std::borrow::Cow;
use std::path::Path;

/// A name or a sentence as part of a line: line ends, too, are written out (`\n`, `\u{1b}`).
pub fn in_line(text: &str) -> Cow<'_, str> {
    match text.contains(|c: char| c.is_control() || reorders(c)) {
        true => Cow::Owned(text.chars().fold(String::new(), |mut made, character| {
            match character.is_control() || reorders(character) {
                true => made.extend(character.escape_default()),
                false => made.push(character),
            }
            made
        })),
        false => Cow::Borrowed(text),
    }
}

/// The text of a JSON document with what a terminal or a system of CI would obey as escapes of JSON: it says the same.
pub fn in_json(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        let is_command = character == '#' && before == '#';
        // Those below U+0020 are escaped already, or stand between values.
        match (character >= '\u{7f}' && character.is_control()) || reorders(character) || is_command {
            true => made.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => made.push(character),
        }
        before = character;
    }
    made
}

/// Serializes a path, also one that is no UTF-8, as it is shown.
///
/// # Errors
/// Those of the serializer.
pub fn path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Marks that end a line or change the order in which what follows is shown, so that a name looks like another:
/// Unicode's Bidi_Control, and its line and paragraph separators.
fn reorders(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Text of several lines that comes in pieces. Line ends and tabs stay; other control characters and marks of order are
/// written out. A line that GitHub (`::name::`, `##[name]`), Azure (`##vso[name]`) or TeamCity (`##teamcity[name]`)
/// would take for a command gets a backslash into its mark.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Whether the line has nothing but space so far.
    fresh: bool,
    /// Whether the character before was a colon, the first of the line.
    colon: bool,
    /// Number of `#` right before.
    hashes: usize,
}

impl Lines {
    /// At the beginning of a line.
    pub fn new() -> Self {
        Lines { fresh: true, colon: false, hashes: 0 }
    }

    /// The next piece.
    pub fn piece(&mut self, text: &str) -> String {
        let mut made = String::with_capacity(text.len());
        for character in text.chars() {
            let is_command = self.colon && character == ':'
                || self.hashes >= 2 && (character == '[' || character.is_ascii_alphabetic());
            if is_command {
                made.push('\\');
            }
            match character {
                '\n' | '\t' => made.push(character),
                _ if character.is_control() || reorders(character) => made.extend(character.escape_default()),
                _ => made.push(character),
            }
            self.colon = self.fresh && character == ':';
            self.fresh = character == '\n' || self.fresh && character.is_whitespace();
            self.hashes = if character == '#' { self.hashes + 1 } else { 0 };
        }
        made
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

/// A whole text of lines, see [`Lines`].
pub fn lines(text: &str) -> String {
    Lines::new().piece(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_obeyed_by_nobody() {
        assert_eq!(in_line("blocks.0 ä 窗"), "blocks.0 ä 窗");
        let found = in_line("a\r\n::error::\u{1b}]0;x\u{7}\u{9b}31m\t\u{202e}b\u{2028}\u{7f}");
        let wanted = "a\\r\\n::error::\\u{1b}]0;x\\u{7}\\u{9b}31m\\t\\u{202e}b\\u{2028}\\u{7f}";
        assert_eq!(found, wanted);
    }

    #[test]
    fn json_says_the_same() {
        let value = serde_json::json!({ "a\u{9b}31m": "##[error]\u{202e}\u{7f}\n###" });
        let text = in_json(&value.to_string());
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{7f}']) && !text.contains("##"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn lines_hold_no_commands_however_they_come() {
        for (text, wanted) in [
            ("::error::x", ":\\:error::x"),
            (" \t::error::x", " \t:\\:error::x"),
            ("a::b\n::set-env", "a::b\n:\\:set-env"),
            ("a ##[error]b", "a ##\\[error]b"),
            ("##vso[x]##teamcity[y]", "##\\vso[x]##\\teamcity[y]"),
            ("## Title\n#! ### 3", "## Title\n#! ### 3"),
            ("\u{1b}[31mred\r\n\u{9b}x\u{7}", "\\u{1b}[31mred\\r\n\\u{9b}x\\u{7}"),
            ("a: b\n:-)", "a: b\n:-)"),
        ] {
            assert_eq!(lines(text), wanted);
            let mut pieces = Lines::new();
            let made: String = text.chars().map(|character| pieces.piece(&character.to_string())).collect();
            assert_eq!(made, wanted, "in pieces");
        }
    }
}
