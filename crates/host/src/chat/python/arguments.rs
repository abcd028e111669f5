//! Arguments of a call, by position and by name, as Python binds them.

use minijinja::value::{Kwargs, Value, from_args};

use super::values::{Given, fault, int};

/// What a function, a filter or a method was given.
pub(crate) struct Args {
    /// What is called, for errors.
    pub what: String,
    /// By position.
    pub given: Vec<Value>,
    /// By name, in their order.
    pub named: Vec<(String, Value)>,
}

impl Args {
    /// Takes the arguments of a call apart.
    pub(crate) fn new(what: &str, args: &[Value]) -> Given<Self> {
        let (given, named): (&[Value], Kwargs) = from_args(args)?;
        let named = named.args().map(|name| Ok((name.to_string(), named.get(name)?))).collect::<Given<_>>()?;
        Ok(Args { what: what.to_string(), given: given.to_vec(), named })
    }

    /// The arguments of parameters of these names; the ones that were not given are none.
    ///
    /// # Errors
    /// Too many arguments, an unknown name, or a parameter that is given twice.
    pub(crate) fn bind<const N: usize>(self, names: [&str; N]) -> Given<[Option<Value>; N]> {
        let Args { what, given, named } = self;
        if given.len() > N {
            return Err(fault(format!("{what}() takes at most {N} arguments ({} given)", given.len())));
        }
        let mut bound = [const { None }; N];
        for (place, value) in bound.iter_mut().zip(given) {
            *place = Some(value);
        }
        for (name, value) in named {
            let Some(at) = names.iter().position(|known| *known == name) else {
                return Err(fault(format!("{what}() got an unexpected keyword argument '{name}'")));
            };
            if bound[at].replace(value).is_some() {
                return Err(fault(format!("{what}() got multiple values for argument '{name}'")));
            }
        }
        Ok(bound)
    }

    /// As [`Args::bind`], for parameters of which the first must be given.
    pub(crate) fn bind_first<const N: usize>(self, names: [&str; N]) -> Given<(Value, [Option<Value>; N])> {
        let what = self.what.clone();
        let mut bound = self.bind(names)?;
        let missing = || fault(format!("{what}() is missing the argument '{}'", names[0]));
        let first = bound.first_mut().and_then(Option::take).ok_or_else(missing)?;
        Ok((first, bound))
    }

    /// The first argument by position, taken out.
    pub(crate) fn take_first(&mut self) -> Given {
        if self.given.is_empty() {
            return Err(fault(format!("{}() is missing an argument", self.what)));
        }
        Ok(self.given.remove(0))
    }
}

/// Whether an argument is true; `otherwise` if it was not given.
pub(crate) fn flag(value: Option<Value>, otherwise: bool) -> bool {
    value.map_or(otherwise, |value| value.is_true())
}

/// An argument that is a number; `otherwise` if it is none or was not given.
pub(crate) fn number(value: Option<Value>, otherwise: i128) -> Given<i128> {
    match value.filter(|value| !value.is_none()) {
        Some(value) => super::values::index(&value),
        None => Ok(otherwise),
    }
}

/// An argument that is a text, if it was given and is not `None`.
pub(crate) fn string(what: &str, value: Option<Value>) -> Given<Option<String>> {
    match value.filter(|value| !value.is_none()) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text.to_string())),
            None => Err(fault(format!("{what}() wants a str, not {}", super::values::type_name(&value)))),
        },
    }
}

/// A number as the engine's value, if it holds it.
pub(crate) fn whole(number: Option<i128>) -> Given {
    let number =
        number.ok_or_else(|| fault("makes an integer of more than 128 bits, which is more than is computed with"))?;
    let made = Value::from(number);
    debug_assert_eq!(int(&made), Some(number));
    Ok(made)
}
