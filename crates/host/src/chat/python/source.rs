//! A template's text before it is parsed: line ends as Jinja has them, tags that only transformers knows, and what the
//! parser takes that Jinja refuses.

use minijinja::machinery::{Span, Token, WhitespaceConfig, tokenize};

use super::refusal::Refusal;

/// How tags and the white space around them are read.
pub(crate) fn whitespace() -> WhitespaceConfig {
    WhitespaceConfig { keep_trailing_newline: true, lstrip_blocks: true, trim_blocks: true }
}

/// Tags that have an end.
const OPENING: [&str; 9] = ["autoescape", "block", "call", "filter", "for", "generation", "if", "macro", "with"];
/// Words of the language that are no value.
const WORDS: [&str; 10] = ["and", "or", "not", "in", "is", "if", "else", "elif", "set", "recursive"];

/// A change of a text: so many bytes at a place become another text.
struct Change {
    at: usize,
    bytes: usize,
    to: String,
}

/// A tag that is open.
struct Open<'a> {
    name: &'a str,
    line: usize,
}

/// The text as the parser takes it. Lines keep their numbers.
///
/// # Errors
/// Tags that do not pair or that Jinja does not know.
pub(crate) fn prepare(text: &str) -> Result<String, Refusal> {
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    // Jinja drops the last line end.
    if text.ends_with('\n') {
        text.pop();
    }
    if text.contains("endraw") {
        text = with_raw_lines(&text);
    }
    let mut tokens = Vec::new();
    for token in tokenize(&text, false, Default::default(), whitespace()) {
        tokens.push(token.map_err(|error| Refusal::of(&error))?);
    }
    let mut changes = Vec::new();
    let mut open = Vec::new();
    let mut rest = &tokens[..];
    while let Some(start) = rest.iter().position(|(token, _)| matches!(token, Token::BlockStart | Token::VariableStart))
    {
        let inside = &rest[start + 1..];
        let end = inside.iter().position(|(token, _)| matches!(token, Token::BlockEnd | Token::VariableEnd));
        let (inside, behind) = inside.split_at(end.unwrap_or(inside.len()));
        match (&rest[start].0, inside) {
            (Token::BlockStart, [(Token::Ident(name), span), arguments @ ..]) => {
                tag(name, *span, arguments, &mut open, &mut changes)?;
                if *name == "for" {
                    let begin = arguments.iter().position(|(token, _)| matches!(token, Token::Ident("in")));
                    tuple(arguments.get(begin.map_or(arguments.len(), |at| at + 1)..).unwrap_or(&[]), &mut changes);
                }
            }
            (Token::VariableStart, inside) => tuple(inside, &mut changes),
            _ => {}
        }
        plus(inside, &mut changes);
        rest = behind;
    }
    if let Some(Open { name, line }) = open.pop() {
        return Err(Refusal::at(line, format!("the tag `{name}` has no `end{name}`")));
    }
    changes.sort_by_key(|change| change.at);
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for Change { at, bytes, to } in changes {
        made.push_str(&text[done..at]);
        made.push_str(&to);
        done = at + bytes;
    }
    Ok(made + &text[done..])
}

/// Jinja keeps the line end right behind `{% raw %}`, which the parser drops: it gets a second one.
fn with_raw_lines(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{#")).chain(rest.find("{{")).min() {
        let tag = &rest[at..];
        let is_tag = tag.starts_with("{%");
        let word = tag[2..].trim_start_matches(['-', '+']).trim_start();
        let end = match tag.starts_with("{#") {
            true => tag.find("#}").map(|end| end + 2),
            false => end_of_tag(tag, if is_tag { "%}" } else { "}}" }),
        };
        let Some(mut end) = end else { break };
        let is_raw = is_tag && word.strip_prefix("raw").is_some_and(|rest| rest.trim_start().starts_with(['%', '-']));
        if is_raw {
            made.push_str(&rest[..at + end]);
            let trimmed = tag[..end].ends_with("-%}");
            made.push_str(if !trimmed && tag[end..].starts_with('\n') { "\n" } else { "" });
            rest = &tag[end..];
            // What looks like tags up to the end of the block is text.
            end = rest.find("endraw").unwrap_or(rest.len());
            made.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        made.push_str(&rest[..at + end]);
        rest = &tag[end..];
    }
    made + rest
}

/// Where a tag ends, whatever its strings hold.
fn end_of_tag(tag: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in tag.char_indices().skip(2) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) => quote = if c == open { None } else { quote },
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if tag[at..].starts_with(close) => return Some(at + close.len()),
            None => {}
        }
    }
    None
}

