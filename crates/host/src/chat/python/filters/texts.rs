//! Filters of texts.

use minijinja::value::Value;

use super::super::arguments::{Args, flag, number, string};
use super::super::letters::{capitalize, is_space};
use super::super::print::text;
use super::super::strings::{aligned, lines, replace, strip};
use super::super::values::{Given, fault, float, index, len, spend, type_name};

/// Applies one of these filters.
pub(crate) fn apply(name: &str, args: Args) -> Given {
    Ok(Value::from(match name {
        "center" => {
            let (value, [_, width]) = args.bind_first(["value", "width"])?;
            aligned(&text(&value)?, number(width, 80)?, ' ', "center")?
        }
        "filesizeformat" => file_size(args)?,
        "indent" => return indent(args),
        "replace" => {
            let (value, [_, old, new, count]) = args.bind_first(["s", "old", "new", "count"])?;
            let (Some(old), Some(new)) = (old, new) else { return Err(fault("replace wants two texts")) };
            replace(&text(&value)?, &text(&old)?, &text(&new)?, number(count, -1)?)?
        }
        "trim" => {
            let (value, [_, chars]) = args.bind_first(["value", "chars"])?;
            strip(&text(&value)?, string(name, chars)?.as_deref(), true, true).to_string()
        }
        "truncate" => return truncate(args),
        _ => {
            let (value, _) = args.bind_first(["value"])?;
            let text = text(&value)?;
            match name {
                "capitalize" => capitalize(&text),
                "lower" => text.to_lowercase(),
                "upper" => text.to_uppercase(),
                "title" => title(&text),
                "striptags" => strip_tags(&text)?,
                _ => return Ok(words(&text).into()),
            }
        }
    }))
}

/// Number of words: runs of letters, digits and `_`.
fn words(text: &str) -> usize {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
}

/// Each word's first letter large, the others small; words begin behind white space, hyphens and opening brackets.
fn title(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut begins = true;
    for c in text.chars() {
        match begins {
            true => made.extend(c.to_uppercase()),
            false => made.extend(c.to_lowercase()),
        }
        begins = is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    made
}

fn file_size(args: Args) -> Given<String> {
    let (value, [_, binary]) = args.bind_first(["value", "binary"])?;
    let binary = flag(binary, false);
    let bytes = value.as_str().map_or_else(|| float(&value), |text| text.trim().parse().ok());
    let bytes = bytes.ok_or_else(|| fault(format!("filesizeformat wants a number, not {}", type_name(&value))))?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc() + 0.0));
    }
    let (letters, end) = if binary { ("KMGTPEZY", "iB") } else { ("kMGTPEZY", "B") };
    let mut made = String::new();
    for (at, letter) in letters.chars().enumerate() {
        let unit = base.powi(at as i32 + 2);
        made = format!("{:.1} {letter}{end}", base * bytes / unit);
        if bytes < unit {
            break;
        }
    }
    Ok(made)
}

fn indent(args: Args) -> Given {
    let (value, [_, width, first, blank]) = args.bind_first(["s", "width", "first", "blank"])?;
    let source = value.as_str().ok_or_else(|| fault(format!("indent wants a str, not {}", type_name(&value))))?;
    let indention = match width.as_ref().map(|width| (width.as_str(), width)) {
        None => " ".repeat(4),
        Some((Some(text), _)) => text.to_string(),
        Some((None, width)) => {
            let width = usize::try_from(index(width)?).unwrap_or(0);
            spend(width)?;
            " ".repeat(width)
        }
    };
    let (first, blank) = (flag(first, false), flag(blank, false));
    // A line end more keeps one that the text ends with.
    let source = format!("{source}\n");
    let lines = lines(&source);
    spend(source.len().saturating_add(lines.len().saturating_mul(indention.len())))?;
    let mut made = String::new();
    for (at, (line, _)) in lines.iter().enumerate() {
        made.push_str(if at > 0 { "\n" } else { "" });
        let wanted = if at == 0 { first } else { blank || !line.is_empty() };
        made.push_str(if wanted { &indention } else { "" });
        made.push_str(line);
    }
    Ok(if value.is_safe() { Value::from_safe_string(made) } else { Value::from(made) })
}

fn truncate(args: Args) -> Given {
    let (value, [_, length, kill, end, leeway]) = args.bind_first(["s", "length", "killwords", "end", "leeway"])?;
    let (length, leeway) = (number(length, 255)?, number(leeway, 5)?);
    let end = end.map_or(Ok("...".to_string()), |end| text(&end))?;
    let room = length - end.chars().count() as i128;
    if room < 0 || leeway < 0 {
        return Err(fault(format!("expected length >= {}, got {length}", end.chars().count())));
    }
    if len(&value)? as i128 <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let source = text(&value)?;
    let cut: String = source.chars().take(room as usize).collect();
    let kept = if flag(kill, false) { &cut[..] } else { cut.rsplit_once(' ').map_or(&cut[..], |(head, _)| head) };
    Ok(Value::from(format!("{kept}{end}")))
}

/// Text without what stands in `<…>`, with single spaces and characters in place of their names.
fn strip_tags(source: &str) -> Given<String> {
    let mut text = source.to_string();
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
        while let Some(at) = text.find(open) {
            let Some(end) = text[at..].find(close) else { break };
            text.replace_range(at..at + end + close.len(), "");
        }
    }
    let joined = text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    unescape(&joined)
}

/// Characters in place of their names.
fn unescape(text: &str) -> Given<String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest[1..].split_once(';').map(|(name, _)| name);
        let name = name.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#') && !name.is_empty());
        let Some(name) = name else {
            made.push('&');
            rest = &rest[1..];
            continue;
        };
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some('\u{a0}'),
            _ => name.strip_prefix('#').and_then(|digits| {
                let code = match digits.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => digits.parse(),
                };
                char::from_u32(code.ok()?)
            }),
        };
        made.push(character.ok_or_else(|| fault(format!("striptags: the character &{name}; is not known here")))?);
        rest = &rest[name.len() + 2..];
    }
    Ok(made + rest)
}
