//! Reading small text files that users write, with errors that name the line.

use std::io::Read;
use std::path::{Component, Path};

use crate::error::{Error, IoContext, Result};

/// Largest text file read whole; definitions and recipes are a thousandth of it.
const LARGEST: u64 = 16 << 20;

/// Reads a small UTF-8 text file.
///
/// # Errors
/// A missing or unreadable file, one over 16 MiB, or bytes that are no UTF-8.
pub fn read(path: &Path) -> Result<String> {
    let meta = std::fs::metadata(path).at(path)?;
    if meta.is_dir() {
        return Err(Error::input(path.display(), "is a folder, a file is wanted"));
    }
    let bytes = read_at_most(path, LARGEST)?;
    String::from_utf8(bytes).map_err(|error| Error::input(path.display(), format!("is no UTF-8 text: {error}")))
}

/// Reads a file whole if it is no larger than `most` bytes, whatever the file system says of its size.
///
/// # Errors
/// A missing or unreadable file, or a larger one.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).at(path)?;
    if bytes.len() as u64 > most {
        return Err(Error::input(path.display(), format!("is larger than {most} bytes, the most that is read")));
    }
    Ok(bytes)
}

/// A value from the JSON text of a file.
///
/// # Errors
/// Another content, with the line.
pub fn json<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| Error::input(format!("{}:{}", path.display(), error.line()), error))
}

/// An error about TOML text, with the line it is on.
pub fn toml_error(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let place = match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("{}:{line}", path.display())
        }
        None => path.display().to_string(),
    };
    Error::input(place, error.message())
}

/// Whether a path of somebody else's file stays in the folder that it is relative to.
pub fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Rows of cells as lines: the first column left, the others right, two spaces between.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let rows: Vec<[_; N]> = rows.iter().map(|row| row.each_ref().map(|cell| crate::shown::in_line(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, &width) in row[1..].iter().zip(&widths[1..]) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    match count {
        1_000_000_000.. => format!("{:.2} GB", count as f64 / 1e9),
        1_000_000.. => format!("{:.2} MB", count as f64 / 1e6),
        1_000.. => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{count} B"),
    }
}

/// Writes a text file whole or not at all: under another name first. What is no plain file, say a pipe, is written to.
///
/// # Errors
/// The operating system refuses.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return std::fs::write(path, text).at(path);
    }
    // A link stays a link, to the new contents.
    let place = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut partial = place.clone().into_os_string();
    partial.push(".partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &place));
    written.inspect_err(|_| drop(std::fs::remove_file(&partial))).at(path)
}

/// Text as it may stand in XML 1.0 and HTML, between tags or in quotes: what marks it up is written out, what XML cannot hold is
/// replaced.
pub fn escape(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '&' => made.push_str("&amp;"),
            '"' => made.push_str("&quot;"),
            '\'' => made.push_str("&#39;"),
            // Marks that reorder what follows would make a name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => made.push('\u{fffd}'),
            character if character.is_control() => made.push('\u{fffd}'),
            character => made.push(character),
        }
    }
    made
}

/// True when `name` matches `pattern`, in which `*` stands for any run of characters.
pub fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{escape, glob};

    #[test]
    fn text_of_others_is_no_markup() {
        assert_eq!(escape(r#"a<b>&"c'"#), "a&lt;b&gt;&amp;&quot;c&#39;");
        assert_eq!(escape("a\u{0}b\u{1b}\nc\u{202e}d"), "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn stars_match_any_run() {
        for (pattern, name, wanted) in [
            ("lm_head.weight", "lm_head.weight", true),
            ("lm_head.weight", "lm_head.weights", false),
            ("model.audio_tower.*", "model.audio_tower.a.b", true),
            ("*.bias", "a.b.bias", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c", false),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
