//! `value.name`, `value[key]` and slices, by the rules of Jinja's sandbox.

use minijinja::value::Value;

use super::names::{OF_DICT, OF_FLOAT, OF_LIST, OF_STR, OF_TUPLE};
use super::print::repr;
use super::values::{Dict, Given, Kind, Method, Range, Tuple, fault, int, items, kind, len, list, tuple, type_name};

/// `value.name`: an attribute, which for Python's own types is a method; else the item of that name.
///
/// # Errors
/// An attribute of something undefined, or of the interpreter.
pub(crate) fn attribute(value: &Value, name: &str) -> Given {
    Ok(match method_of(value, name)? {
        Some(method) => method,
        None => item_of(value, &Value::from(name))?.unwrap_or_default(),
    })
}

/// `value[key]`: an item; else the attribute of that name.
///
/// # Errors
/// As of [`attribute`].
pub(crate) fn item(value: &Value, key: &Value) -> Given {
    if let Some(item) = item_of(value, key)? {
        return Ok(item);
    }
    match key.as_str() {
        Some(name) => Ok(method_of(value, name)?.unwrap_or_default()),
        None => Ok(Value::UNDEFINED),
    }
}

/// The method of a value's type that has a name, if there is one; of tuples with names, the item.
///
/// # Errors
/// The value is undefined.
pub(crate) fn method_of(value: &Value, name: &str) -> Given<Option<Value>> {
    if value.is_undefined() {
        return Err(fault(format!("an undefined value has no attribute '{name}'")));
    }
    if let Some(named) = value.downcast_object_ref::<Tuple>()
        && let Some(at) = named.names.iter().position(|known| *known == name)
    {
        return Ok(named.items.get(at).cloned());
    }
    let known: &[&str] = match kind(value) {
        Kind::Str => &OF_STR,
        Kind::Dict => &OF_DICT,
        Kind::List => &OF_LIST,
        Kind::Tuple | Kind::Range => &OF_TUPLE,
        Kind::Float => &OF_FLOAT,
        Kind::Other if is_loop(value) => &["cycle", "changed"],
        _ => &[],
    };
    let found = known.contains(&name);
    Ok(found.then(|| Value::from_object(Method { of: value.clone(), name: name.to_string() })))
}

fn is_loop(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Loop"))
}

/// The item of a key, if there is one.
///
/// # Errors
/// The value is undefined.
pub(crate) fn item_of(value: &Value, key: &Value) -> Given<Option<Value>> {
    Ok(match kind(value) {
        Kind::Undefined => {
            return Err(fault(format!("an undefined value has no element {}", repr(key)?)));
        }
        Kind::Dict => value.downcast_object_ref::<Dict>().and_then(|dict| dict.get(key).cloned()),
        Kind::Str | Kind::List | Kind::Tuple | Kind::Range => match int(key) {
            Some(at) => at_index(value, at)?,
            None => None,
        },
        // The engine has no tuples.
        Kind::Other if key.as_str() == Some("arguments") => {
            value.get_item(key).and_then(|it| Ok(tuple(items(&it)?))).ok()
        }
        Kind::Other => value.get_item(key).ok().filter(|item| !item.is_undefined()),
        _ => None,
    })
}

fn at_index(value: &Value, at: i128) -> Given<Option<Value>> {
    let count = len(value)? as i128;
    let at = if at < 0 { at + count } else { at };
    let Ok(at) = usize::try_from(at) else { return Ok(None) };
    Ok(match value.as_str() {
        Some(text) => text.chars().nth(at).map(|c| Value::from(c.to_string())),
        None => value.get_item_by_index(at).ok().filter(|_| (at as i128) < count),
    })
}

/// `value[start:stop:step]`.
///
/// # Errors
/// A step of zero, bounds that are no integers, or a slice of something undefined.
pub(crate) fn slice(value: &Value, bounds: [&Value; 3]) -> Given {
    if value.is_undefined() {
        return Err(fault("an undefined value cannot be sliced"));
    }
    if !matches!(kind(value), Kind::Str | Kind::List | Kind::Tuple | Kind::Range) {
        return Err(fault(format!("'{}' object cannot be sliced", type_name(value))));
    }
    let mut numbers = [None; 3];
    for (number, bound) in numbers.iter_mut().zip(bounds) {
        match int(bound) {
            _ if bound.is_none() => {}
            Some(given) => *number = Some(given),
            None => return Err(fault("slice indices must be integers or None")),
        }
    }
    let all = items(value)?;
    let (count, step) = (all.len() as i128, numbers[2].unwrap_or(1));
    if step == 0 {
        return Err(fault("slice step cannot be zero"));
    }
    let (low, high) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let clip = |at: i128| (if at < 0 { at.saturating_add(count) } else { at }).clamp(low, high);
    let start = numbers[0].map_or(if step > 0 { low } else { high }, clip);
    let stop = numbers[1].map_or(if step > 0 { high } else { low }, clip);
    let mut taken = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        taken.push(all[at as usize].clone());
        at = at.saturating_add(step);
    }
    Ok(match kind(value) {
        Kind::Str => {
            let text: String = taken.iter().filter_map(Value::as_str).collect();
            if value.is_safe() { Value::from_safe_string(text) } else { Value::from(text) }
        }
        Kind::Tuple => tuple(taken),
        Kind::Range => match (int(bounds[0]), value.downcast_object_ref::<Range>()) {
            (_, Some(range)) => {
                let [first, _, by] = range.bounds;
                let to = |at: i128| first + at * by;
                let stop = if taken.is_empty() { start } else { stop };
                Value::from_object(Range { bounds: [to(start), to(stop), by * step], numbers: taken })
            }
            _ => list(taken),
        },
        _ => list(taken),
    })
}
