//! Filters that go through a list and give one item after the other.

use minijinja::State;
use minijinja::value::Value;

use super::super::arguments::Args;
use super::super::tests;
use super::super::values::{Given, fault, generator, items};
use super::{apply, order};

/// `map`: an attribute of each item, or a filter on each.
pub fn map(state: &State, mut args: Args) -> Given {
    let value = args.take_first()?;
    if args.given.is_empty() && args.named.iter().any(|(name, _)| name == "attribute") {
        let [attribute, otherwise] = args.bind(["attribute", "default"])?;
        let path = order::path(attribute.as_ref())?;
        let otherwise = otherwise.filter(|value| !value.is_none());
        let of = |item: &Value| order::follow(item, &path, otherwise.as_ref());
        return Ok(generator(items_of(&value)?.iter().map(of).collect::<Given<_>>()?));
    }
    if args.given.is_empty() {
        return Err(fault("map requires a filter argument"));
    }
    let name = args.take_first()?;
    let name = name.as_str().filter(|name| super::NAMES.contains(name));
    let name = name.ok_or_else(|| fault("map wants the name of a filter"))?;
    let one = |item: &Value| {
        let given = std::iter::once(item.clone()).chain(args.given.iter().cloned()).collect();
        apply(state, name, Args { what: name.to_string(), given, named: args.named.clone() })
    };
    Ok(generator(items_of(&value)?.iter().map(one).collect::<Given<_>>()?))
}

/// `select`, `reject`, `selectattr` and `rejectattr`: the items on which a test passes, or does not.
pub fn select(name: &str, mut args: Args) -> Given {
    let value = args.take_first()?;
    let path = match name.ends_with("attr") {
        true => order::path(Some(&args.take_first().map_err(|_| fault("Missing parameter for attribute name"))?))?,
        false => Vec::new(),
    };
    let wanted = name.starts_with("select");
    let test = if args.given.is_empty() { None } else { Some(args.take_first()?) };
    let mut kept = Vec::new();
    for item in items_of(&value)? {
        let looked_at = order::follow(&item, &path, None)?;
        let passes = match &test {
            None => looked_at.is_true(),
            Some(test) => {
                let given = std::iter::once(looked_at).chain(args.given.iter().cloned()).collect();
                let test = test.as_str().unwrap_or_default();
                tests::perform(test, Args { what: test.to_string(), given, named: args.named.clone() })?
            }
        };
        if passes == wanted {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}

/// What is gone through: nothing of what is false, whatever it is.
fn items_of(value: &Value) -> Given<Vec<Value>> {
    if value.is_true() { items(value) } else { Ok(Vec::new()) }
}
