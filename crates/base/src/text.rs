//! Reading small text files that users write, with errors that name the line.

use std::path::{Component, Path};

use crate::error::{Error, Result};

/// Largest text file read whole; definitions and recipes are a thousandth of it.
pub const LARGEST: u64 = 16 << 20;

/// Reads a small UTF-8 text file.
///
/// # Errors
/// A missing or unreadable file, what is no regular file, one over 16 MiB, or bytes that are no UTF-8.
pub fn read(path: &Path) -> Result<String> {
    if path.is_dir() {
        return Err(Error::input(path.display(), "is a folder, a file is wanted"));
    }
    utf8(path, read_at_most(path, LARGEST)?)
}

/// Text of a file from its bytes.
///
/// # Errors
/// Bytes that are no UTF-8.
pub fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String> {
    if let Some(error) = utf16(path, &bytes) {
        return Err(error);
    }
    String::from_utf8(bytes).map_err(|error| Error::input(path.display(), format!("is no UTF-8 text: {error}")))
}

/// Reads a file whole if it is no larger than `most` bytes, whatever the file system says of its size.
///
/// # Errors
/// A missing or unreadable file, what is no regular file, or a larger one.
pub fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>> {
    let bytes = crate::files::read(crate::files::open(path)?, path, most)?;
    if is_lfs_pointer(&bytes) {
        return Err(Error::input(path.display(), "is a git-lfs pointer: the file itself was not fetched")
            .help("run `git lfs pull` where the checkpoint was cloned, or download the file"));
    }
    Ok(bytes)
}

/// Whether bytes are what git-lfs leaves in place of a file that it did not fetch.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    // By its specification a pointer begins so and is shorter than this; earlier versions had another host.
    let begins = [&b"version https://git-lfs.github.com/spec/"[..], b"version https://hawser.github.com/spec/"];
    bytes.len() < 1024 && begins.iter().any(|begin| bytes.starts_with(begin))
}

/// Text without the byte order mark that some editors put before it.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The error of a text in UTF-16, which begins with a byte order mark of its own.
fn utf16(path: &Path, bytes: &[u8]) -> Option<Error> {
    let is = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| bytes.starts_with(*mark));
    is.then(|| Error::input(path.display(), "is no UTF-8 text but one in UTF-16").help("save it as UTF-8"))
}

/// A value from the JSON text of a file.
///
/// # Errors
/// Another content, with the line.
pub fn json<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    if let Some(error) = utf16(path, text) {
        return Err(error);
    }
    let value = serde_json::from_slice(without_mark(text));
    value.map_err(|error| {
        let what = if error.is_data() { String::new() } else { "is no JSON: ".to_string() };
        Error::input(format!("{}:{}", path.display(), error.line()), format!("{what}{error}"))
    })
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

/// The first of these names as a message lists them, and how many more there are.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 4;
    let first: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(MOST) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
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

/// Text as it may stand in XML 1.0 and HTML, between tags or in quotes: what marks it up is written out, what XML
/// cannot hold is replaced.
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
    use super::{escape, glob, is_lfs_pointer, json};

    #[test]
    fn pointers_of_git_lfs_are_known() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        assert!(is_lfs_pointer(pointer.as_bytes()));
        assert!(is_lfs_pointer(b"version https://hawser.github.com/spec/v1\n"));
        assert!(
            !is_lfs_pointer(b"version 1") && !is_lfs_pointer(b"") && !is_lfs_pointer(pointer.repeat(20).as_bytes())
        );
    }

    #[test]
    fn a_byte_order_mark_is_not_read() {
        let read = |text: &[u8]| json::<u8>(std::path::Path::new("a.json"), text);
        assert_eq!(read(b"\xef\xbb\xbf7").unwrap(), 7);
        assert!(read(b"\xef\xbb\xbf\xef\xbb\xbf7").is_err());
        assert!(read(b"\xff\xfe7\x00").unwrap_err().message.contains("UTF-16"));
    }

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
