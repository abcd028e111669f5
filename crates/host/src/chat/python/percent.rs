//! `text % values`: Python's older formatting.

use minijinja::value::Value;

use super::attributes::item;
use super::number::{Sign, exponent_form, fixed, general, grouped_digits, pad};
use super::print::{ascii, escape, repr, text};
use super::values::{Given, Kind, fault, float, int, items, kind, spend, type_name};

/// Where the values come from.
struct Source<'a> {
    one: &'a Value,
    list: Option<Vec<Value>>,
    taken: usize,
}

impl Source<'_> {
    fn next(&mut self) -> Given {
        let missing = || fault("not enough arguments for format string");
        let value = match &self.list {
            Some(list) => list.get(self.taken).cloned().ok_or_else(missing)?,
            None if self.taken == 0 => self.one.clone(),
            None => return Err(missing()),
        };
        self.taken += 1;
        Ok(value)
    }
}

/// A text with values in the places that it marks.
///
/// # Errors
/// Too few or too many values, or a mark that is none.
pub(crate) fn percent(format: &Value, values: &Value) -> Given {
    let safe = format.is_safe();
    let list = if kind(values) == Kind::Tuple { Some(items(values)?) } else { None };
    let mut source = Source { one: values, list, taken: 0 };
    let mut made = String::new();
    let mut rest = format.as_str().unwrap_or_default().chars().peekable();
    let mut keyed = false;
    while let Some(c) = rest.next() {
        if c != '%' {
            made.push(c);
            continue;
        }
        let mut key = None;
        if rest.next_if_eq(&'(').is_some() {
            let mut name = String::new();
            let mut depth = 1;
            loop {
                match rest.next().ok_or_else(|| fault("incomplete format key"))? {
                    ')' if depth == 1 => break,
                    c => {
                        depth += i32::from(c == '(') - i32::from(c == ')');
                        name.push(c);
                    }
                }
            }
            keyed = true;
            key = Some(name);
        }
        let mut flags = String::new();
        while let Some(flag) = rest.next_if(|c| "#0- +".contains(*c)) {
            flags.push(flag);
        }
        let mut number = |source: &mut Source| -> Given<Option<i128>> {
            if rest.next_if_eq(&'*').is_some() {
                let value = source.next()?;
                return int(&value).map(Some).ok_or_else(|| fault("* wants int"));
            }
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            Ok(if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(i128::MAX)) })
        };
        let width = number(&mut source)?;
        let (left, width) = (flags.contains('-') || width < Some(0), width.unwrap_or(0).unsigned_abs() as usize);
        let mut precision = None;
        if rest.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            if rest.next_if_eq(&'*').is_some() {
                precision = Some(int(&source.next()?).ok_or_else(|| fault("* wants int"))?.max(0) as usize);
            } else {
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                precision = Some(digits.parse().unwrap_or(if digits.is_empty() { 0 } else { usize::MAX }));
            }
        }
        while rest.next_if(|c| "hlL".contains(*c)).is_some() {}
        let letter = rest.next().ok_or_else(|| fault("incomplete format"))?;
        spend(width.max(precision.unwrap_or(0)))?;
        if letter == '%' {
            made.push('%');
            continue;
        }
        let value = match key {
            Some(key) if kind(values) == Kind::Dict => item(values, &Value::from(key.clone()))
                .ok()
                .filter(|value| !value.is_undefined())
                .ok_or_else(|| fault(format!("KeyError: '{key}'")))?,
            Some(_) => return Err(fault("format requires a mapping")),
            None => source.next()?,
        };
        let mut body = conversion(letter, &value, &flags, precision)?;
        if safe && matches!(letter, 's' | 'r' | 'a') && !value.is_safe() {
            body = escape(&body);
        }
        let zero = flags.contains('0') && !left && !matches!(letter, 's' | 'r' | 'a' | 'c');
        let (fill, align) = match (zero, left) {
            (true, _) => ('0', '='),
            (_, true) => (' ', '<'),
            _ => (' ', '>'),
        };
        made.push_str(&pad(&body, width, fill, align));
        spend(made.len())?;
    }
    let rest = match &source.list {
        Some(list) => source.taken < list.len() && !keyed,
        // What might be asked for a key may stay unused; any other single value may not.
        None => {
            let might = matches!(kind(values), Kind::Dict | Kind::List | Kind::Range | Kind::Undefined);
            source.taken == 0 && !keyed && !might
        }
    };
    if rest {
        return Err(fault("not all arguments converted during string formatting"));
    }
    Ok(if safe { Value::from_safe_string(made) } else { Value::from(made) })
}

fn conversion(letter: char, value: &Value, flags: &str, precision: Option<usize>) -> Given<String> {
    let sign = match flags {
        flags if flags.contains('+') => Sign::Plus,
        flags if flags.contains(' ') => Sign::Space,
        _ => Sign::Minus,
    };
    let alternate = flags.contains('#');
    let wanted = |what: &str| fault(format!("%{letter} format: {what} is required, not {}", type_name(value)));
    Ok(match letter {
        's' | 'r' | 'a' => {
            let whole = match letter {
                's' => text(value)?,
                'r' => repr(value)?,
                _ => ascii(&repr(value)?),
            };
            precision.map_or(whole.clone(), |most| whole.chars().take(most).collect())
        }
        'c' => match (value.as_str(), int(value)) {
            (Some(text), _) if text.chars().count() == 1 => text.to_string(),
            (_, Some(code)) => u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .ok_or_else(|| fault("%c arg not in range(0x110000)"))?
                .to_string(),
            _ => return Err(fault("%c requires int or char")),
        },
        'd' | 'i' | 'u' => {
            let number = match kind(value) {
                Kind::Float => float(value).filter(|number| number.is_finite()).map(|number| number.trunc() as i128),
                _ => int(value),
            };
            grouped_digits(number.ok_or_else(|| wanted("a real number"))?, 10, sign, precision, "", None)
        }
        'x' | 'X' | 'o' => {
            let number = int(value).ok_or_else(|| wanted("an integer"))?;
            let (base, prefix) = if letter == 'o' { (8, "0o") } else { (16, "0x") };
            let made = grouped_digits(number, base, sign, precision, if alternate { prefix } else { "" }, None);
            if letter == 'X' { made.to_uppercase() } else { made }
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number = float(value).ok_or_else(|| wanted("a real number"))?;
            let most = precision.unwrap_or(6);
            let made = match letter.to_ascii_lowercase() {
                'e' => exponent_form(number, most, alternate),
                'f' => fixed(number, most, alternate),
                _ => general(number, most, alternate),
            };
            let made = sign.before(number.is_sign_negative() && !number.is_nan(), &made);
            if letter.is_ascii_uppercase() { made.to_uppercase() } else { made }
        }
        letter => return Err(fault(format!("unsupported format character '{letter}'"))),
    })
}
