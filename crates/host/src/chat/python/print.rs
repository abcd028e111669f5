//! Values as Python prints them.

use minijinja::value::Value;

use super::values::{Dict, Given, Kind, Range, View, fault, items, kind, spend, type_name};

/// How deep values may stand in each other.
const DEEPEST: usize = 200;

/// `str(value)`.
///
/// # Errors
/// A value that Python prints with its address, which no template means.
pub fn text(value: &Value) -> Given<String> {
    match kind(value) {
        Kind::Undefined => Ok(String::new()),
        Kind::Str => Ok(value.as_str().unwrap_or_default().to_string()),
        _ => repr(value),
    }
}

/// `repr(value)`.
///
/// # Errors
/// As of [`text`].
pub fn repr(value: &Value) -> Given<String> {
    let mut made = String::new();
    write(&mut made, value, 0)?;
    spend(made.len())?;
    Ok(made)
}

fn write(to: &mut String, value: &Value, depth: usize) -> Given<()> {
    if depth > DEEPEST {
        return Err(fault(format!("prints a value of more than {DEEPEST} levels")));
    }
    let depth = depth + 1;
    match kind(value) {
        Kind::Undefined => to.push_str("Undefined"),
        Kind::None => to.push_str("None"),
        Kind::Bool => to.push_str(if value.is_true() { "True" } else { "False" }),
        Kind::Int => to.push_str(&value.to_string()),
        Kind::Float => to.push_str(&float(f64::try_from(value.clone())?)),
        Kind::Str => {
            let quoted = quoted(value.as_str().unwrap_or_default());
            to.push_str(&if value.is_safe() { format!("Markup({quoted})") } else { quoted });
        }
        Kind::List => sequence(to, "[", &items(value)?, "]", depth)?,
        Kind::Tuple => {
            let items = items(value)?;
            sequence(to, "(", &items, if items.len() == 1 { ",)" } else { ")" }, depth)?;
        }
        Kind::Dict => {
            to.push('{');
            for (at, (key, value)) in value.downcast_object_ref::<Dict>().into_iter().flat_map(|d| &d.0).enumerate() {
                to.push_str(if at > 0 { ", " } else { "" });
                write(to, key, depth)?;
                to.push_str(": ");
                write(to, value, depth)?;
            }
            to.push('}');
        }
        Kind::Range => {
            let [start, stop, step] = value.downcast_object_ref::<Range>().map_or([0; 3], |range| range.bounds);
            let step = if step == 1 { String::new() } else { format!(", {step}") };
            to.push_str(&format!("range({start}, {stop}{step})"));
        }
        Kind::View if type_name(value).starts_with("dict_") => {
            let view = value.downcast_object_ref::<View>();
            to.push_str(type_name(value));
            sequence(to, "([", view.map_or(&[], |view| &view.items), "])", depth)?;
        }
        Kind::View | Kind::Other => object(to, value, depth)?,
    }
    // What grows without end is stopped while it grows.
    if to.len() > super::super::limits::MOST_TEXT { spend(to.len()) } else { Ok(()) }
}

fn sequence(to: &mut String, open: &str, items: &[Value], close: &str, depth: usize) -> Given<()> {
    to.push_str(open);
    for (at, item) in items.iter().enumerate() {
        to.push_str(if at > 0 { ", " } else { "" });
        write(to, item, depth)?;
    }
    to.push_str(close);
    Ok(())
}

/// Objects of the engine.
fn object(to: &mut String, value: &Value, depth: usize) -> Given<()> {
    let engine = value.as_object().map_or("", |object| object.type_name());
    if engine.ends_with("::Macro") {
        to.push_str("<Macro ");
        write(to, &value.get_attr("name")?, depth)?;
        to.push('>');
        return Ok(());
    }
    if engine.ends_with("::Loop") {
        to.push_str(&format!("<LoopContext {}/{}>", value.get_attr("index")?, value.get_attr("length")?));
        return Ok(());
    }
    Err(fault(format!("prints a value of type {}, which has no text of its own", type_name(value))))
}

/// A text in quotes, as Python's `repr`.
pub fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut made = String::with_capacity(text.len() + 2);
    made.push(quote);
    for c in text.chars() {
        match c {
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            c if c == quote => made.extend(['\\', c]),
            c if is_printable(c) => made.push(c),
            c => made.push_str(&match u32::from(c) {
                code @ ..0x100 => format!("\\x{code:02x}"),
                code @ ..0x10000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    made.push(quote);
    made
}

/// Whether Python prints a character as it is.
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Rust writes out the same categories; a mark that joins a character must stand behind one.
        _ => format!("{:?}", format!("a{c}")).chars().count() == 4,
    }
}

/// A float with the fewest digits that tell it from its neighbours.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// A text whose other than ASCII characters are written out.
pub fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match u32::from(c) {
            0..0x80 => c.to_string(),
            code @ ..0x100 => format!("\\x{code:02x}"),
            code @ ..0x10000 => format!("\\u{code:04x}"),
            code => format!("\\U{code:08x}"),
        })
        .collect()
}

/// A text in which what marks up HTML is written out.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('>', "&gt;").replace('<', "&lt;").replace('\'', "&#39;").replace('"', "&#34;")
}
