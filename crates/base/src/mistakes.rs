//! All that is wrong with a TOML file, in one message: who corrects a file wants to know of every mistake in it. A
//! reader stops at the first, so what it stopped at is taken out, and it reads again.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::error::{Error, Result};
use crate::text::toml_error;

/// Most mistakes that are told.
const MOST: usize = 16;
/// Most times that a file is read: a mistake may take two.
const MOST_ROUNDS: usize = 3 * MOST;

/// A mistake: where it is, and what.
#[derive(Debug, Clone, PartialEq)]
struct Mistake {
    /// Behind the name of the file: `:LINE`, or `: KEY`.
    place: String,
    /// What is wrong.
    message: String,
}

/// What a file says, or every mistake in it. Where its form has none, `check` finds those in what it says: keys and
/// messages.
///
/// # Errors
/// Text that is no TOML, keys that are not known or missing, values that are none, and what `check` finds.
pub fn read<T: DeserializeOwned>(text: &str, path: &Path, check: impl Fn(&T) -> Vec<(String, String)>) -> Result<T> {
    let found = match toml::from_str::<T>(text) {
        // What is left of a file without its mistakes is none that could be checked.
        Ok(made) => match check(&made) {
            found if found.is_empty() => return Ok(made),
            found => found.into_iter().map(|(key, message)| Mistake { place: format!(": {key}"), message }).collect(),
        },
        Err(first) => match DeTable::parse(text) {
            Err(_) => return Err(toml_error(path, text, &first)),
            Ok(table) => of_form::<T>(text, table),
        },
    };
    Err(told(path, &found))
}

/// The error that tells mistakes.
fn told(path: &Path, found: &[Mistake]) -> Error {
    if let [Mistake { place, message }] = found {
        return Error::input(format!("{}{place}", path.display()), message);
    }
    let more = found.len().saturating_sub(MOST);
    let count = if more > 0 { format!("more than {MOST}") } else { found.len().to_string() };
    let words = |Mistake { place, message }: &Mistake| match place.strip_prefix(": ") {
        Some(key) => format!("{key}: {message}"),
        None => format!("line {}: {message}", place.trim_start_matches(':')),
    };
    let mut all: Vec<String> = found.iter().take(MOST).map(words).collect();
    if more > 0 {
        all.push("and more".into());
    }
    Error::input(path.display(), format!("has {count} mistakes: {}", all.join("; ")))
}

/// What the reader stops at, one after the other, by line.
fn of_form<T: DeserializeOwned>(text: &str, mut table: Spanned<DeTable<'_>>) -> Vec<Mistake> {
    // Tables that a key was taken out of, which is missing now.
    let mut cut: Vec<(Range<usize>, String)> = Vec::new();
    let mut found: Vec<(usize, String)> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let Err(error) = T::deserialize(Deserializer::from(table.clone())) else { break };
        let span = error.span().unwrap_or(0..0);
        let is_own = cut.iter().any(|(of, key)| *of == span && error.message() == format!("missing field `{key}`"));
        let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
        let mistake = (line, error.message().to_string());
        if !is_own && !found.contains(&mistake) {
            found.push(mistake);
        }
        let whole = table.span();
        if span == whole || !take_out(table.get_mut(), &whole, &span, &mut cut) {
            break;
        }
    }
    found.sort();
    found.into_iter().map(|(line, message)| Mistake { place: format!(":{line}"), message }).collect()
}

/// Takes out the entry or element at a place in the text; false if none is there.
fn take_out(
    table: &mut DeTable<'_>,
    of: &Range<usize>,
    span: &Range<usize>,
    cut: &mut Vec<(Range<usize>, String)>,
) -> bool {
    // A list of tables begins where the first of them does, which is meant then.
    if table.iter_mut().any(|(_, value)| take_out_of(value, span, cut)) {
        return true;
    }
    let here = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    let Some(key) = here.map(|(key, _)| key.clone()) else { return false };
    cut.push((of.clone(), key.get_ref().to_string()));
    table.remove(&key).is_some()
}

fn take_out_of(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, cut: &mut Vec<(Range<usize>, String)>) -> bool {
    let of = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, &of, span, cut),
        DeValue::Array(all) => {
            if all.iter_mut().any(|one| take_out_of(one, span, cut)) {
                return true;
            }
            if !all.iter().any(|one| one.span() == *span) {
                return false;
            }
            *all = all.iter().filter(|one| one.span() != *span).cloned().collect();
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Part {
        size: u8,
        name: String,
        depth: Option<u8>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct File {
        title: String,
        #[serde(default)]
        part: BTreeMap<String, Part>,
        #[serde(default)]
        piece: Vec<Part>,
    }

    fn said(text: &str) -> String {
        let check = |file: &File| match file.title.as_str() {
            "bad" => vec![("title".into(), "is bad".into())],
            _ => vec![],
        };
        match read::<File>(text, Path::new("f.toml"), check) {
            Ok(file) => format!("{file:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn one_mistake_is_told_at_its_line() {
        assert!(said("title = \"a\"\n").starts_with("File"));
        assert!(said("title = \"a\"\ncolor = 1\n").starts_with("f.toml:2: unknown field `color`"));
        assert_eq!(said("title = \"bad\"\n"), "f.toml: title: is bad");
        assert!(said("title = \n").starts_with("f.toml:1: "));
    }

    #[test]
    fn all_mistakes_are_told_in_order() {
        let text = "title = \"bad\"\ncolor = 1\n[part.a]\nsize = \"x\"\nname = \"a\"\n[part.b]\nsize = 1\n\
                    [[piece]]\nsize = 1\nname = 2\nwidth = 3\n[[piece]]\nsize = 300\nname = \"p\"\n\
                    [[piece]]\nsize = 1\nname = \"p\"\ndepth = -1\n";
        let said = said(text);
        assert!(said.starts_with("f.toml: has 7 mistakes: line 2: unknown field `color`"), "{said}");
        for words in [
            "; line 4: invalid type: string \"x\", expected u8; ",
            "; line 6: missing field `name`; ",
            "; line 10: invalid type: integer `2`, expected a string; ",
            "; line 11: unknown field `width`",
            "; line 13: invalid value: integer `300`, expected u8; ",
            "; line 18: invalid value: integer `-1`, expected u8",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        // What is missing because it was taken out is no mistake of its own.
        assert!(!said.contains("missing field `size`"), "{said}");
    }

    #[test]
    fn of_many_mistakes_some_are_told() {
        let text: String = (0..60).map(|at| format!("[part.p{at:02}]\nsize = 1\n")).collect();
        let said = said(&format!("title = \"a\"\n{text}"));
        assert!(said.starts_with("f.toml: has more than 16 mistakes: line 2: missing") && said.ends_with("; and more"));
        // The same on one line is told once.
        let said = self::said(&format!("title = \"a\"\npiece = [{}]\n", "1, ".repeat(20_000)));
        assert!(said.starts_with("f.toml:2: invalid type: integer `1`"), "{said}");
    }

    #[test]
    fn what_the_file_itself_lacks_is_told_too() {
        let said = said("[part.a]\nsize = 1\nname = \"a\"\ncolor = 1\n");
        assert!(said.contains("2 mistakes") && said.contains("missing field `title`"), "{said}");
        assert!(said.contains("line 4: unknown field `color`"), "{said}");
    }
}