fn tag<'a>(
    name: &'a str,
    span: Span,
    arguments: &[(Token<'a>, Span)],
    open: &mut Vec<Open<'a>>,
    changes: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let line = usize::from(span.start_line);
    let refuse = |message: String| Err(Refusal::at(line, message));
    let is_block = || !arguments.iter().any(|(token, _)| matches!(token, Token::Assign));
    match name {
        "do" => return refuse("unknown tag `do`".into()),
        "else" | "elif" if !open.last().is_some_and(|open| matches!(open.name, "if" | "for")) => {
            return refuse(format!("`{name}` stands outside of `if`"));
        }
        "set" if is_block() => open.push(Open { name, line }),
        _ if OPENING.contains(&name) => open.push(Open { name, line }),
        _ => {}
    }
    if let Some(wanted) = name.strip_prefix("end") {
        match open.pop() {
            Some(open) if open.name == wanted => {}
            Some(Open { name: other, line }) => {
                return refuse(format!("`{name}` stands where `end{other}` of line {line} is wanted"));
            }
            None => return refuse(format!("`{name}` ends nothing")),
        }
    }
    // What it marks is for training; its names are its own, as those of `with`.
    if matches!(name, "generation" | "endgeneration") {
        let to = name.replace("generation", "with      ");
        changes.push(Change { at: span.start_offset as usize, bytes: name.len(), to });
    }
    Ok(())
}

/// Puts a tuple without parentheses into them.
fn tuple(tokens: &[(Token<'_>, Span)], changes: &mut Vec<Change>) {
    let mut depth = 0;
    let mut comma = false;
    let mut end = tokens.len();
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            Token::Comma if depth == 0 => comma = true,
            Token::Ident("if" | "recursive") if depth == 0 && comma => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let (Some((_, first)), Some((_, last))) = (tokens.first(), tokens[..end].last()) else { return };
    if comma {
        changes.push(Change { at: first.start_offset as usize, bytes: 0, to: "(".into() });
        changes.push(Change { at: last.end_offset as usize, bytes: 0, to: ")".into() });
    }
}

/// Takes away a plus that has nothing before it.
fn plus(tokens: &[(Token<'_>, Span)], changes: &mut Vec<Change>) {
    let mut operand = false;
    for (token, span) in tokens {
        if matches!(token, Token::Plus) && !operand {
            changes.push(Change { at: span.start_offset as usize, bytes: 1, to: " ".into() });
            continue;
        }
        operand = match token {
            Token::Ident(name) => !WORDS.contains(name),
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => true,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => true,
            _ => false,
        };
    }
}

/// The text of a string literal, or of several one behind the other: Python's escapes.
///
/// # Errors
/// An escape that is none.
pub(crate) fn literal(source: &str) -> Result<String, String> {
    let mut made = String::new();
    let mut rest = source.chars();
    while let Some(quote) = rest.by_ref().find(|c| matches!(c, '"' | '\'')) {
        let mut high = None;
        loop {
            match rest.next() {
                None => return Err("a string does not end".into()),
                Some(c) if c == quote => break,
                Some('\\') => escape(&mut rest, &mut made, &mut high)?,
                Some(c) => made.push(c),
            }
        }
    }
    Ok(made)
}

fn escape(rest: &mut std::str::Chars<'_>, made: &mut String, high: &mut Option<u32>) -> Result<(), String> {
    let Some(letter) = rest.next() else { return Err("a string ends in a backslash".into()) };
    let mut hex = |digits: usize| {
        let text: String = rest.clone().take(digits).collect();
        let code =
            u32::from_str_radix(&text, 16).ok().filter(|_| text.chars().count() == digits && !text.starts_with('+'));
        rest.nth(digits - 1);
        code.ok_or_else(|| format!("\\{letter} wants {digits} hexadecimal digits"))
    };
    let code = match letter {
        '\n' => return Ok(()),
        '\\' | '\'' | '"' => u32::from(letter),
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        'x' => hex(2)?,
        'u' => hex(4)?,
        'U' => hex(8)?,
        '0'..='7' => {
            let mut code = letter.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(8)) else { break };
                code = code * 8 + digit;
                rest.next();
            }
            code
        }
        'N' => return Err("names of characters (\\N{…}) are not supported".into()),
        other => {
            made.extend(['\\', other]);
            return Ok(());
        }
    };
    // Two halves of a pair make one character.
    let code = match (high.take(), code) {
        (Some(first), 0xdc00..=0xdfff) => 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00),
        (_, 0xd800..=0xdbff) => {
            *high = Some(code);
            return Ok(());
        }
        _ => code,
    };
    made.push(char::from_u32(code).ok_or_else(|| format!("\\{letter} names no character"))?);
    Ok(())
}
