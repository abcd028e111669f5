//! Jinja's filters, as transformers has them.

mod lazy;
mod order;
mod texts;
mod urls;
mod wrap;

use minijinja::State;
use minijinja::value::Value;

use super::arguments::{Args, flag, number};
use super::attributes::attribute;
use super::json;
use super::names::{FILTERS, OF_DICT};
use super::percent::percent;
use super::print::{escape, text};
use super::strings::strip;
use super::values::{
    Dict, Given, Kind, dict, fault, float, generator, index, int, items, kind, len, list, spend, tuple, type_name,
};

/// Applies a filter; the first argument is what stands before it.
///
/// # Errors
/// No filter of the name, or one that does not take the value or its arguments.
pub(crate) fn apply(state: &State, name: &str, mut args: Args) -> Given {
    spend(1)?;
    match name {
        "map" => return map(state, args),
        "select" | "reject" | "selectattr" | "rejectattr" => return lazy::select(name, args),
        "format" => {
            let format = args.take_first()?;
            let values = match (args.given.is_empty(), args.named.is_empty()) {
                (false, false) => {
                    return Err(fault("can't handle positional and keyword arguments at the same time"));
                }
                (_, true) => tuple(args.given),
                _ => dict(args.named.into_iter().map(|(key, value)| (key.into(), value)).collect()),
            };
            return percent(&Value::from(text(&format)?), &values);
        }
        "tojson" => return json::tojson(args),
        "dictsort" | "groupby" | "max" | "min" | "sort" | "sum" | "unique" => return order::apply(name, args),
        "capitalize" | "center" | "filesizeformat" | "indent" | "lower" | "replace" | "striptags" | "title"
        | "trim" | "truncate" | "upper" | "wordcount" => return texts::apply(name, args),
        "wordwrap" | "pprint" => return wrap::apply(name, args),
        "urlencode" | "urlize" | "xmlattr" => return urls::apply(name, args),
        _ => {}
    }
    if matches!(name, "float" | "int") && args.given.first().is_some_and(Value::is_undefined) {
        return Err(fault(format!("an undefined value has no {name}")));
    }
    match name {
        "default" | "d" => {
            let (value, [_, otherwise, boolean]) = args.bind_first(["value", "default_value", "boolean"])?;
            let missing = value.is_undefined() || (flag(boolean, false) && !value.is_true());
            Ok(if missing { otherwise.unwrap_or_else(|| Value::from("")) } else { value })
        }
        "attr" => {
            let (value, [_, name]) = args.bind_first(["obj", "name"])?;
            let name = name.as_ref().and_then(Value::as_str).ok_or_else(|| fault("attr wants a name"))?;
            // Unlike `value.name`, it does not look at items.
            let method = !matches!(kind(&value), Kind::Dict) || OF_DICT.contains(&name);
            if method { attribute(&value, name) } else { Ok(Value::UNDEFINED) }
        }
        "batch" | "slice" => batches(name, args),
        "float" => {
            let (value, [_, otherwise]) = args.bind_first(["value", "default"])?;
            let made = match value.as_str() {
                Some(text) => parse_float(text),
                None => float(&value),
            };
            Ok(made.map_or_else(|| otherwise.unwrap_or_else(|| Value::from(0.0)), Value::from))
        }
        "int" => to_int(args),
        "join" => join(args),
        "round" => round(args),
        "reverse" => {
            let (value, _) = args.bind_first(["value"])?;
            let mut all = items(&value)?;
            all.reverse();
            Ok(match kind(&value) {
                Kind::Str => Value::from(all.iter().filter_map(Value::as_str).collect::<String>()),
                _ => generator(all),
            })
        }
        _ => {
            let (value, _) = args.bind_first(["value"])?;
            plain(name, &value)
        }
    }
}

/// Filters of nothing but the value.
fn plain(name: &str, value: &Value) -> Given {
    Ok(match name {
        "abs" => match (int(value), float(value)) {
            (Some(number), _) => super::arguments::whole(number.checked_abs())?,
            (_, Some(number)) => Value::from(number.abs()),
            _ => return Err(fault(format!("bad operand type for abs(): '{}'", type_name(value)))),
        },
        "count" | "length" => len(value)?.into(),
        "e" | "escape" if value.is_safe() => value.clone(),
        "e" | "escape" | "forceescape" => Value::from_safe_string(escape(&text(value)?)),
        "safe" => Value::from_safe_string(text(value)?),
        "string" if value.is_safe() => value.clone(),
        "string" => Value::from(text(value)?),
        "first" => items(value)?.into_iter().next().unwrap_or_default(),
        "last" if kind(value) == Kind::View && type_name(value) == super::values::GENERATOR => {
            return Err(fault("'generator' object is not reversible"));
        }
        "last" => items(value)?.pop().unwrap_or_default(),
        "list" => list(items(value)?),
        "items" => match (kind(value), value.downcast_object_ref::<Dict>()) {
            (Kind::Undefined, _) => generator(Vec::new()),
            (_, Some(dict)) => {
                generator(dict.0.iter().map(|(key, value)| tuple(vec![key.clone(), value.clone()])).collect())
            }
            _ => return Err(fault("Can only get item pairs from a mapping.")),
        },
        "random" => return Err(fault("`random` would make another prompt each time")),
        _ => return Err(fault(format!("no filter named '{name}'"))),
    })
}

