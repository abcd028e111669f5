//! Jinja templates as transformers renders them: with Python's values, operators, methods and printing.
//!
//! Templates were written against jinja2, which lends them Python. The engine here parses them and runs their loops,
//! macros and names; what it would compute by rules of its own (`%` of a text, `//` of a negative number, a tuple, how
//! a dict is printed) a rewritten template calls from here instead.

mod arguments;
mod attributes;
mod calls;
mod clock;
mod containers;
mod filters;
mod format;
mod globals;
mod json;
mod letters;
mod names;
mod number;
mod operators;
mod percent;
mod print;
mod refusal;
mod rewrite;
mod sorted;
mod source;
mod statements;
mod strings;
mod tests;
mod values;

use minijinja::machinery::{CodeGenerator, Vm, make_string_output, parse};
use minijinja::value::{Rest, Value};
use minijinja::{AutoEscape, Environment, State};

use arguments::Args;
use names::{FILTERS, TESTS};
pub use refusal::{Refusal, Why};
pub use values::{dict, list};

use super::limits::{MOST_STEPS, MOST_TEXT};

/// Name of the template in errors of the engine.
const NAME: &str = "chat template";

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
            let text = if escaped { print::escape(&text) } else { text };
            values::written(text.len())?;
            Ok(out.write_str(&text)?)
        });
        for name in FILTERS {
            made.add_filter(name, move |state: &State, args: Rest<Value>| {
                filters::apply(state, name, Args::new(name, &args)?)
            });
        }
        for name in TESTS {
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
