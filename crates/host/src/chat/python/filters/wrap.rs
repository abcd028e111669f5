//! `wordwrap` and `pprint`, which are Python's `textwrap` and `pprint`.

use minijinja::value::Value;

use super::super::arguments::{Args, flag, number, string};
use super::super::print::repr;
use super::super::sorted::sort_by;
use super::super::strings::lines;
use super::super::values::{Dict, Given, Kind, fault, items, kind, spend, type_name};

/// Columns of `pprint`.
const WIDTH: usize = 80;

/// Applies one of these filters.
pub(crate) fn apply(name: &str, args: Args) -> Given {
    if name == "pprint" {
        let (value, _) = args.bind_first(["value"])?;
        let mut made = String::new();
        pretty(&mut made, &value, 0, 0)?;
        return Ok(Value::from(made));
    }
    let (value, [_, width, long, between, hyphens]) =
        args.bind_first(["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"])?;
    let text = value.as_str().ok_or_else(|| fault(format!("wordwrap wants a str, not {}", type_name(&value))))?;
    let width = usize::try_from(number(width, 79)?).ok().filter(|&width| width > 0);
    let width = width.ok_or_else(|| fault("wordwrap wants a width of at least 1"))?;
    let between = string(name, between)?.unwrap_or_else(|| "\n".into());
    let (long, hyphens) = (flag(long, true), flag(hyphens, true));
    let wrapped: Vec<String> =
        lines(text).into_iter().map(|(line, _)| wrap(line, width, long, hyphens).join(&between)).collect();
    let made = wrapped.join(&between);
    spend(made.len())?;
    Ok(Value::from(made))
}

/// White space of `textwrap`.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Pieces between which a line may be broken: words, their parts behind hyphens, dashes, and the blanks between them.
fn pieces(line: &str, hyphens: bool) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let blank = is_blank(chars[at]);
        let end = (at..chars.len()).find(|&i| is_blank(chars[i]) != blank).unwrap_or(chars.len());
        match blank || !hyphens {
            true => made.push(chars[at..end].iter().collect()),
            false => parts(&chars[at..end], &mut made),
        }
        at = end;
    }
    made
}

/// Parts of a word: `well-` and `known`; `a`, `--` and `b`.
fn parts(word: &[char], made: &mut Vec<String>) {
    let letter = |i: Option<usize>| i.and_then(|i| word.get(i)).is_some_and(|c| c.is_alphabetic() || *c == '_');
    let hyphen = |i: Option<usize>| i.and_then(|i| word.get(i)) == Some(&'-');
    let before = |i: usize, back: usize| i.checked_sub(back);
    let (mut begin, mut i) = (0, 0);
    while i < word.len() {
        let run = word[i..].iter().take_while(|c| **c == '-').count();
        let behind = before(i, 1).and_then(|at| word.get(at));
        let in_text = behind.is_some_and(|c| c.is_alphanumeric() || "_!\"'&.,?".contains(*c));
        if run > 1 && in_text && word.get(i + run).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            made.push(word[begin..i].iter().collect());
            made.push(word[i..i + run].iter().collect());
            begin = i + run;
        } else if run == 1 {
            let two = letter(before(i, 1)) && letter(before(i, 2));
            let joined = letter(before(i, 1)) && hyphen(before(i, 2)) && letter(before(i, 3));
            let goes_on = letter(Some(i + 1)) && (letter(Some(i + 2)) || (hyphen(Some(i + 2)) && letter(Some(i + 3))));
            if (two || joined) && goes_on {
                made.push(word[begin..=i].iter().collect());
                begin = i + 1;
            }
        }
        i += run.max(1);
    }
    if begin < word.len() {
        made.push(word[begin..].iter().collect());
    }
}

fn wrap(line: &str, width: usize, long: bool, hyphens: bool) -> Vec<String> {
    let count = |text: &str| text.chars().count();
    let mut rest: Vec<String> = pieces(line, hyphens).into_iter().rev().collect();
    let mut made: Vec<String> = Vec::new();
    while !rest.is_empty() {
        if !made.is_empty() && rest.last().is_some_and(|piece| piece.trim().is_empty()) {
            rest.pop();
        }
        let (mut current, mut used) = (Vec::new(), 0);
        while let Some(piece) = rest.pop_if(|piece| used + count(piece) <= width) {
            used += count(&piece);
            current.push(piece);
        }
        if let Some(piece) = rest.pop_if(|piece| count(piece) > width) {
            if long {
                let room = (width - used).max(1);
                // A hyphen inside is the better place.
                let head: String = piece.chars().take(room).collect();
                let cut = match head.rfind('-').filter(|&at| hyphens && count(&piece) > room && at > 0) {
                    Some(at) if head[..at].contains(|c| c != '-') => count(&head[..at]) + 1,
                    _ => room,
                };
                current.push(piece.chars().take(cut).collect());
                rest.push(piece.chars().skip(cut).collect());
            } else if current.is_empty() {
                current.push(piece);
            } else {
                rest.push(piece);
            }
        }
        if current.last().is_some_and(|piece| piece.trim().is_empty()) {
            current.pop();
        }
        if !current.is_empty() {
            made.push(current.concat());
        }
    }
    made
}

