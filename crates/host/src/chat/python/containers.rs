//! Methods of Python's lists, tuples, dicts and floats.

use minijinja::value::Value;

use super::arguments::Args;
use super::values::{Dict, Given, Kind, View, dict, equal, fault, float, int, items, kind, list, tuple};

/// Calls a method.
pub(crate) fn call(value: &Value, name: &str, args: Args) -> Given {
    match (kind(value), name) {
        (Kind::Dict, "get") => {
            let (key, [_, otherwise]) = args.bind_first(["key", "default"])?;
            let found = value.downcast_object_ref::<Dict>().and_then(|dict| dict.get(&key).cloned());
            Ok(found.unwrap_or_else(|| otherwise.unwrap_or_else(|| Value::from(()))))
        }
        (Kind::Dict, _) => {
            let [] = args.bind([])?;
            let pairs = || value.downcast_object_ref::<Dict>().into_iter().flat_map(|dict| dict.0.iter().cloned());
            let view = |name, items| Value::from_object(View { name, items });
            Ok(match name {
                "items" => view("dict_items", pairs().map(|(key, value)| tuple(vec![key, value])).collect()),
                "keys" => view("dict_keys", pairs().map(|(key, _)| key).collect()),
                "values" => view("dict_values", pairs().map(|(_, value)| value).collect()),
                _ => dict(pairs().collect()),
            })
        }
        (Kind::Float, _) => Ok(float(value).is_some_and(|number| number.is_finite() && number.fract() == 0.0).into()),
        (_, "copy") => {
            let [] = args.bind([])?;
            Ok(list(items(value)?))
        }
        (_, "count") => {
            let (wanted, _) = args.bind_first(["value"])?;
            Ok(items(value)?.iter().filter(|item| equal(item, &wanted)).count().into())
        }
        _ => {
            let (wanted, [_, start, stop]) = args.bind_first(["value", "start", "stop"])?;
            let all = items(value)?;
            let count = all.len() as i128;
            let clip = |bound: Option<Value>, otherwise: i128| {
                let at = bound.and_then(|bound| int(&bound)).unwrap_or(otherwise);
                (if at < 0 { at.saturating_add(count) } else { at }).clamp(0, count) as usize
            };
            let (start, stop) = (clip(start, 0), clip(stop, count));
            let found = (start..stop).find(|&at| equal(&all[at], &wanted));
            found.map(Value::from).ok_or_else(|| fault("the value is not in the list"))
        }
    }
}
