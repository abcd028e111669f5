//! Calls of values and of their methods, by the rules of Jinja's sandbox.

use std::sync::Arc;

use minijinja::State;
use minijinja::value::{Object, ObjectRepr, Value};

use super::arguments::Args;
use super::attributes::{item_of, method_of};
use super::values::{Given, Kind, Method, fault, kind, spend, type_name};
use super::{containers, strings};

/// Methods that change their value, which the sandbox refuses.
const CHANGING: [&str; 14] = [
    "append",
    "clear",
    "pop",
    "reverse",
    "insert",
    "sort",
    "extend",
    "remove",
    "update",
    "setdefault",
    "popitem",
    "add",
    "discard",
    "__setitem__",
];

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &State<'_, '_>, args: &[Value]) -> Given {
        call_method(state, &self.of, &self.name, args)
    }
}

/// `value.name(…)`.
///
/// # Errors
/// There is no such method, the sandbox does not let it be called, or it refuses its arguments.
pub(crate) fn call_method(state: &State, value: &Value, name: &str, args: &[Value]) -> Given {
    spend(1)?;
    let changes = CHANGING.contains(&name) && matches!(kind(value), Kind::List | Kind::Dict);
    if changes && (kind(value) == Kind::List) != matches!(name, "update" | "setdefault" | "popitem") {
        return Err(fault(format!("access to attribute '{name}' of '{}' object is unsafe", type_name(value))));
    }
    if method_of(value, name)?.is_some() {
        let bound = || Args::new(name, args);
        return match kind(value) {
            Kind::Str => strings::call(value, name, bound()?),
            Kind::Other => value.call_method(state, name, args),
            _ => containers::call(value, name, bound()?),
        };
    }
    match item_of(value, &Value::from(name))? {
        Some(item) => call(state, &item, args),
        None if kind(value) == Kind::Other => value.call_method(state, name, args),
        None => Err(fault(format!("'{} object' has no attribute '{name}'", type_name(value)))),
    }
}

/// `value(…)`.
///
/// # Errors
/// The value is nothing that may be called, or it fails.
pub(crate) fn call(state: &State, value: &Value, args: &[Value]) -> Given {
    match kind(value) {
        Kind::Undefined => Err(fault("an undefined value cannot be called")),
        Kind::Other => value.call(state, args),
        _ => Err(fault(format!("'{}' object is not callable", type_name(value)))),
    }
}
