//! Python's values that the engine does not know, and what Python asks of any value.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::super::limits::MOST_TEXT;

/// A value, or why there is none.
pub type Given<T = Value> = Result<T, Error>;

/// Bytes and items that one rendering may make.
const MOST_WORK: u64 = 4 << 30;

/// Bytes that one rendering may write, those among them that macros and blocks write and that are written again.
const MOST_WRITTEN: u64 = 8 * MOST_TEXT as u64;

thread_local! {
    static WORK: Cell<u64> = const { Cell::new(0) };
    static WRITTEN: Cell<u64> = const { Cell::new(0) };
}

/// Begins to count the work of a rendering.
pub fn begin_work() {
    WORK.set(0);
    WRITTEN.set(0);
}

/// Counts bytes that are about to be written.
pub fn written(count: usize) -> Given<()> {
    let written = WRITTEN.get() + count as u64;
    WRITTEN.set(written);
    if written > MOST_WRITTEN {
        return Err(fault(format!("writes more than {MOST_TEXT} bytes")));
    }
    Ok(())
}

/// Counts bytes or items that are about to be made.
pub fn spend(count: usize) -> Given<()> {
    if count > MOST_TEXT {
        return Err(fault(format!("makes a value of {count} bytes or items; at most {MOST_TEXT} are made")));
    }
    let work = WORK.get() + count as u64;
    WORK.set(work);
    if work > MOST_WORK {
        return Err(fault(format!("makes more than {MOST_WORK} bytes in all")));
    }
    Ok(())
}

/// An error of a template.
pub fn fault(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A tuple.
#[derive(Debug)]
pub struct Tuple {
    /// Its items.
    pub items: Vec<Value>,
    /// Names under which they are found too, for what `groupby` gives.
    pub names: &'static [&'static str],
}

impl Object for Tuple {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }
}

/// A dict: its items in the order in which their keys came.
#[derive(Debug, Default)]
pub struct Dict(pub Vec<(Value, Value)>);

impl Dict {
    /// The value of a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.0.iter().find(|(known, _)| equal(known, key)).map(|(_, value)| value)
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: Value, value: Value) -> Given<()> {
        if matches!(kind(&key), Kind::List | Kind::Dict) {
            return Err(fault(format!("unhashable type: '{}'", type_name(&key))));
        }
        match self.0.iter_mut().find(|(known, _)| equal(known, &key)) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
        Ok(())
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(key, _)| key.clone()).collect())
    }
}

/// A `range`.
#[derive(Debug)]
pub struct Range {
    /// First number, the one behind the last, and the step.
    pub bounds: [i128; 3],
    /// The numbers.
    pub numbers: Vec<Value>,
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.numbers.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.numbers.len())
    }
}

/// What may be gone through and not indexed: `dict_keys` and its like, and generators, which have no length.
#[derive(Debug)]
pub struct View {
    /// Python's name of the type.
    pub name: &'static str,
    /// What it gives.
    pub items: Vec<Value>,
}

/// The type's name of what lazy filters give.
pub const GENERATOR: &str = "generator";

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.name == GENERATOR || !self.items.is_empty()
    }
}

/// A method together with the value that it is of, as `text.upper` without parentheses.
#[derive(Debug)]
pub struct Method {
    /// The value.
    pub of: Value,
    /// The method's name.
    pub name: String,
}

/// Python's types, as far as templates meet them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Jinja's `Undefined`.
    Undefined,
    /// `None`.
    None,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `float`.
    Float,
    /// `str`.
    Str,
    /// `list`.
    List,
    /// `tuple`.
    Tuple,
    /// `dict`.
    Dict,
    /// `range`.
    Range,
    /// Views of dicts, and generators.
    View,
    /// Objects of the engine: macros, namespaces, loops.
    Other,
}

/// The type of a value.
pub fn kind(value: &Value) -> Kind {
    match value.kind() {
        ValueKind::Undefined => Kind::Undefined,
        ValueKind::None => Kind::None,
        ValueKind::Bool => Kind::Bool,
        ValueKind::Number if value.is_integer() => Kind::Int,
        ValueKind::Number => Kind::Float,
        ValueKind::String => Kind::Str,
        _ if value.downcast_object_ref::<Tuple>().is_some() => Kind::Tuple,
        _ if value.downcast_object_ref::<Dict>().is_some() => Kind::Dict,
        _ if value.downcast_object_ref::<Range>().is_some() => Kind::Range,
        _ if value.downcast_object_ref::<View>().is_some() => Kind::View,
        ValueKind::Seq => Kind::List,
        _ => Kind::Other,
    }
}

/// Python's name of a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match kind(value) {
        Kind::Undefined => "Undefined",
        Kind::None => "NoneType",
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Str if value.is_safe() => "Markup",
        Kind::Str => "str",
        Kind::List => "list",
        Kind::Tuple => "tuple",
        Kind::Dict => "dict",
        Kind::Range => "range",
        Kind::View => value.downcast_object_ref::<View>().map_or("object", |view| view.name),
        Kind::Other if value.downcast_object_ref::<Method>().is_some() => "builtin_function_or_method",
        Kind::Other => "object",
    }
}

/// A list.
pub fn list(items: Vec<Value>) -> Value {
    Value::from(items)
}

