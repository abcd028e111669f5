//! Arguments that take more than a list of names, but for which help and shells list the names.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// A parser whose values are listed, and which takes what it takes. The argument's hint is not `FilePath`: with it,
/// bash would take the list for one name.
#[derive(Clone)]
pub struct Suggested<P> {
    parser: P,
    values: fn() -> Vec<&'static str>,
}

impl<P> Suggested<P> {
    /// Lists `values` for what `parser` takes.
    pub fn new(parser: P, values: fn() -> Vec<&'static str>) -> Self {
        Suggested { parser, values }
    }
}

impl<P: TypedValueParser> TypedValueParser for Suggested<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.values)().into_iter().map(PossibleValue::new)))
    }
}
