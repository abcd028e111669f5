//! `text.format(…)`: Python's newer formatting, with its language for how a value is written.

use minijinja::value::Value;

use super::arguments::Args;
use super::attributes::{attribute, item};
use super::number::{Sign, exponent_form, fixed, general, grouped, grouped_digits, pad};
use super::print::{self, ascii, repr, text};
use super::values::{Given, Kind, fault, float, int, kind, spend, type_name};

/// How deep a specification may hold another one.
const DEEPEST: usize = 3;

/// A text with values in its braces.
///
/// # Errors
/// Braces that do not pair, a value that is not there, a specification that its value does not take.
pub(crate) fn format(template: &str, args: &Args) -> Given<String> {
    let mut counted = Counter::default();
    expand(template, args, &mut counted, DEEPEST)
}

/// Whether fields are numbered by the text or by their order.
#[derive(Default)]
struct Counter {
    next: usize,
    manual: bool,
}

fn expand(template: &str, args: &Args, counted: &mut Counter, depth: usize) -> Given<String> {
    let Some(depth) = depth.checked_sub(1) else { return Err(fault("Max string recursion exceeded")) };
    let mut made = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        made.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            made.push_str(brace);
            rest = behind;
            continue;
        }
        if brace == "}" {
            return Err(fault("Single '}' encountered in format string"));
        }
        let end = field_end(rest)?;
        let (field, behind) = (&rest[..end], &rest[end + 1..]);
        rest = behind;
        made.push_str(&one(field, args, counted, depth)?);
        spend(made.len())?;
    }
    Ok(made + rest)
}

fn field_end(text: &str) -> Given<usize> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return Ok(at);
        }
    }
    Err(fault(if text.is_empty() {
        "Single '{' encountered in format string"
    } else {
        "expected '}' before end of string"
    }))
}

fn one(field: &str, args: &Args, counted: &mut Counter, depth: usize) -> Given<String> {
    let bracket = |at: usize| field[..at].matches('[').count() > field[..at].matches(']').count();
    let split = field.char_indices().find(|&(at, c)| matches!(c, '!' | ':') && !bracket(at));
    let (name, mut behind) = field.split_at(split.map_or(field.len(), |(at, _)| at));
    let mut conversion = None;
    if let Some(text) = behind.strip_prefix('!') {
        let letter =
            text.chars().next().ok_or_else(|| fault("end of string while looking for conversion specifier"))?;
        conversion = Some(letter);
        behind = &text[letter.len_utf8()..];
    }
    let spec = match behind.strip_prefix(':') {
        Some(spec) => spec,
        None if behind.is_empty() => "",
        None => return Err(fault("expected ':' after conversion specifier")),
    };
    let value = lookup(name, args, counted)?;
    let spec = expand(spec, args, counted, depth)?;
    let value = match conversion {
        None => value,
        Some('s') => Value::from(text(&value)?),
        Some('r') => Value::from(repr(&value)?),
        Some('a') => Value::from(ascii(&repr(&value)?)),
        Some(letter) => return Err(fault(format!("Unknown conversion specifier '{letter}'"))),
    };
    formatted(&value, &spec)
}

fn lookup(field: &str, args: &Args, counted: &mut Counter) -> Given {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (name, mut path) = field.split_at(end);
    let mut value = if name.is_empty() || name.bytes().all(|b| b.is_ascii_digit()) {
        let at = match name.parse::<usize>() {
            Ok(_) if counted.next > 0 => {
                return Err(fault("cannot switch from automatic field numbering to manual field specification"));
            }
            Ok(at) => {
                counted.manual = true;
                at
            }
            Err(_) if counted.manual => {
                return Err(fault("cannot switch from manual field specification to automatic field numbering"));
            }
            Err(_) => {
                counted.next += 1;
                counted.next - 1
            }
        };
        let missing = || fault(format!("Replacement index {at} out of range for positional args tuple"));
        args.given.get(at).cloned().ok_or_else(missing)?
    } else {
        let found = args.named.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| fault(format!("KeyError: '{name}'")))?
    };
    while !path.is_empty() {
        let missing = |what: &str| fault(format!("the value of '{{{field}}}' has no {what}"));
        if let Some(behind) = path.strip_prefix('[') {
            let end = behind.find(']').ok_or_else(|| fault("Missing ']' in format string"))?;
            let key = &behind[..end];
            let key =
                key.parse::<i64>().ok().filter(|_| !key.starts_with(['-', '+'])).map_or(Value::from(key), Value::from);
            value = item(&value, &key)?;
            path = &behind[end + 1..];
        } else {
            let behind = path.strip_prefix('.').ok_or_else(|| missing("such part"))?;
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            value = attribute(&value, &behind[..end])?;
            path = &behind[end..];
        }
        if value.is_undefined() {
            return Err(missing("such attribute"));
        }
    }
    Ok(value)
}

/// A specification taken apart.
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Sign,
    signed: bool,
    alternate: bool,
    width: usize,
    group: Option<char>,
    precision: Option<usize>,
    letter: Option<char>,
}

