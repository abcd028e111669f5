//! Filters that keep the items of a list on which a test passes.

use minijinja::value::Value;

use super::super::arguments::Args;
use super::super::tests;
use super::super::values::{Given, fault, generator, items};
use super::order;

/// `select`, `reject`, `selectattr` and `rejectattr`: the items on which a test passes, or does not.
pub(crate) fn select(name: &str, mut args: Args) -> Given {
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

/// What lazy filters go through: nothing of what is false, whatever it is.
pub(crate) fn items_of(value: &Value) -> Given<Vec<Value>> {
    if value.is_true() { items(value) } else { Ok(Vec::new()) }
}
