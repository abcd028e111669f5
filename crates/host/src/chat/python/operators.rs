//! Python's operators. The rewritten template calls them by their sign.

use std::cmp::Ordering;

use minijinja::value::Value;

use super::arguments::whole;
use super::percent::percent;
use super::print::{escape, text};
use super::values::{Dict, Given, Kind, compare, equal, fault, float, int, items, kind, list, spend, tuple, type_name};

/// Signs of the operators of two values.
pub(crate) const BINARY: [&str; 16] =
    ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in"];

/// The value of an operator between two values.
///
/// # Errors
/// Values that the operator does not take.
pub(crate) fn binary(sign: &str, left: &Value, right: &Value) -> Given {
    match sign {
        "~" => return joined(&Value::from(text(left)?), &Value::from(text(right)?)),
        "==" => return Ok(equal(left, right).into()),
        "!=" => return Ok((!equal(left, right)).into()),
        "<" => return ordered(sign, left, right, Ordering::is_lt),
        "<=" => return ordered(sign, left, right, Ordering::is_le),
        ">" => return ordered(sign, left, right, Ordering::is_gt),
        ">=" => return ordered(sign, left, right, Ordering::is_ge),
        "in" => return Ok(contains(right, left)?.into()),
        "not in" => return Ok((!contains(right, left)?).into()),
        _ => {}
    }
    // A text without marks takes anything that might hold values.
    if sign == "%" && kind(left) == Kind::Str {
        return percent(left, right);
    }
    if left.is_undefined() || right.is_undefined() {
        return Err(fault(format!("an undefined value cannot be used with `{sign}`")));
    }
    match (sign, kind(left), kind(right)) {
        ("+", Kind::Str, Kind::Str) => joined(left, right),
        ("+", Kind::List, Kind::List) => chained(left, right).map(list),
        ("+", Kind::Tuple, Kind::Tuple) => chained(left, right).map(tuple),
        ("*", Kind::Str | Kind::List | Kind::Tuple, Kind::Int | Kind::Bool) => repeated(left, right),
        ("*", Kind::Int | Kind::Bool, Kind::Str | Kind::List | Kind::Tuple) => repeated(right, left),
        _ => match (int(left), int(right), float(left), float(right)) {
            (Some(left), Some(right), ..) => integers(sign, left, right),
            (_, _, Some(left), Some(right)) => floats(sign, left, right).map(Value::from),
            _ => Err(fault(format!(
                "unsupported operand type(s) for {sign}: '{}' and '{}'",
                type_name(left),
                type_name(right)
            ))),
        },
    }
}

/// `-value`.
pub(crate) fn negative(value: &Value) -> Given {
    match (int(value), float(value)) {
        (Some(number), _) => whole(number.checked_neg()),
        (_, Some(number)) => Ok(Value::from(-number)),
        _ => Err(fault(format!("bad operand type for unary -: '{}'", type_name(value)))),
    }
}

/// A chain of comparisons: `a < b < c` as values and signs in turn.
pub(crate) fn chain(operands: &[Value]) -> Given {
    let mut result = Value::from(true);
    for triple in operands.windows(3).step_by(2) {
        let sign = triple[1].as_str().unwrap_or_default();
        result = binary(sign, &triple[0], &triple[2])?;
        if !result.is_true() {
            break;
        }
    }
    Ok(result)
}

fn ordered(sign: &str, left: &Value, right: &Value, is: impl Fn(Ordering) -> bool) -> Given {
    Ok(compare(left, right, sign)?.is_some_and(is).into())
}

/// `value in container`.
pub(crate) fn contains(container: &Value, value: &Value) -> Given<bool> {
    match kind(container) {
        Kind::Str => match value.as_str() {
            Some(part) => Ok(container.as_str().unwrap_or_default().contains(part)),
            None => Err(fault(format!("'in <string>' requires string as left operand, not {}", type_name(value)))),
        },
        Kind::Dict if matches!(kind(value), Kind::List | Kind::Dict) => {
            Err(fault(format!("unhashable type: '{}'", type_name(value))))
        }
        Kind::Dict => Ok(container.downcast_object_ref::<Dict>().is_some_and(|dict| dict.get(value).is_some())),
        Kind::None | Kind::Bool | Kind::Int | Kind::Float | Kind::Other => {
            Err(fault(format!("argument of type '{}' is not iterable", type_name(container))))
        }
        _ => Ok(items(container)?.iter().any(|item| equal(item, value))),
    }
}

