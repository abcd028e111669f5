//! Methods of Python's `str`.

use minijinja::value::Value;

use super::arguments::{Args, flag, number, string};
use super::letters::{self, capitalize, casefold, is_space, swapped, title};
use super::values::{Dict, Given, Kind, fault, index, items, kind, list, spend, tuple, type_name};

/// Calls a method.
pub(crate) fn call(value: &Value, name: &str, args: Args) -> Given {
    let text = value.as_str().unwrap_or_default();
    spend(text.len())?;
    Ok(match name {
        "capitalize" | "casefold" | "lower" | "swapcase" | "title" | "upper" => {
            let [] = args.bind([])?;
            Value::from(match name {
                "capitalize" => capitalize(text),
                "casefold" => casefold(text),
                "lower" => text.to_lowercase(),
                "swapcase" => text.chars().map(swapped).collect(),
                "title" => title(text),
                _ => text.to_uppercase(),
            })
        }
        "center" | "ljust" | "rjust" => {
            let (width, [_, fill]) = args.bind_first(["width", "fillchar"])?;
            let fill = string(name, fill)?.unwrap_or_else(|| " ".into());
            let mut fill = fill.chars();
            let (Some(fill), None) = (fill.next(), fill.next()) else {
                return Err(fault("The fill character must be exactly one character long"));
            };
            Value::from(aligned(text, index(&width)?, fill, name)?)
        }
        "zfill" => {
            let (width, _) = args.bind_first(["width"])?;
            let width = usize::try_from(index(&width)?).unwrap_or(0);
            spend(width)?;
            let head = if text.starts_with(['+', '-']) { 1 } else { 0 };
            let missing = width.saturating_sub(text.chars().count());
            Value::from(format!("{}{}{}", &text[..head], "0".repeat(missing), &text[head..]))
        }
        "count" | "find" | "index" | "rfind" | "rindex" => search(text, name, args)?,
        "startswith" | "endswith" => {
            let (wanted, [_, start, end]) = args.bind_first(["prefix", "start", "end"])?;
            let Some((_, part)) = window(text, start, end)? else { return Ok(false.into()) };
            let wanted = if kind(&wanted) == Kind::Tuple { items(&wanted)? } else { vec![wanted] };
            let mut found = false;
            for wanted in &wanted {
                let wanted = str_of(name, wanted)?;
                found |= if name == "startswith" { part.starts_with(wanted) } else { part.ends_with(wanted) };
            }
            found.into()
        }
        "encode" | "translate" => return Err(fault(format!("{name}() is not supported: templates have no bytes"))),
        "format" => Value::from(super::format::format(text, &args)?),
        "format_map" => {
            let (map, _) = args.bind_first(["mapping"])?;
            let named = map.downcast_object_ref::<Dict>().ok_or_else(|| fault("format_map wants a dict"))?;
            let named = named.0.iter().filter_map(|(key, value)| Some((key.as_str()?.to_string(), value.clone())));
            let args = Args { what: name.into(), given: Vec::new(), named: named.collect() };
            Value::from(super::format::format(text, &args)?)
        }
        "join" => {
            let (parts, _) = args.bind_first(["iterable"])?;
            let mut made = String::new();
            for (at, part) in items(&parts)?.iter().enumerate() {
                let part = part.as_str().ok_or_else(|| {
                    fault(format!("sequence item {at}: expected str instance, {} found", type_name(part)))
                })?;
                spend(made.len() + text.len() + part.len())?;
                made.push_str(if at > 0 { text } else { "" });
                made.push_str(part);
            }
            Value::from(made)
        }
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = args.bind(["chars"])?;
            let chars = string(name, chars)?;
            Value::from(strip(text, chars.as_deref(), name != "rstrip", name != "lstrip"))
        }
        "partition" | "rpartition" => {
            let (mark, _) = args.bind_first(["sep"])?;
            let mark = separator(name, &mark)?;
            let found = if name == "partition" { text.find(mark) } else { text.rfind(mark) };
            let parts = match found {
                Some(at) => [&text[..at], mark, &text[at + mark.len()..]],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            tuple(parts.map(Value::from).to_vec())
        }
        "removeprefix" | "removesuffix" => {
            let (part, _) = args.bind_first(["prefix"])?;
            let part = str_of(name, &part)?;
            let rest = if name == "removeprefix" { text.strip_prefix(part) } else { text.strip_suffix(part) };
            Value::from(rest.unwrap_or(text))
        }
        "replace" => {
            let (old, [_, new, count]) = args.bind_first(["old", "new", "count"])?;
            let new = new.ok_or_else(|| fault("replace() is missing the argument 'new'"))?;
            Value::from(replace(text, str_of(name, &old)?, str_of(name, &new)?, number(count, -1)?)?)
        }
        "split" | "rsplit" => {
            let [mark, most] = args.bind(["sep", "maxsplit"])?;
            let most = usize::try_from(number(most, -1)?).unwrap_or(usize::MAX);
            let parts = match mark.filter(|mark| !mark.is_none()) {
                Some(mark) => split_at(text, separator(name, &mark)?, most, name == "rsplit"),
                None => split_space(text, most, name == "rsplit"),
            };
            list(parts.into_iter().map(Value::from).collect())
        }
        "splitlines" => {
            let [keep] = args.bind(["keepends"])?;
            let keep = flag(keep, false);
            let line = |(line, end): (&str, &str)| Value::from(if keep { format!("{line}{end}") } else { line.into() });
            list(lines(text).into_iter().map(line).collect())
        }
        "expandtabs" => {
            let [size] = args.bind(["tabsize"])?;
            Value::from(expand_tabs(text, usize::try_from(number(size, 8)?).unwrap_or(0))?)
        }
        _ => {
            let [] = args.bind([])?;
            letters::is(text, name).into()
        }
    })
}

