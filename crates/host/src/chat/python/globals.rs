//! Jinja's functions.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Environment, Error, State};

use super::arguments::{Args, number};
use super::attributes::{attribute, item, slice};
use super::calls::{call, call_method};
use super::clock::strftime_now;
use super::operators::{BINARY, binary, chain, negative};
use super::values::{Dict, Given, Range, dict, fault, index, items, list, spend, tuple};

/// Numbers that the sandbox lets a `range` have.
const LONGEST_RANGE: i128 = 100_000;

type Rest = minijinja::value::Rest<Value>;

/// Adds what templates of transformers call, and what a rewritten one calls.
pub(crate) fn add(environment: &mut Environment<'static>) {
    environment.add_function("raise_exception", |message: Value| -> Given {
        Err(fault(super::print::text(&message)?).with_source(Raised))
    });
    environment.add_function("strftime_now", |args: Rest| strftime_now(Args::new("strftime_now", &args)?));
    environment.add_function("range", |args: Rest| range(Args::new("range", &args)?));
    environment.add_function("dict", |args: Rest| make_dict(Args::new("dict", &args)?));
    environment.add_function("namespace", |args: Rest| namespace(Args::new("namespace", &args)?));
    environment.add_function("joiner", |args: Rest| -> Given {
        let [between] = Args::new("joiner", &args)?.bind(["sep"])?;
        Ok(Value::from_object(Joiner { between: between.unwrap_or_else(|| ", ".into()), used: Mutex::new(false) }))
    });
    environment.add_function("cycler", |args: Rest| -> Given {
        match args.is_empty() {
            true => Err(fault("at least one item has to be provided")),
            false => Ok(Value::from_object(Cycler { items: args.to_vec(), at: Mutex::new(0) })),
        }
    });
    environment.add_function("lipsum", || -> Given { Err(fault("`lipsum` would make another prompt each time")) });
    environment
        .add_function(ALONE, || -> Given { Err(fault("a chat template stands alone: it takes in no other file")) });
    // A rewritten template calls these by names that no template can write.
    for sign in BINARY {
        environment.add_function(sign, move |left: &Value, right: &Value| binary(sign, left, right));
    }
    environment.add_function(NEGATE, |value: &Value| negative(value));
    environment.add_function(CHAIN, |operands: Rest| chain(&operands));
    environment.add_function(ATTRIBUTE, |value: &Value, name: &str| attribute(value, name));
    environment.add_function(ITEM, |value: &Value, key: &Value| item(value, key));
    environment.add_function(SLICE, |value: &Value, start: &Value, stop: &Value, step: &Value| {
        slice(value, [start, stop, step])
    });
    environment.add_function(METHOD, |state: &State, value: &Value, name: &str, args: Rest| {
        call_method(state, value, name, &args)
    });
    environment.add_function(CALL, |state: &State, value: &Value, args: Rest| call(state, value, &args));
    environment.add_function(TUPLE, |value: &Value| -> Given { Ok(tuple(items(value)?)) });
    environment.add_function(ITERATE, |value: &Value| -> Given { Ok(list(items(value)?)) });
    environment.add_function(DICT, |keys: &Value, values: &Value| -> Given {
        let mut made = Dict::default();
        for (key, value) in items(keys)?.into_iter().zip(items(values)?) {
            made.set(key, value)?;
        }
        Ok(Value::from_object(made))
    });
}

/// What stands behind an error that the template raised itself.
#[derive(Debug, thiserror::Error)]
#[error("raised by the template")]
pub(crate) struct Raised;

/// `-value`: these are the names of what a rewritten template calls.
pub(crate) const NEGATE: &str = "=-";
/// What would take in another template.
pub(crate) const ALONE: &str = "=alone";
/// A chain of comparisons.
pub(crate) const CHAIN: &str = "=chain";
/// `value.name`.
pub(crate) const ATTRIBUTE: &str = "=attribute";
/// `value[key]`.
pub(crate) const ITEM: &str = "=item";
/// `value[a:b:c]`.
pub(crate) const SLICE: &str = "=slice";
/// `value.name(…)`.
pub(crate) const METHOD: &str = "=method";
/// `value(…)`.
pub(crate) const CALL: &str = "=call";
/// `(a, b)`.
pub(crate) const TUPLE: &str = "=tuple";
/// What a loop goes through.
pub(crate) const ITERATE: &str = "=iterate";
/// `{a: b}`.
pub(crate) const DICT: &str = "=dict";

fn range(args: Args) -> Given {
    let [first, second, step] = args.bind(["start", "stop", "step"])?;
    let first = first.ok_or_else(|| fault("range expected at least 1 argument, got 0"))?;
    let (start, stop) = match second {
        Some(stop) => (index(&first)?, index(&stop)?),
        None => (0, index(&first)?),
    };
    let step = number(step, 1)?;
    if step == 0 {
        return Err(fault("range() arg 3 must not be zero"));
    }
    let distance = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
    let count = (distance.max(0) as u128).div_ceil(step.unsigned_abs());
    if count > LONGEST_RANGE as u128 {
        let message = format!("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({LONGEST_RANGE}).");
        return Err(fault(message));
    }
    spend(count as usize)?;
    let numbers = (0..count as i128).map(|at| Value::from(start + at * step)).collect();
    Ok(Value::from_object(Range { bounds: [start, stop, step], numbers }))
}

fn make_dict(args: Args) -> Given {
    let mut made = Dict::default();
    if args.given.len() > 1 {
        return Err(fault("dict expected at most 1 argument"));
    }
    for source in &args.given {
        match source.downcast_object_ref::<Dict>() {
            Some(other) => made.0.extend(other.0.iter().cloned()),
            None => {
                for pair in items(source)? {
                    let [key, value] = <[Value; 2]>::try_from(items(&pair)?)
                        .map_err(|_| fault("dictionary update sequence wants pairs"))?;
                    made.set(key, value)?;
                }
            }
        }
    }
    for (name, value) in args.named {
        made.set(name.into(), value)?;
    }
    Ok(Value::from_object(made))
}

/// The engine's own namespace, since only that may be assigned to.
fn namespace(args: Args) -> Given {
    let values = make_dict(args)?;
    let pairs = values.downcast_object_ref::<Dict>().into_iter().flat_map(|dict| dict.0.clone());
    let refused = |name: &str| {
        fault(format!("Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{name}'."))
    };
    let mut named = Vec::new();
    for (key, value) in pairs {
        match key.as_str() {
            Some(name) if name.starts_with('_') => return Err(refused(name)),
            _ => named.push((key, value)),
        }
    }
    minijinja::functions::namespace(Some(dict(named)))
}

/// Nothing when it is called first, then a separator.
#[derive(Debug)]
struct Joiner {
    between: Value,
    used: Mutex<bool>,
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *used, true);
        Ok(if before { self.between.clone() } else { Value::from("") })
    }
}

/// Its items in turn.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: Mutex<usize>,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        (key.as_str() == Some("current")).then(|| self.items[*at].clone())
    }

    fn call_method(self: &Arc<Self>, _: &State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        match method {
            "next" => {
                let value = self.items[*at].clone();
                *at = (*at + 1) % self.items.len();
                Ok(value)
            }
            "reset" => {
                *at = 0;
                Ok(Value::from(()))
            }
            _ => Err(fault(format!("'Cycler' object has no attribute '{method}'"))),
        }
    }
}
