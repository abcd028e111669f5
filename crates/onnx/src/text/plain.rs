//! A text brought to the part of the text form that the crate `protobuf` takes: a field on its own for every value of
//! a list, `{` for messages, plain numbers, names of enumerations. Every token stays on its line. What is not of the
//! schema is refused on the way, and so is what would take too much memory or stack.

use std::collections::HashSet;
use std::fmt::Write;

use protobuf::reflect::{FieldDescriptor, MessageDescriptor, RuntimeFieldType, RuntimeType};

use super::schema::{MOST_MESSAGES, MOST_NESTED, MOST_VALUES};
use super::token::{Fault, Token, Tokens};

/// A message that is not at its end.
struct Open {
    descriptor: MessageDescriptor,
    /// The sign at its end.
    end: char,
    /// The field that it is one of a list of.
    list: Option<String>,
    /// Fields that stand once, and oneofs, that it has already.
    seen: HashSet<String>,
}

struct Writer<'a> {
    tokens: Tokens<'a>,
    made: String,
    /// Lines that `made` has.
    line: usize,
    open: Vec<Open>,
    messages: usize,
    values: usize,
}

/// The text in that form.
///
/// # Errors
/// What is wrong, and on which line.
pub fn plain(text: &str, model: &MessageDescriptor) -> Result<String, Fault> {
    let whole = Open { descriptor: model.clone(), end: '}', list: None, seen: HashSet::new() };
    let mut writer = Writer {
        tokens: Tokens::new(text),
        made: String::with_capacity(text.len()),
        line: 1,
        open: vec![whole],
        messages: 0,
        values: 0,
    };
    while writer.step()? {}
    Ok(writer.made)
}

