//! Filters that compare items, and the attributes by which they do.

use std::cmp::Ordering;

use minijinja::value::Value;

use super::super::arguments::{Args, flag};
use super::super::attributes::item as item_of;
use super::super::operators::binary;
use super::super::sorted::sort_by;
use super::super::values::{
    Dict, Given, Kind, Tuple, compare, equal, fault, generator, int, items, kind, list, tuple, type_name,
};

/// The keys that an attribute's name stands for: `a.0.b` is three.
pub(crate) fn path(attribute: Option<&Value>) -> Given<Vec<Value>> {
    let Some(attribute) = attribute.filter(|attribute| !attribute.is_none()) else { return Ok(Vec::new()) };
    match attribute.as_str() {
        Some(name) => Ok(name.split('.').map(key).collect()),
        None if int(attribute).is_some() => Ok(vec![attribute.clone()]),
        None => Err(fault("an attribute is a name or a number")),
    }
}

fn key(part: &str) -> Value {
    match part.parse::<i64>() {
        Ok(number) if part.bytes().all(|b| b.is_ascii_digit()) => number.into(),
        _ => part.into(),
    }
}

/// What is found along keys; `otherwise` stands for what is not there.
pub(crate) fn follow(value: &Value, path: &[Value], otherwise: Option<&Value>) -> Given {
    let mut value = value.clone();
    for key in path {
        value = item_of(&value, key)?;
        if let Some(otherwise) = otherwise.filter(|_| value.is_undefined()) {
            value = otherwise.clone();
        }
    }
    Ok(value)
}

/// Text in lower case, anything else as it is.
fn folded(value: Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => text.to_lowercase().into(),
        _ => value,
    }
}

fn reversed<T>(all: &mut [T], reverse: bool, sort: impl Fn(&mut [T]) -> Given<()>) -> Given<()> {
    // Backwards twice: equal ones keep their order.
    if reverse {
        all.reverse();
    }
    sort(all)?;
    if reverse {
        all.reverse();
    }
    Ok(())
}

/// Applies one of these filters.
pub(crate) fn apply(name: &str, args: Args) -> Given {
    match name {
        "sort" => sort(args),
        "dictsort" => dict_sort(args),
        "groupby" => group_by(args),
        "sum" => {
            let (value, [_, attribute, start]) = args.bind_first(["iterable", "attribute", "start"])?;
            let path = path(attribute.as_ref())?;
            let mut sum = start.unwrap_or_else(|| Value::from(0));
            if sum.as_str().is_some() {
                return Err(fault("sum() can't sum strings [use ''.join(seq) instead]"));
            }
            for item in items(&value)? {
                sum = binary("+", &sum, &follow(&item, &path, None)?)?;
            }
            Ok(sum)
        }
        "unique" => {
            let (value, [_, case_sensitive, attribute]) = args.bind_first(["value", "case_sensitive", "attribute"])?;
            let (path, exact) = (path(attribute.as_ref())?, flag(case_sensitive, false));
            let mut seen: Vec<Value> = Vec::new();
            let mut kept = Vec::new();
            for item in items(&value)? {
                let key = folded(follow(&item, &path, None)?, exact);
                if matches!(kind(&key), Kind::List | Kind::Dict) {
                    return Err(fault(format!("unhashable type: '{}'", type_name(&key))));
                }
                if !seen.iter().any(|known| equal(known, &key)) {
                    seen.push(key);
                    kept.push(item);
                }
            }
            Ok(generator(kept))
        }
        _ => {
            let (value, [_, case_sensitive, attribute]) = args.bind_first(["value", "case_sensitive", "attribute"])?;
            let (path, exact) = (path(attribute.as_ref())?, flag(case_sensitive, false));
            let (wanted, sign) = if name == "max" { (Ordering::Greater, ">") } else { (Ordering::Less, "<") };
            let mut best: Option<(Value, Value)> = None;
            for item in items(&value)? {
                let key = folded(follow(&item, &path, None)?, exact);
                let better = match &best {
                    None => true,
                    Some((known, _)) => compare(&key, known, sign)? == Some(wanted),
                };
                if better {
                    best = Some((key, item));
                }
            }
            Ok(best.map(|(_, item)| item).unwrap_or_default())
        }
    }
}

fn sort(args: Args) -> Given {
    let (value, [_, reverse, case_sensitive, attribute]) =
        args.bind_first(["value", "reverse", "case_sensitive", "attribute"])?;
    let exact = flag(case_sensitive, false);
    let paths = match attribute.as_ref().and_then(Value::as_str) {
        Some(names) => names.split(',').map(|name| path(Some(&name.into()))).collect::<Given<Vec<_>>>()?,
        None => vec![path(attribute.as_ref())?],
    };
    let key = |item: &Value| {
        let parts = paths.iter().map(|path| Ok(folded(follow(item, path, None)?, exact)));
        Ok(list(parts.collect::<Given<_>>()?))
    };
    let mut all = items(&value)?;
    reversed(&mut all, flag(reverse, false), |all| sort_by(all, key))?;
    Ok(list(all))
}

fn dict_sort(args: Args) -> Given {
    let (value, [_, case_sensitive, by, reverse]) = args.bind_first(["value", "case_sensitive", "by", "reverse"])?;
    let exact = flag(case_sensitive, false);
    let by_value = match by.as_ref().map(|by| by.as_str().unwrap_or_default()) {
        None | Some("key") => false,
        Some("value") => true,
        Some(_) => return Err(fault("You can only sort by either \"key\" or \"value\"")),
    };
    let dict = value.downcast_object_ref::<Dict>().ok_or_else(|| fault("dictsort wants a dict"))?;
    let mut all = dict.0.clone();
    let key = |(key, value): &(Value, Value)| Ok(folded(if by_value { value } else { key }.clone(), exact));
    reversed(&mut all, flag(reverse, false), |all| sort_by(all, key))?;
    Ok(list(all.into_iter().map(|(key, value)| tuple(vec![key, value])).collect()))
}

fn group_by(args: Args) -> Given {
    let (value, [_, attribute, otherwise, case_sensitive]) =
        args.bind_first(["value", "attribute", "default", "case_sensitive"])?;
    let exact = flag(case_sensitive, false);
    let path = path(attribute.as_ref())?;
    let otherwise = otherwise.filter(|value| !value.is_none());
    let exact_key = |item: &Value| follow(item, &path, otherwise.as_ref());
    let key = |item: &Value| Ok(folded(exact_key(item)?, exact));
    let mut all = items(&value)?;
    sort_by(&mut all, key)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for item in all {
        let (folded, shown) = (key(&item)?, exact_key(&item)?);
        match groups.last_mut() {
            Some((known, _, group)) if equal(known, &folded) => group.push(item),
            _ => groups.push((folded, shown, vec![item])),
        }
    }
    let named =
        |(_, shown, group)| Value::from_object(Tuple { items: vec![shown, list(group)], names: &["grouper", "list"] });
    Ok(list(groups.into_iter().map(named).collect()))
}