fn parse(spec: &str) -> Given<Spec> {
    let bad = || fault(format!("Invalid format specifier '{spec}'"));
    let mut rest: Vec<char> = spec.chars().rev().collect();
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>=^".contains(*c));
    let (mut fill, mut align) = (None, None);
    if rest.len() > 1 && is_align(rest.get(rest.len() - 2)) {
        (fill, align) = (rest.pop(), rest.pop());
    } else if is_align(rest.last()) {
        align = rest.pop();
    }
    let mut take = |wanted: &str| rest.pop_if(|c| wanted.contains(*c));
    let sign = take("+- ");
    let alternate = take("#").is_some();
    if take("0").is_some() {
        fill = fill.or(Some('0'));
        align = align.or(Some('='));
    }
    let number = |rest: &mut Vec<char>| {
        let mut digits = String::new();
        while let Some(digit) = rest.pop_if(|c| c.is_ascii_digit()) {
            digits.push(digit);
        }
        if digits.is_empty() { None } else { Some(digits.parse::<usize>().unwrap_or(usize::MAX)) }
    };
    let width = number(&mut rest).unwrap_or(0);
    let group = rest.pop_if(|c| ",_".contains(*c));
    let mut precision = None;
    if rest.pop_if(|c| *c == '.').is_some() {
        precision = Some(number(&mut rest).ok_or_else(|| fault("Format specifier missing precision"))?);
    }
    let letter = rest.pop();
    if !rest.is_empty() {
        return Err(bad());
    }
    let signed = sign.is_some();
    let sign = match sign {
        Some('+') => Sign::Plus,
        Some(' ') => Sign::Space,
        _ => Sign::Minus,
    };
    Ok(Spec { fill, align, sign, signed, alternate, width, group, precision, letter })
}

/// `format(value, spec)`.
pub(crate) fn formatted(value: &Value, spec: &str) -> Given<String> {
    if spec.is_empty() {
        return text(value);
    }
    let spec = parse(spec)?;
    spend(spec.width.max(spec.precision.unwrap_or(0)))?;
    let unknown =
        |letter: char| fault(format!("Unknown format code '{letter}' for object of type '{}'", type_name(value)));
    let (body, align) = match (kind(value), spec.letter) {
        (Kind::Str, None | Some('s')) => {
            if spec.signed || spec.align == Some('=') || spec.group.is_some() {
                return Err(fault("a str takes no sign, no '=' and no groups in a format specifier"));
            }
            let whole = text(value)?;
            (spec.precision.map_or(whole.clone(), |most| whole.chars().take(most).collect()), '<')
        }
        (Kind::Str, Some(letter)) => return Err(unknown(letter)),
        (Kind::Int | Kind::Bool, None | Some('d' | 'n' | 'b' | 'o' | 'x' | 'X' | 'c')) => {
            (integer(&spec, int(value).unwrap_or(0))?, '>')
        }
        (Kind::Int | Kind::Bool | Kind::Float, letter) => {
            let body = real(&spec, value).ok_or_else(|| unknown(letter.unwrap_or(' ')))?;
            (body, '>')
        }
        _ => return Err(fault(format!("unsupported format string passed to {}.__format__", type_name(value)))),
    };
    let (fill, align) = (spec.fill.unwrap_or(' '), spec.align.unwrap_or(align));
    Ok(pad(&body, spec.width, fill, align))
}

fn integer(spec: &Spec, number: i128) -> Given<String> {
    if spec.precision.is_some() {
        return Err(fault("Precision not allowed in integer format specifier"));
    }
    let (base, prefix) = match spec.letter {
        Some('b') => (2, "0b"),
        Some('o') => (8, "0o"),
        Some('x' | 'X') => (16, "0x"),
        Some('c') => {
            let code = u32::try_from(number).ok().and_then(char::from_u32);
            return code.map(String::from).ok_or_else(|| fault("%c arg not in range(0x110000)"));
        }
        _ => (10, ""),
    };
    let group = spec.group.map(|mark| (mark, if base == 10 { 3 } else { 4 }));
    let prefix = if spec.alternate { prefix } else { "" };
    let made = grouped_digits(number, base, spec.sign, None, prefix, group);
    Ok(if spec.letter == Some('X') { made.to_uppercase() } else { made })
}

fn real(spec: &Spec, value: &Value) -> Option<String> {
    let number = float(value)?;
    let size = match (spec.letter, spec.precision) {
        (None, None) => print::float(number.abs()),
        (None, Some(digits)) => short(number, digits.max(1)),
        (Some('e' | 'E'), digits) => exponent_form(number, digits.unwrap_or(6), spec.alternate),
        (Some('f' | 'F'), digits) => fixed(number, digits.unwrap_or(6), spec.alternate),
        (Some('g' | 'G' | 'n'), digits) => general(number, digits.unwrap_or(6), spec.alternate),
        (Some('%'), digits) => fixed(number * 100.0, digits.unwrap_or(6), spec.alternate) + "%",
        _ => return None,
    };
    let size = spec.group.map_or(size.clone(), |mark| grouped(&size, mark, 3));
    let made = spec.sign.before(number.is_sign_negative() && !number.is_nan(), &size);
    Some(if spec.letter.is_some_and(|letter| letter.is_ascii_uppercase()) { made.to_uppercase() } else { made })
}

/// Like `g`, but always with a digit behind the point, which needs room for it.
fn short(number: f64, digits: usize) -> String {
    let form = exponent_form(number, digits - 1, false);
    let Some((mantissa, power)) = form.split_once('e') else { return form };
    if (-4..digits as i64 - 1).contains(&power.parse().unwrap_or(0)) {
        let made = general(number, digits, false);
        return if made.contains('.') { made } else { made + ".0" };
    }
    match mantissa.contains('.') {
        true => format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.')),
        false => form,
    }
}
