//! Jinja templates as transformers renders them: with Python's values, operators, methods and printing.
//!
//! Templates were written against jinja2, which lends them Python. The engine here parses them and runs their loops, macros
//! and names; what it would compute by rules of its own (`%` of a text, `//` of a negative number, a tuple, how a dict is
//! printed) a rewritten template calls from here instead.

mod arguments;
mod attributes;
mod clock;
mod containers;
mod filters;
mod format;
mod globals;
mod json;
mod letters;
mod number;
mod operators;
mod percent;
mod print;
mod rewrite;
mod source;
mod statements;
mod strings;
mod tests;
mod values;

use minijinja::machinery::{CodeGenerator, Vm, make_string_output, parse};
use minijinja::value::{Rest, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, State};
use serde::{Deserialize, Serialize};

use arguments::Args;
pub use values::{dict, list};

use super::{MOST_STEPS, MOST_TEXT};

/// Name of the template in errors of the engine.
const NAME: &str = "chat template";

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The template raised it itself.
    Raised,
    /// It takes too many steps.
    Endless,
    /// A fault of the template.
    Fault,
}

/// Why a template cannot be parsed or rendered.
#[derive(Debug)]
pub struct Refusal {
    /// Line of the template, from 1.
    pub line: Option<usize>,
    /// The reason.
    pub message: String,
    /// The kind of it.
    pub why: Why,
}

impl Refusal {
    /// For a line.
    fn at(line: usize, message: impl Into<String>) -> Self {
        Refusal { line: Some(line), message: message.into(), why: Why::Fault }
    }

    fn of(error: &minijinja::Error) -> Self {
        let message = error.detail().map(String::from).unwrap_or_else(|| error.kind().to_string());
        let raised = std::error::Error::source(error).is_some_and(|source| source.is::<globals::Raised>());
        let why = match error.kind() {
            _ if raised => Why::Raised,
            ErrorKind::OutOfFuel => Why::Endless,
            _ => Why::Fault,
        };
        Refusal { line: error.line(), message, why }
    }
}

/// What templates are rendered with.
pub struct Engine(Environment<'static>);

impl Engine {
    /// With all that templates find in transformers, and nothing else.
    pub fn new() -> Self {
        let mut made = Environment::empty();
        made.set_fuel(Some(MOST_STEPS));
        made.set_formatter(|out, state, value| {
            let text = print::text(value)?;
            let escaped = matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe();
            let text = if escaped { operators::escape(&text) } else { text };
            values::written(text.len())?;
            Ok(out.write_str(&text)?)
        });
        for name in filters::NAMES {
            made.add_filter(name, move |state: &State, args: Rest<Value>| {
                filters::apply(state, name, Args::new(name, &args)?)
            });
        }
        for name in tests::NAMES {
            made.add_test(name, move |args: Rest<Value>| tests::perform(name, Args::new(name, &args)?));
        }
        globals::add(&mut made);
        Engine(made)
    }

    /// Whether a text is a template.
    ///
    /// # Errors
    /// It is none, by line.
    pub fn check(&self, template: &str) -> Result<(), Refusal> {
        let text = source::prepare(template)?;
        compile(&text).map(drop)
    }

    /// The text that a template makes of values.
    ///
    /// # Errors
    /// It is no template, it fails, or it does too much, by line.
    pub fn render(&self, template: &str, values: Value) -> Result<String, Refusal> {
        let text = source::prepare(template)?;
        let (instructions, blocks) = compile(&text)?.finish();
        values::begin_work();
        let mut made = String::new();
        let mut output = make_string_output(&mut made);
        let done = Vm::new(&self.0).eval(&instructions, values, &blocks, &mut output, AutoEscape::None);
        done.map(drop).map_err(|error| Refusal::of(&error))?;
        if made.len() > MOST_TEXT {
            return Err(Refusal {
                line: None,
                message: format!("writes more than {MOST_TEXT} bytes"),
                why: Why::Fault,
            });
        }
        Ok(made)
    }
}

fn compile(text: &str) -> Result<CodeGenerator<'_>, Refusal> {
    let parsed = parse(text, NAME, Default::default(), source::whitespace()).map_err(|error| Refusal::of(&error))?;
    match statements::rewrite(text, &parsed) {
        Ok(rewritten) => {
            let mut made = CodeGenerator::new(NAME, text);
            made.compile_stmt(&rewritten);
            Ok(made)
        }
        Err(refusal) => {
            // What stands too deep to be rewritten stands too deep to be taken down.
            std::mem::forget(parsed);
            Err(refusal)
        }
    }
}
