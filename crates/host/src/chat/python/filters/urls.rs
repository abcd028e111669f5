//! Filters for web pages.

use minijinja::value::Value;

use super::super::arguments::{Args, flag};
use super::super::print::{escape, text};
use super::super::values::{Dict, Given, Kind, fault, items, kind};

/// Applies one of these filters.
pub(crate) fn apply(name: &str, args: Args) -> Given {
    match name {
        "xmlattr" => {
            let (value, [_, space]) = args.bind_first(["d", "autospace"])?;
            let dict = value.downcast_object_ref::<Dict>().ok_or_else(|| fault("xmlattr wants a dict"))?;
            let mut parts = Vec::new();
            for (key, value) in dict.0.iter().filter(|(_, value)| !value.is_none() && !value.is_undefined()) {
                let key = text(key)?;
                if key.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '=')) {
                    return Err(fault(format!("Invalid character in attribute name: '{key}'")));
                }
                let shown = text(value)?;
                let shown = if value.is_safe() { shown } else { escape(&shown) };
                parts.push(format!("{}=\"{shown}\"", escape(&key)));
            }
            let made = parts.join(" ");
            let space = flag(space, true) && !made.is_empty();
            Ok(Value::from(if space { format!(" {made}") } else { made }))
        }
        "urlencode" => {
            let (value, _) = args.bind_first(["value"])?;
            let pairs = match (kind(&value), value.downcast_object_ref::<Dict>()) {
                (_, Some(dict)) => dict.0.clone(),
                (Kind::List | Kind::Tuple | Kind::Range | Kind::View, _) => {
                    items(&value)?.iter().map(pair).collect::<Given<_>>()?
                }
                _ => return Ok(Value::from(quote(&text(&value)?, false))),
            };
            let one = |(key, value): (Value, Value)| {
                Ok(format!("{}={}", quote(&text(&key)?, true), quote(&text(&value)?, true)))
            };
            Ok(Value::from(pairs.into_iter().map(one).collect::<Given<Vec<_>>>()?.join("&")))
        }
        _ => Err(fault("`urlize` makes web pages, which no prompt is")),
    }
}

fn pair(value: &Value) -> Given<(Value, Value)> {
    match <[Value; 2]>::try_from(items(value)?) {
        Ok([key, value]) => Ok((key, value)),
        Err(_) => Err(fault("urlencode wants pairs")),
    }
}

/// A text for an address; in a query, `/` is written out and a space is `+`.
fn quote(text: &str, query: bool) -> String {
    let mut made = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' | b'-' | b'~' => made.push(byte.into()),
            b'/' if !query => made.push('/'),
            b' ' if query => made.push('+'),
            byte => made.push_str(&format!("%{byte:02X}")),
        }
    }
    made
}