/// `map`: an attribute of each item, or a filter on each.
fn map(state: &State, mut args: Args) -> Given {
    let value = args.take_first()?;
    if args.given.is_empty() && args.named.iter().any(|(name, _)| name == "attribute") {
        let [attribute, otherwise] = args.bind(["attribute", "default"])?;
        let path = order::path(attribute.as_ref())?;
        let otherwise = otherwise.filter(|value| !value.is_none());
        let of = |item: &Value| order::follow(item, &path, otherwise.as_ref());
        return Ok(generator(lazy::items_of(&value)?.iter().map(of).collect::<Given<_>>()?));
    }
    if args.given.is_empty() {
        return Err(fault("map requires a filter argument"));
    }
    let name = args.take_first()?;
    let name = name.as_str().filter(|name| FILTERS.contains(name));
    let name = name.ok_or_else(|| fault("map wants the name of a filter"))?;
    let one = |item: &Value| {
        let given = std::iter::once(item.clone()).chain(args.given.iter().cloned()).collect();
        apply(state, name, Args { what: name.to_string(), given, named: args.named.clone() })
    };
    Ok(generator(lazy::items_of(&value)?.iter().map(one).collect::<Given<_>>()?))
}

fn batches(name: &str, args: Args) -> Given {
    let (value, [_, count, fill]) =
        args.bind_first(["value", if name == "batch" { "linecount" } else { "slices" }, "fill_with"])?;
    let count = count.ok_or_else(|| fault(format!("{name} wants a number")))?;
    let count = usize::try_from(index(&count)?).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| fault(format!("{name} wants a number of at least 1")))?;
    let fill = fill.filter(|fill| !fill.is_none());
    let all = items(&value)?;
    spend(count)?;
    let mut made: Vec<Vec<Value>> = match name {
        "batch" => all.chunks(count).map(<[Value]>::to_vec).collect(),
        _ => {
            let (size, larger) = (all.len() / count, all.len() % count);
            let begin = |at: usize| at * size + at.min(larger);
            (0..count).map(|at| all[begin(at)..begin(at + 1)].to_vec()).collect()
        }
    };
    if let Some(fill) = fill {
        let larger = all.len() % count;
        for (at, group) in made.iter_mut().enumerate() {
            match name {
                "batch" => group.resize(count, fill.clone()),
                _ if at >= larger => group.push(fill.clone()),
                _ => {}
            }
        }
    }
    Ok(generator(made.into_iter().map(list).collect()))
}

fn join(args: Args) -> Given {
    let (value, [_, between, attribute]) = args.bind_first(["value", "d", "attribute"])?;
    let between = between.map_or(Ok(String::new()), |between| text(&between))?;
    let path = order::path(attribute.as_ref())?;
    let mut made = String::new();
    for (at, item) in items(&value)?.iter().enumerate() {
        let part = text(&order::follow(item, &path, None)?)?;
        spend(made.len() + between.len() + part.len())?;
        made.push_str(if at > 0 { &between } else { "" });
        made.push_str(&part);
    }
    Ok(Value::from(made))
}

fn to_int(args: Args) -> Given {
    let (value, [_, otherwise, base]) = args.bind_first(["value", "default", "base"])?;
    let base = number(base, 10)?;
    let of_float = |number: f64| (number.is_finite() && number.abs() < 1e38).then_some(number.trunc() as i128);
    let made = match value.as_str() {
        Some(text) => parse_int(text, base).or_else(|| parse_float(text).and_then(of_float)),
        None => int(&value).or_else(|| float(&value).and_then(of_float)),
    };
    match made {
        Some(number) => super::arguments::whole(Some(number)),
        None => Ok(otherwise.unwrap_or_else(|| Value::from(0))),
    }
}

/// `int(text, base)`.
fn parse_int(text: &str, base: i128) -> Option<i128> {
    let text = strip(text, None, true, true);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefix =
        |mark: &str, of: i128| lower.strip_prefix(mark).filter(|_| base == of || base == 0).map(|rest| (rest, of));
    let found = prefix("0x", 16).or_else(|| prefix("0o", 8)).or_else(|| prefix("0b", 2));
    let (digits, base) = found.unwrap_or((&lower, if base == 0 { 10 } else { base }));
    if digits.starts_with(['_', '+', '-'])
        || digits.ends_with('_')
        || digits.contains("__")
        || !(2..=36).contains(&base)
    {
        return None;
    }
    let number = i128::from_str_radix(&digits.replace('_', ""), base as u32).ok()?;
    Some(if negative { -number } else { number })
}

/// `float(text)`.
fn parse_float(text: &str) -> Option<f64> {
    let text = strip(text, None, true, true);
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn round(args: Args) -> Given {
    let (value, [_, precision, method]) = args.bind_first(["value", "precision", "method"])?;
    let digits = number(precision, 0)?.clamp(-400, 400) as i32;
    let method = method.as_ref().and_then(Value::as_str).unwrap_or("common").to_string();
    if method == "common" && matches!(kind(&value), Kind::Int | Kind::Bool) {
        let number = int(&value).unwrap_or(0);
        return super::arguments::whole(Some(if digits < 0 {
            round_int(number, digits.unsigned_abs())
        } else {
            number
        }));
    }
    let number =
        float(&value).ok_or_else(|| fault(format!("type {} doesn't define __round__ method", type_name(&value))))?;
    let scale = 10f64.powi(digits);
    Ok(Value::from(match method.as_str() {
        "common" if !number.is_finite() => number,
        // The decimal digits of the number itself decide, to the nearest and then to the even one.
        "common" if digits >= 0 => format!("{number:.*}", digits as usize).parse().unwrap_or(number),
        "common" => round_int(number as i128, digits.unsigned_abs()) as f64,
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        _ => return Err(fault("method must be common, ceil or floor")),
    }))
}

fn round_int(number: i128, zeros: u32) -> i128 {
    let Some(unit) = 10i128.checked_pow(zeros) else { return 0 };
    let (whole, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
    let up = rest * 2 > unit || (rest * 2 == unit && whole % 2 != 0);
    (whole + i128::from(up)) * unit
}
