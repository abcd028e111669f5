//! What Python's methods ask of letters, and how they change their case.

use super::print::is_printable;

/// The methods `is…` of a text.
pub(crate) fn is(text: &str, name: &str) -> bool {
    let all = |test: &dyn Fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    let cased = |c: char| c.is_lowercase() || c.is_uppercase();
    match name {
        "isalnum" => all(&char::is_alphanumeric),
        "isalpha" => all(&|c| c.is_alphabetic() && !c.is_numeric()),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(&is_decimal),
        "isdigit" => all(&|c| is_decimal(c) || matches!(c, '²' | '³' | '¹' | '⁰'..='⁹' | '₀'..='₉' | '①'..='⑨')),
        "isnumeric" => all(&|c| c.is_numeric() || "〇零一二三四五六七八九十百千万億兆亿".contains(c)),
        "isidentifier" => {
            let word = |c: char| c == '_' || c.is_alphanumeric();
            all(&word) && !text.starts_with(char::is_numeric)
        }
        "isprintable" => text.chars().all(is_printable),
        "isspace" => all(&is_space),
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        _ => {
            let (mut before, mut any) = (false, false);
            for c in text.chars() {
                if (c.is_uppercase() && before) || (c.is_lowercase() && !before) {
                    return false;
                }
                before = cased(c);
                any |= before;
            }
            any
        }
    }
}

/// Digits of the scripts that write numbers by place.
fn is_decimal(c: char) -> bool {
    c.is_ascii_digit()
        || (c.is_numeric() && !c.is_ascii() && !matches!(u32::from(c), 0xb2..=0xbe | 0x2070..=0x2fff | 0x3000..=0xa61f))
}

/// What Python takes for white space.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Small for large, and the other way round.
pub(crate) fn swapped(c: char) -> String {
    match c.is_uppercase() {
        true => c.to_lowercase().collect(),
        false => c.to_uppercase().collect(),
    }
}

/// The first letter large, the others small.
pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(titled).unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

fn titled(c: char) -> String {
    // Two letters in one character, of which the first becomes large.
    match c {
        'Ǆ'..='ǆ' => return 'ǅ'.to_string(),
        'Ǉ'..='ǉ' => return 'ǈ'.to_string(),
        'Ǌ'..='ǌ' => return 'ǋ'.to_string(),
        'Ǳ'..='ǳ' => return 'ǲ'.to_string(),
        _ => {}
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        // One character that becomes two has only the first of them large.
        (Some(first), Some(second)) => {
            let rest: String = std::iter::once(second).chain(upper).collect();
            format!("{first}{}", rest.to_lowercase())
        }
        (Some(first), None) => first.to_string(),
        _ => String::new(),
    }
}

/// The first letter of each run of letters large, the others small.
pub(crate) fn title(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut before = false;
    for c in text.chars() {
        match before {
            true => made.extend(c.to_lowercase()),
            false => made.push_str(&titled(c)),
        }
        before = c.is_lowercase() || c.is_uppercase();
    }
    made
}

/// Lower case for comparing: Rust has no folding of case, so the letters in which it differs and that are met are here.
pub(crate) fn casefold(text: &str) -> String {
    let folded = |c: char| match c {
        'ß' | 'ẞ' => "ss".to_string(),
        'ς' => "σ".to_string(),
        'ſ' => "s".to_string(),
        'ﬁ' => "fi".to_string(),
        'ﬂ' => "fl".to_string(),
        'ﬀ' => "ff".to_string(),
        c => c.to_lowercase().collect(),
    };
    text.chars().map(folded).collect()
}
