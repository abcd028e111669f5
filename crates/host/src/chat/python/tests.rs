//! Jinja's tests: what stands behind `is`.

use std::sync::Arc;

use minijinja::value::Value;

use super::arguments::Args;
use super::names::{FILTERS, TESTS};
use super::operators::{binary, contains};
use super::print::text;
use super::strings;
use super::values::{Dict, Given, Kind, Method, Tuple, equal, fault, items, kind};

/// Whether a value passes a test; the value is the first argument.
///
/// # Errors
/// No test of the name, or one that does not take the value.
pub(crate) fn perform(name: &str, args: Args) -> Given<bool> {
    let comparison = match name {
        "==" | "eq" | "equalto" => "==",
        "!=" | "ne" => "!=",
        "<" | "lt" | "lessthan" => "<",
        "<=" | "le" => "<=",
        ">" | "gt" | "greaterthan" => ">",
        ">=" | "ge" => ">=",
        "divisibleby" => "%",
        _ => "",
    };
    if !comparison.is_empty() || matches!(name, "in" | "sameas") {
        let (value, [_, other]) = args.bind_first(["value", "other"])?;
        let other = other.ok_or_else(|| fault(format!("the test '{name}' wants something to compare with")))?;
        return match name {
            "in" => contains(&other, &value),
            "sameas" => Ok(same(&value, &other)),
            "divisibleby" => Ok(equal(&binary("%", &value, &other)?, &Value::from(0))),
            _ => Ok(binary(comparison, &value, &other)?.is_true()),
        };
    }
    let (value, _) = args.bind_first(["value"])?;
    let is = |wanted: Kind| kind(&value) == wanted;
    let named = |names: &[&str]| match value.as_str() {
        Some(name) => Ok(names.contains(&name)),
        None => Err(fault(format!("the test '{name}' wants a name"))),
    };
    let upper_or_lower = |method: &str| -> Given<bool> {
        let args = Args { what: method.to_string(), given: Vec::new(), named: Vec::new() };
        Ok(strings::call(&Value::from(text(&value)?), method, args)?.is_true())
    };
    let remainder = || binary("%", &value, &Value::from(2));
    Ok(match name {
        "boolean" => is(Kind::Bool),
        "callable" => is(Kind::Other) && (value.downcast_object_ref::<Method>().is_some() || is_called(&value)),
        "defined" => !value.is_undefined(),
        "escaped" => value.is_safe(),
        "even" => equal(&remainder()?, &Value::from(0)),
        "odd" => equal(&remainder()?, &Value::from(1)),
        "false" => is(Kind::Bool) && !value.is_true(),
        "true" => is(Kind::Bool) && value.is_true(),
        "filter" => named(&FILTERS)?,
        "test" => named(&TESTS)?,
        "float" => is(Kind::Float),
        "integer" => is(Kind::Int),
        "iterable" => items(&value).is_ok(),
        "lower" => upper_or_lower("islower")?,
        "upper" => upper_or_lower("isupper")?,
        "mapping" => is(Kind::Dict),
        "none" => value.is_none(),
        "number" => matches!(kind(&value), Kind::Int | Kind::Float | Kind::Bool),
        "sequence" => {
            matches!(kind(&value), Kind::Str | Kind::List | Kind::Tuple | Kind::Dict | Kind::Range | Kind::Undefined)
        }
        "string" => is(Kind::Str),
        "undefined" => value.is_undefined(),
        _ => return Err(fault(format!("no test named '{name}'"))),
    })
}

/// Macros and functions, among the engine's objects.
fn is_called(value: &Value) -> bool {
    value.as_object().is_some_and(|object| !object.type_name().ends_with("::Namespace"))
}

/// `left is right`: Python has one of each small number, of each short constant, and of `None`, `True` and `False`.
fn same(left: &Value, right: &Value) -> bool {
    fn one<T: 'static>(left: &Value, right: &Value) -> Option<bool> {
        Some(Arc::ptr_eq(&left.downcast_object::<T>()?, &right.downcast_object::<T>()?))
    }
    match kind(left) {
        Kind::Dict => one::<Dict>(left, right).unwrap_or(false),
        Kind::Tuple => one::<Tuple>(left, right).unwrap_or(false),
        Kind::List => one::<Vec<Value>>(left, right).unwrap_or(false),
        Kind::Range | Kind::View | Kind::Other => false,
        of => of == kind(right) && equal(left, right),
    }
}