impl Writer<'_> {
    /// Takes a field, or the end of a message; whether there is more.
    fn step(&mut self) -> Result<bool, Fault> {
        let depth = self.open.len();
        let next = self.tokens.peek()?.cloned();
        let line = self.tokens.line();
        match next {
            None if depth == 1 => Ok(false),
            None => self.tokens.fault(format!("{} messages are not ended", depth - 1)),
            Some(Token::Sign(sign)) if depth > 1 && sign == self.open[depth - 1].end => {
                self.tokens.next()?;
                self.emit(line, "}");
                let ended = self.open.pop();
                match ended.and_then(|open| open.list) {
                    Some(name) => self.next_of_list(&name).map(|()| true),
                    None => self.separator().map(|()| true),
                }
            }
            Some(Token::Word(name)) => {
                let field = self.field(name)?;
                self.tokens.next()?;
                self.value(&field).map(|()| true)
            }
            Some(Token::Sign('[')) => self.tokens.fault("extensions and messages of any type are not those of ONNX"),
            Some(token) => {
                let wanted = if depth > 1 { "a field or the end of the message" } else { "a field" };
                let message = format!("{} where {wanted} is wanted", described(&token));
                self.tokens.fault(message)
            }
        }
    }

    /// The field of this name in the message that is open.
    fn field(&mut self, name: &str) -> Result<FieldDescriptor, Fault> {
        let Some(open) = self.open.last_mut() else { return self.tokens.fault("is damaged") };
        let Some(field) = open.descriptor.field_by_name(name) else {
            return self.tokens.fault(format!("`{name}` is no field of {}", open.descriptor.name()));
        };
        if let RuntimeFieldType::Singular(_) = field.runtime_field_type() {
            let oneof = field.containing_oneof().map(|oneof| oneof.name().to_string());
            if !open.seen.insert(oneof.unwrap_or_else(|| name.to_string())) {
                return self.tokens.fault(format!("`{name}` stands twice, or with what excludes it"));
            }
        }
        Ok(field)
    }

    fn value(&mut self, field: &FieldDescriptor) -> Result<(), Fault> {
        let (name, has_colon) = (field.name(), self.tokens.take(':')?);
        let (kind, is_list) = match field.runtime_field_type() {
            RuntimeFieldType::Singular(kind) => (kind, false),
            RuntimeFieldType::Repeated(kind) => (kind, self.tokens.take('[')?),
            RuntimeFieldType::Map(..) => return self.tokens.fault(format!("`{name}` is a map")),
        };
        if is_list && self.tokens.take(']')? {
            return self.separator();
        }
        if let RuntimeType::Message(of) = &kind {
            return self.message(name, of, is_list);
        }
        if !has_colon {
            return self.tokens.fault(format!("a colon is missing behind `{name}`"));
        }
        loop {
            self.count_value()?;
            self.tokens.peek()?;
            let line = self.tokens.line();
            let value = self.scalar(name, &kind)?;
            self.emit(line, name);
            self.made.push(':');
            self.made.push_str(&value);
            if !is_list || self.tokens.take(']')? {
                return self.separator();
            }
            if !self.tokens.take(',')? {
                return self.tokens.fault(format!("a comma is missing in the list `{name}`"));
            }
        }
    }

    /// The beginning of a message.
    fn message(&mut self, name: &str, of: &MessageDescriptor, is_list: bool) -> Result<(), Fault> {
        self.tokens.peek()?;
        let line = self.tokens.line();
        let end = match self.tokens.next()? {
            Some(Token::Sign('{')) => '}',
            Some(Token::Sign('<')) => '>',
            _ => return Err(Fault { line, message: format!("`{name}` is a message, and {{ is missing behind it") }),
        };
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            return self.tokens.fault(format!("more than {MOST_MESSAGES} messages are not taken in text form"));
        }
        if self.open.len() >= MOST_NESTED {
            return self.tokens.fault(format!("more than {MOST_NESTED} messages in each other are not taken"));
        }
        self.emit(line, name);
        self.made.push('{');
        let list = is_list.then(|| name.to_string());
        self.open.push(Open { descriptor: of.clone(), end, list, seen: HashSet::new() });
        Ok(())
    }

    /// What comes in a list behind one of its messages.
    fn next_of_list(&mut self, name: &str) -> Result<(), Fault> {
        if self.tokens.take(']')? {
            return self.separator();
        }
        if !self.tokens.take(',')? {
            return self.tokens.fault(format!("a comma is missing in the list `{name}`"));
        }
        let of = self.open.last().and_then(|open| open.descriptor.field_by_name(name));
        match of.map(|field| field.runtime_field_type()) {
            Some(RuntimeFieldType::Repeated(RuntimeType::Message(of))) => self.message(name, &of, true),
            _ => self.tokens.fault(format!("`{name}` is no list of messages")),
        }
    }

    /// Takes the sign that may stand between fields.
    fn separator(&mut self) -> Result<(), Fault> {
        let _ = self.tokens.take(',')? || self.tokens.take(';')?;
        Ok(())
    }

    fn count_value(&mut self) -> Result<(), Fault> {
        self.values += 1;
        match self.values > MOST_VALUES {
            true => self.tokens.fault(format!("more than {MOST_VALUES} values are not taken in text form")),
            false => Ok(()),
        }
    }

    /// A value that is no message, as the crate takes it.
    fn scalar(&mut self, name: &str, kind: &RuntimeType) -> Result<String, Fault> {
        let refused = |this: &Self, what: String| this.tokens.fault(format!("`{name}` {what}"));
        match kind {
            RuntimeType::String | RuntimeType::VecU8 => {
                let mut bytes = Vec::new();
                let mut is_there = false;
                while let Some(Token::Text(_)) = self.tokens.peek()? {
                    if let Some(Token::Text(more)) = self.tokens.next()? {
                        bytes.extend(more);
                    }
                    is_there = true;
                }
                match is_there {
                    false => refused(self, "is a text, which stands in quotes".into()),
                    true if matches!(kind, RuntimeType::String) && std::str::from_utf8(&bytes).is_err() => {
                        refused(self, "is no UTF-8 text".into())
                    }
                    true => Ok(quoted(&bytes)),
                }
            }
            RuntimeType::Bool => match self.tokens.next()? {
                Some(Token::Word("true" | "True" | "t") | Token::Number("1")) => Ok("true".into()),
                Some(Token::Word("false" | "False" | "f") | Token::Number("0")) => Ok("false".into()),
                _ => refused(self, "is neither true nor false".into()),
            },
            RuntimeType::Enum(of) => match self.tokens.peek()? {
                Some(Token::Word(word)) => {
                    let word = word.to_string();
                    if of.value_by_name(&word).is_none() {
                        return refused(self, format!("has no value {word}"));
                    }
                    self.tokens.next()?;
                    Ok(word)
                }
                _ => {
                    let number = self.integer(name, i64::from(i32::MIN), i32::MAX as u64)?;
                    let value = i32::try_from(number).ok().and_then(|number| of.value_by_number(number));
                    value.map_or_else(
                        || refused(self, format!("has no value {number}")),
                        |value| Ok(value.name().into()),
                    )
                }
            },
            RuntimeType::F32 => self.float(name, |text| text.parse::<f32>().ok().map(f64::from)),
            RuntimeType::F64 => self.float(name, |text| text.parse().ok()),
            RuntimeType::I32 => Ok(self.integer(name, i64::from(i32::MIN), i32::MAX as u64)?.to_string()),
            RuntimeType::U32 => Ok(self.integer(name, 0, u64::from(u32::MAX))?.to_string()),
            RuntimeType::I64 => Ok(self.integer(name, i64::MIN, i64::MAX as u64)?.to_string()),
            RuntimeType::U64 => Ok(self.integer(name, 0, u64::MAX)?.to_string()),
            RuntimeType::Message(_) => refused(self, "is a message".into()),
        }
    }

    /// A whole number: decimal, octal behind a 0, hexadecimal behind 0x.
    fn integer(&mut self, name: &str, least: i64, most: u64) -> Result<i128, Fault> {
        let (is_negative, line) = (self.tokens.take('-')?, self.tokens.line());
        let fault = |message: String| Err(Fault { line, message: format!("`{name}` {message}") });
        let Some(Token::Number(text)) = self.tokens.next()? else { return fault("is no whole number".into()) };
        let read = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => i128::from_str_radix(digits, 16),
            None if text.len() > 1 && text.starts_with('0') => i128::from_str_radix(&text[1..], 8),
            None => text.parse(),
        };
        let sign = if is_negative { "-" } else { "" };
        match read.map(|value| if is_negative { -value } else { value }) {
            Err(_) => fault(format!("is {sign}{text}, which is no whole number")),
            Ok(value) if value < i128::from(least) || value > i128::from(most) => {
                fault(format!("is {sign}{text}; it takes {least} to {most}"))
            }
            Ok(value) => Ok(value),
        }
    }

    /// A float: what `parse` makes of its digits, written so that it comes back to the last bit.
    fn float(&mut self, name: &str, parse: impl Fn(&str) -> Option<f64>) -> Result<String, Fault> {
        let (is_negative, line) = (self.tokens.take('-')?, self.tokens.line());
        let value = match self.tokens.next()? {
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "inf" | "infinity" => Some(f64::INFINITY),
                "nan" => Some(f64::NAN),
                _ => None,
            },
            Some(Token::Number(text)) => {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
                let is_octal =
                    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
                parse(text.strip_suffix(['f', 'F']).unwrap_or(text))
                    .filter(|_| (is_plain || text.ends_with(['f', 'F'])) && !is_octal)
            }
            _ => None,
        };
        let sign = if is_negative { "-" } else { "" };
        match value {
            None => Err(Fault { line, message: format!("`{name}` is no number") }),
            Some(value) if value.is_nan() => Ok("nan".into()),
            Some(value) if value.is_infinite() => Ok(format!("{sign}inf")),
            Some(value) => Ok(format!("{sign}{value:e}")),
        }
    }

    /// Writes a token on its line.
    fn emit(&mut self, line: usize, text: &str) {
        while self.line < line {
            self.made.push('\n');
            self.line += 1;
        }
        self.made.push(' ');
        self.made.push_str(text);
    }
}

fn described(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Number(text) => format!("`{text}`"),
        Token::Text(_) => "a text".into(),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

/// Bytes in quotes.
fn quoted(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(bytes.len() + 2);
    made.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => made.extend(['\\', byte as char]),
            b' '..=b'~' => made.push(byte as char),
            // A string takes what is written to it.
            _ => drop(write!(made, "\\x{byte:02x}")),
        }
    }
    made.push('"');
    made
}