/// Two texts in one; where one of them is markup, the other is escaped.
fn joined(left: &Value, right: &Value) -> Given {
    let (mut made, mut behind) = (text(left)?, text(right)?);
    let safe = left.is_safe() || right.is_safe();
    if safe {
        let escaped = |value: &Value, text: String| if value.is_safe() { text } else { escape(&text) };
        (made, behind) = (escaped(left, made), escaped(right, behind));
    }
    spend(made.len() + behind.len())?;
    made.push_str(&behind);
    Ok(if safe { Value::from_safe_string(made) } else { Value::from(made) })
}

fn chained(left: &Value, right: &Value) -> Given<Vec<Value>> {
    Ok(items(left)?.into_iter().chain(items(right)?).collect())
}

fn repeated(value: &Value, times: &Value) -> Given {
    let times = usize::try_from(int(times).unwrap_or(0).max(0)).unwrap_or(usize::MAX);
    if let Some(text) = value.as_str() {
        spend(text.len().saturating_mul(times))?;
        let made = text.repeat(times);
        return Ok(if value.is_safe() { Value::from_safe_string(made) } else { Value::from(made) });
    }
    let items = items(value)?;
    spend(items.len().saturating_mul(times))?;
    let times = if items.is_empty() { 0 } else { times };
    let made: Vec<Value> = std::iter::repeat_n(items, times).flatten().collect();
    Ok(if kind(value) == Kind::Tuple { tuple(made) } else { list(made) })
}

fn integers(sign: &str, left: i128, right: i128) -> Given {
    let by_zero = || fault(if sign == "/" { "division by zero" } else { "integer division or modulo by zero" });
    whole(match sign {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" | "//" | "%" if right == 0 => return Err(by_zero()),
        "/" => return Ok(Value::from(left as f64 / right as f64)),
        // Python rounds down, and a remainder has the divisor's sign.
        "//" => left.checked_div(right).map(|quotient| match left % right {
            rest if rest != 0 && (rest < 0) != (right < 0) => quotient - 1,
            _ => quotient,
        }),
        "%" => left.checked_rem(right).map(|rest| match rest {
            rest if rest != 0 && (rest < 0) != (right < 0) => rest + right,
            _ => rest,
        }),
        "**" if right < 0 => return floats(sign, left as f64, right as f64).map(Value::from),
        "**" => match left {
            0 | 1 => Some(if right == 0 { 1 } else { left }),
            -1 => Some(if right % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(right).ok().and_then(|power| left.checked_pow(power)),
        },
        _ => return Err(fault(format!("unknown operator {sign}"))),
    })
}

fn floats(sign: &str, left: f64, right: f64) -> Given<f64> {
    if right == 0.0 && matches!(sign, "/" | "//" | "%") {
        return Err(fault(if sign == "%" { "float modulo" } else { "float division by zero" }));
    }
    let remainder = || match left % right {
        rest if rest != 0.0 && (rest < 0.0) != (right < 0.0) => rest + right,
        rest => rest.copysign(if rest == 0.0 { right } else { rest }),
    };
    Ok(match sign {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "//" => ((left - remainder()) / right).round(),
        "%" => remainder(),
        "**" if left == 0.0 && right < 0.0 => return Err(fault("0.0 cannot be raised to a negative power")),
        "**" if left < 0.0 && right.fract() != 0.0 => return Err(fault("complex numbers are not supported")),
        "**" => match left.powf(right) {
            made if made.is_infinite() && left.is_finite() && right.is_finite() => {
                return Err(fault("the result of ** is too large"));
            }
            made => made,
        },
        _ => return Err(fault(format!("unknown operator {sign}"))),
    })
}