/// A value over as many lines as it needs; dicts by their keys.
fn pretty(to: &mut String, value: &Value, indent: usize, behind: usize) -> Given<()> {
    let flat = flat(value)?;
    spend(to.len() + flat.len())?;
    let fits = flat.chars().count() <= WIDTH.saturating_sub(indent + behind);
    let (open, close) = match kind(value) {
        Kind::Dict => ("{", "}"),
        Kind::List => ("[", "]"),
        Kind::Tuple => ("(", ")"),
        Kind::Str if !fits => return pretty_text(to, value.as_str().unwrap_or_default(), indent, behind),
        _ => {
            to.push_str(&flat);
            return Ok(());
        }
    };
    let children = children(value)?;
    if fits || children.is_empty() {
        to.push_str(&flat);
        return Ok(());
    }
    to.push_str(open);
    let last = children.len() - 1;
    for (at, (key, child)) in children.iter().enumerate() {
        if at > 0 {
            to.push_str(&format!(",\n{}", " ".repeat(indent + 1)));
        }
        let key = match key {
            Some(key) => repr(key)? + ": ",
            None => String::new(),
        };
        to.push_str(&key);
        let behind = if at == last { behind + 1 } else { 1 };
        pretty(to, child, indent + 1 + key.chars().count(), behind)?;
    }
    to.push_str(if kind(value) == Kind::Tuple && last == 0 { "," } else { "" });
    to.push_str(close);
    Ok(())
}

fn children(value: &Value) -> Given<Vec<(Option<Value>, Value)>> {
    match value.downcast_object_ref::<Dict>() {
        Some(dict) => {
            let mut pairs = dict.0.clone();
            sort_by(&mut pairs, |(key, _)| Ok(key.clone()))?;
            Ok(pairs.into_iter().map(|(key, value)| (Some(key), value)).collect())
        }
        None => Ok(items(value)?.into_iter().map(|item| (None, item)).collect()),
    }
}

/// `repr`, with dicts by their keys.
fn flat(value: &Value) -> Given<String> {
    let part = |(key, child): (Option<Value>, Value)| {
        let child = flat(&child)?;
        Ok(match key {
            Some(key) => format!("{}: {child}", repr(&key)?),
            None => child,
        })
    };
    Ok(match kind(value) {
        Kind::Dict | Kind::List | Kind::Tuple => {
            let parts = children(value)?.into_iter().map(part).collect::<Given<Vec<_>>>()?;
            let made = parts.join(", ");
            match kind(value) {
                Kind::Dict => format!("{{{made}}}"),
                Kind::List => format!("[{made}]"),
                _ if parts.len() == 1 => format!("({made},)"),
                _ => format!("({made})"),
            }
        }
        _ => repr(value)?,
    })
}

/// A long text as several in quotes, broken behind white space.
fn pretty_text(to: &mut String, text: &str, indent: usize, behind: usize) -> Given<()> {
    let quoted = super::super::print::quoted;
    let outer = indent == 0;
    let (indent, behind) = if outer { (1, behind + 1) } else { (indent, behind) };
    let width = WIDTH.saturating_sub(indent).max(1);
    let mut chunks: Vec<String> = Vec::new();
    let all = lines(text);
    for (at, (line, end)) in all.iter().enumerate() {
        let whole = format!("{line}{end}");
        let room = if at + 1 == all.len() { width.saturating_sub(behind) } else { width };
        if quoted(&whole).chars().count() <= room {
            chunks.push(quoted(&whole));
            continue;
        }
        let mut current = String::new();
        let mut words: Vec<String> = Vec::new();
        for c in whole.chars() {
            match words.last_mut() {
                Some(word) if !word.ends_with(char::is_whitespace) || c.is_whitespace() => word.push(c),
                _ => words.push(c.to_string()),
            }
        }
        let count = words.len();
        for (i, word) in words.into_iter().enumerate() {
            let candidate = format!("{current}{word}");
            let room = if i + 1 == count && at + 1 == all.len() { width.saturating_sub(behind) } else { width };
            if quoted(&candidate).chars().count() > room {
                if !current.is_empty() {
                    chunks.push(quoted(&current));
                }
                current = word;
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            chunks.push(quoted(&current));
        }
    }
    let several = chunks.len() > 1;
    to.push_str(if outer && several { "(" } else { "" });
    to.push_str(&chunks.join(&format!("\n{}", " ".repeat(indent))));
    to.push_str(if outer && several { ")" } else { "" });
    Ok(())
}