/// A tuple.
pub fn tuple(items: Vec<Value>) -> Value {
    Value::from_object(Tuple { items, names: &[] })
}

/// A dict of items.
pub fn dict(items: Vec<(Value, Value)>) -> Value {
    Value::from_object(Dict(items))
}

/// What a lazy filter gives.
pub fn generator(items: Vec<Value>) -> Value {
    Value::from_object(View { name: GENERATOR, items })
}

/// The number of an `int` or a `bool`.
pub fn int(value: &Value) -> Option<i128> {
    match kind(value) {
        Kind::Bool => Some(i128::from(value.is_true())),
        Kind::Int => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// The number of an `int`, a `bool` or a `float`.
pub fn float(value: &Value) -> Option<f64> {
    match kind(value) {
        Kind::Float => f64::try_from(value.clone()).ok(),
        _ => int(value).map(|number| number as f64),
    }
}

/// An integer that must be one, say a width.
pub fn index(value: &Value) -> Given<i128> {
    int(value).ok_or_else(|| fault(format!("'{}' object cannot be interpreted as an integer", type_name(value))))
}

/// What a `for` loop over a value goes through.
pub fn items(value: &Value) -> Given<Vec<Value>> {
    let made: Vec<Value> = match kind(value) {
        Kind::Undefined => Vec::new(),
        Kind::Str => value.as_str().unwrap_or_default().chars().map(|c| Value::from(c.to_string())).collect(),
        Kind::Tuple => value.downcast_object_ref::<Tuple>().map(|tuple| tuple.items.clone()).unwrap_or_default(),
        Kind::Range => value.downcast_object_ref::<Range>().map(|range| range.numbers.clone()).unwrap_or_default(),
        Kind::View => value.downcast_object_ref::<View>().map(|view| view.items.clone()).unwrap_or_default(),
        Kind::Dict | Kind::List => value.try_iter()?.collect(),
        Kind::None | Kind::Bool | Kind::Int | Kind::Float | Kind::Other => {
            return Err(fault(format!("'{}' object is not iterable", type_name(value))));
        }
    };
    spend(made.len())?;
    Ok(made)
}

/// `len(value)`.
pub fn len(value: &Value) -> Given<usize> {
    match kind(value) {
        Kind::Undefined => Ok(0),
        Kind::Str => Ok(value.as_str().unwrap_or_default().chars().count()),
        Kind::List | Kind::Tuple | Kind::Dict | Kind::Range => Ok(value.len().unwrap_or(0)),
        Kind::View if type_name(value) != GENERATOR => Ok(items(value)?.len()),
        _ => Err(fault(format!("object of type '{}' has no len()", type_name(value)))),
    }
}

/// `left == right`.
pub fn equal(left: &Value, right: &Value) -> bool {
    match (kind(left), kind(right)) {
        (Kind::Str, Kind::Str) => left.as_str() == right.as_str(),
        (Kind::List, Kind::List) | (Kind::Tuple, Kind::Tuple) | (Kind::Range, Kind::Range) => {
            match (items(left), items(right)) {
                (Ok(left), Ok(right)) => {
                    left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| equal(left, right))
                }
                _ => false,
            }
        }
        (Kind::Dict, Kind::Dict) => {
            let of = |value: &Value| value.downcast_object::<Dict>();
            let (Some(left), Some(right)) = (of(left), of(right)) else { return false };
            let same = |(key, value): &(Value, Value)| right.get(key).is_some_and(|other| equal(value, other));
            left.0.len() == right.0.len() && left.0.iter().all(same)
        }
        (Kind::Float, _) | (_, Kind::Float) => float(left).zip(float(right)).is_some_and(|(left, right)| left == right),
        (Kind::Int | Kind::Bool, Kind::Int | Kind::Bool) => int(left) == int(right),
        (Kind::Undefined, Kind::Undefined) | (Kind::None, Kind::None) => true,
        (Kind::Other, Kind::Other) | (Kind::View, Kind::View) => left == right,
        _ => false,
    }
}

/// How two values are ordered; `none` where one of them is no number.
///
/// # Errors
/// Values that Python does not order.
pub fn compare(left: &Value, right: &Value, operator: &str) -> Given<Option<Ordering>> {
    for value in [left, right] {
        if value.is_undefined() {
            return Err(fault("an undefined value cannot be compared"));
        }
    }
    let sequences = match (kind(left), kind(right)) {
        (Kind::Str, Kind::Str) => return Ok(left.as_str().partial_cmp(&right.as_str())),
        (Kind::List, Kind::List) | (Kind::Tuple, Kind::Tuple) => Some((items(left)?, items(right)?)),
        _ => None,
    };
    if let Some((left, right)) = sequences {
        for (left, right) in left.iter().zip(&right) {
            if !equal(left, right) {
                return compare(left, right, operator);
            }
        }
        return Ok(Some(left.len().cmp(&right.len())));
    }
    if let (Some(left), Some(right)) = (int(left), int(right)) {
        return Ok(Some(left.cmp(&right)));
    }
    match (float(left), float(right)) {
        (Some(left), Some(right)) => Ok(left.partial_cmp(&right)),
        _ => Err(fault(format!(
            "'{operator}' not supported between instances of '{}' and '{}'",
            type_name(left),
            type_name(right)
        ))),
    }
}
