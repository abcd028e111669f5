//! Numbers as text, the way Python's formatting writes them.

/// What stands before a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A minus before negative ones.
    Minus,
    /// A sign before each.
    Plus,
    /// A minus or a space.
    Space,
}

impl Sign {
    /// The digits of a number with what stands before them.
    pub(crate) fn before(self, negative: bool, digits: &str) -> String {
        let sign = match (negative, self) {
            (true, _) => "-",
            (_, Sign::Plus) => "+",
            (_, Sign::Space) => " ",
            _ => "",
        };
        format!("{sign}{digits}")
    }
}

/// A text filled up to a width; with `=` the fill goes behind sign and prefix.
pub(crate) fn pad(text: &str, width: usize, fill: char, align: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let fill = |count: usize| String::from_iter(std::iter::repeat_n(fill, count));
    match align {
        '<' => format!("{text}{}", fill(missing)),
        '^' => format!("{}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
        '=' => {
            let sign = text.len() - text.trim_start_matches(['+', '-', ' ']).len();
            let sign = sign.min(1);
            let prefix = match text.as_bytes().get(sign..sign + 2) {
                Some([b'0', b'x' | b'X' | b'o' | b'b']) => 2,
                _ => 0,
            };
            let (head, digits) = text.split_at(sign + prefix);
            format!("{head}{}{digits}", fill(missing))
        }
        _ => format!("{}{text}", fill(missing)),
    }
}

/// An integer in a base, with a sign, a prefix, at least so many digits, and a mark between groups.
pub(crate) fn grouped_digits(
    number: i128,
    base: u128,
    sign: Sign,
    least: Option<usize>,
    prefix: &str,
    group: Option<(char, usize)>,
) -> String {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    while rest > 0 || digits.is_empty() {
        digits.push(char::from_digit((rest % base) as u32, base as u32).unwrap_or('0'));
        rest /= base;
    }
    digits.resize(digits.len().max(least.unwrap_or(0)), '0');
    let digits: String = digits.into_iter().rev().collect();
    let digits = group.map_or(digits.clone(), |(mark, size)| grouped(&digits, mark, size));
    sign.before(number < 0, &format!("{prefix}{digits}"))
}

/// Digits with a mark between groups, from the right; what stands behind them is left as it is.
pub(crate) fn grouped(digits: &str, mark: char, size: usize) -> String {
    let whole = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let mut made = String::new();
    for (at, digit) in digits[..whole].chars().enumerate() {
        if at > 0 && (whole - at).is_multiple_of(size) {
            made.push(mark);
        }
        made.push(digit);
    }
    made + &digits[whole..]
}

fn special(number: f64) -> Option<String> {
    match number {
        number if number.is_nan() => Some("nan".to_string()),
        number if number.is_infinite() => Some("inf".to_string()),
        _ => None,
    }
}

/// The size of a number with so many digits behind the point.
pub(crate) fn fixed(number: f64, digits: usize, point: bool) -> String {
    special(number).unwrap_or_else(|| {
        let made = format!("{:.digits$}", number.abs());
        if point && digits == 0 { made + "." } else { made }
    })
}

/// The size of a number as a digit, so many digits behind the point, and a power of ten.
pub(crate) fn exponent_form(number: f64, digits: usize, point: bool) -> String {
    special(number).unwrap_or_else(|| {
        let made = format!("{:.digits$e}", number.abs());
        let (digits_made, exponent) = made.split_once('e').unwrap_or((&made, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let dot = if point && digits == 0 { "." } else { "" };
        format!("{digits_made}{dot}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    })
}

/// The size of a number with so many digits that count, in whichever form is shorter.
pub(crate) fn general(number: f64, digits: usize, keep: bool) -> String {
    special(number).unwrap_or_else(|| {
        let digits = digits.max(1);
        let made = format!("{:.*e}", digits - 1, number.abs());
        let exponent: i64 = made.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
        let strip = |text: String| match keep || !text.contains('.') {
            true => text,
            false => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        };
        if (-4..digits as i64).contains(&exponent) {
            return strip(fixed(number, (digits as i64 - 1 - exponent) as usize, keep));
        }
        let made = exponent_form(number, digits - 1, keep);
        let (mantissa, power) = made.split_once('e').unwrap_or((&made, "+00"));
        format!("{}e{power}", strip(mantissa.to_string()))
    })
}