/// A text in the middle, at the left or at the right of a width.
pub(crate) fn aligned(text: &str, width: i128, fill: char, method: &str) -> Given<String> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    spend(width)?;
    let missing = width.saturating_sub(text.chars().count());
    // Where both sides cannot be equal, Python gives the left one more in an odd width.
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    let fill = |count: usize| String::from_iter(std::iter::repeat_n(fill, count));
    Ok(format!("{}{text}{}", fill(left), fill(missing - left)))
}

/// A text without white space, or without some characters, at its ends.
pub(crate) fn strip<'a>(text: &'a str, chars: Option<&str>, left: bool, right: bool) -> &'a str {
    let unwanted = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(unwanted) } else { text };
    if right { text.trim_end_matches(unwanted) } else { text }
}

/// A text with another one in place of a part, at most so many times; a negative number is no limit.
pub(crate) fn replace(text: &str, old: &str, new: &str, count: i128) -> Given<String> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let found = text.matches(old).count().min(most);
    spend(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

/// Lines with what ends them.
pub(crate) fn lines(text: &str) -> Vec<(&str, &str)> {
    let ends =
        |c| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut made = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ends) {
        let length = match rest[at..].starts_with("\r\n") {
            true => 2,
            false => rest[at..].chars().next().map_or(1, char::len_utf8),
        };
        made.push((&rest[..at], &rest[at..at + length]));
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        made.push((rest, ""));
    }
    made
}

fn expand_tabs(text: &str, size: usize) -> Given<String> {
    spend(text.len().saturating_mul(size.max(1)))?;
    let mut made = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let missing = size - column % size;
                made.push_str(&" ".repeat(missing));
                column += missing;
            }
            '\t' => {}
            c => {
                made.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(made)
}

fn str_of<'a>(what: &str, value: &'a Value) -> Given<&'a str> {
    value.as_str().ok_or_else(|| fault(format!("{what}() wants a str, not {}", type_name(value))))
}

fn separator<'a>(what: &str, value: &'a Value) -> Given<&'a str> {
    match str_of(what, value)? {
        "" => Err(fault("empty separator")),
        text => Ok(text),
    }
}

fn split_at<'a>(text: &'a str, mark: &str, most: usize, from_right: bool) -> Vec<&'a str> {
    let pieces = most.saturating_add(1);
    match from_right {
        false => text.splitn(pieces, mark).collect(),
        true => {
            let mut parts: Vec<&str> = text.rsplitn(pieces, mark).collect();
            parts.reverse();
            parts
        }
    }
}

fn split_space(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = strip(text, None, !from_right, from_right);
    while !rest.is_empty() {
        let end = if from_right { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(at) = end.filter(|_| parts.len() < most) else {
            parts.push(rest);
            break;
        };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        let (before, behind) = (&rest[..at], &rest[at + width..]);
        match from_right {
            false => {
                parts.push(before);
                rest = strip(behind, None, true, false);
            }
            true => {
                parts.push(behind);
                rest = strip(before, None, false, true);
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    if from_right {
        parts.reverse();
    }
    parts
}

/// The part of a text between two places, counted in characters, with the place where it begins.
fn window(text: &str, start: Option<Value>, end: Option<Value>) -> Given<Option<(usize, &str)>> {
    let count = text.chars().count() as i128;
    let place = |at: i128| if at < 0 { (at.saturating_add(count)).max(0) } else { at };
    let (start, end) = (place(number(start, 0)?), place(number(end, count)?).min(count));
    if start > end {
        return Ok(None);
    }
    let byte = |at: i128| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
    Ok(Some((start as usize, &text[byte(start)..byte(end)])))
}

fn search(text: &str, name: &str, args: Args) -> Given {
    let (wanted, [_, start, end]) = args.bind_first(["sub", "start", "end"])?;
    let wanted = str_of(name, &wanted)?;
    let part = window(text, start, end)?;
    if name == "count" {
        return Ok(part.map_or(0, |(_, part)| part.matches(wanted).count()).into());
    }
    let found = part.and_then(|(start, part)| {
        let at = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
        Some(start + part[..at?].chars().count())
    });
    match found {
        Some(at) => Ok(at.into()),
        None if name.ends_with("index") => Err(fault("substring not found")),
        None => Ok((-1).into()),
    }
}
