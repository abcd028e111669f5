//! `tojson` as transformers sets it up: Python's `json.dumps`.

use minijinja::value::Value;

use super::arguments::{Args, flag};
use super::print::float;
use super::sorted::sort_by;
use super::values::{Dict, Given, Kind, fault, items, kind, spend, type_name};

/// How deep values may stand in each other.
const DEEPEST: usize = 200;

struct Writer {
    to: String,
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    between: String,
    behind_key: String,
}

/// The filter: the value, and `ensure_ascii`, `indent`, `separators` and `sort_keys`.
pub(crate) fn tojson(args: Args) -> Given {
    let [value, ascii, indent, separators, sorted] =
        args.bind(["value", "ensure_ascii", "indent", "separators", "sort_keys"])?;
    let indent = match indent.filter(|indent| !indent.is_none()) {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_string(),
            None => {
                let width = super::values::index(&indent)?.max(0) as usize;
                spend(width)?;
                " ".repeat(width)
            }
        }),
    };
    let (between, behind_key) = match separators.filter(|pair| !pair.is_none()) {
        None if indent.is_some() => (",".to_string(), ": ".to_string()),
        None => (", ".to_string(), ": ".to_string()),
        Some(pair) => match &items(&pair)?[..] {
            [a, b] if a.as_str().is_some() && b.as_str().is_some() => (a.to_string(), b.to_string()),
            _ => return Err(fault("tojson: separators must be two strings")),
        },
    };
    let mut writer = Writer {
        to: String::new(),
        ascii: flag(ascii, false),
        sorted: flag(sorted, false),
        indent,
        between,
        behind_key,
    };
    writer.write(&value.unwrap_or_default(), 0)?;
    spend(writer.to.len())?;
    Ok(Value::from(writer.to))
}

impl Writer {
    fn write(&mut self, value: &Value, depth: usize) -> Given<()> {
        if depth > DEEPEST {
            return Err(fault(format!("tojson of a value of more than {DEEPEST} levels")));
        }
        match kind(value) {
            Kind::Dict => {
                let mut items: Vec<(Value, Value)> =
                    value.downcast_object_ref::<Dict>().map(|dict| dict.0.clone()).unwrap_or_default();
                if self.sorted {
                    sort_by(&mut items, |(key, _)| Ok(key.clone()))?;
                }
                self.container("{", "}", items.len(), depth, |writer, at| {
                    let key = key(&items[at].0)?;
                    writer.string(&key);
                    let behind = writer.behind_key.clone();
                    writer.to.push_str(&behind);
                    writer.write(&items[at].1, depth + 1)
                })
            }
            Kind::List | Kind::Tuple => {
                let items = items(value)?;
                self.container("[", "]", items.len(), depth, |writer, at| writer.write(&items[at], depth + 1))
            }
            Kind::Str => {
                self.string(value.as_str().unwrap_or_default());
                Ok(())
            }
            _ => {
                let text = scalar(value)
                    .ok_or_else(|| fault(format!("Object of type {} is not JSON serializable", type_name(value))))?;
                self.to.push_str(&text);
                Ok(())
            }
        }
    }

    fn container(
        &mut self,
        open: &str,
        close: &str,
        count: usize,
        depth: usize,
        mut one: impl FnMut(&mut Self, usize) -> Given<()>,
    ) -> Given<()> {
        self.to.push_str(open);
        for at in 0..count {
            if at > 0 {
                let between = self.between.clone();
                self.to.push_str(&between);
            }
            self.line(depth + 1)?;
            one(self, at)?;
        }
        if count > 0 {
            self.line(depth)?;
        }
        self.to.push_str(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Given<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        spend(self.to.len() + indent.len().saturating_mul(depth))?;
        self.to.push('\n');
        self.to.push_str(&indent.repeat(depth));
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.to.push('"');
        for c in text.chars() {
            match c {
                '"' => self.to.push_str("\\\""),
                '\\' => self.to.push_str("\\\\"),
                '\n' => self.to.push_str("\\n"),
                '\r' => self.to.push_str("\\r"),
                '\t' => self.to.push_str("\\t"),
                '\u{8}' => self.to.push_str("\\b"),
                '\u{c}' => self.to.push_str("\\f"),
                '\0'..' ' => self.to.push_str(&format!("\\u{:04x}", u32::from(c))),
                c if self.ascii && !c.is_ascii() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.to.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.to.push(c),
            }
        }
        self.to.push('"');
    }
}

fn scalar(value: &Value) -> Option<String> {
    Some(match kind(value) {
        Kind::None => "null".to_string(),
        Kind::Bool => value.is_true().to_string(),
        Kind::Int => value.to_string(),
        Kind::Float => match float(f64::try_from(value.clone()).ok()?).as_str() {
            "nan" => "NaN".to_string(),
            "inf" => "Infinity".to_string(),
            "-inf" => "-Infinity".to_string(),
            digits => digits.to_string(),
        },
        _ => return None,
    })
}

fn key(value: &Value) -> Given<String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_string());
    }
    scalar(value).ok_or_else(|| fault(format!("keys must be str, int, float, bool or None, not {}", type_name(value))))
}
