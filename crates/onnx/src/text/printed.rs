//! What the crate `protobuf` prints, brought to what protobuf's text form is.

/// The text with `nan` for `NaN`, enumerations without a name as their numbers, and long floats with an exponent.
/// Texts in quotes have no line of their own, so that each line is a field, a message that begins, or its end.
pub fn as_protobuf_says(printed: &str) -> String {
    let mut made = String::with_capacity(printed.len());
    for line in printed.lines() {
        match line.split_once(": ") {
            Some((name, value)) => {
                made.push_str(name);
                made.push_str(": ");
                made.push_str(&number(value));
            }
            None => made.push_str(line),
        }
        made.push('\n');
    }
    made
}

/// More characters than the longest integer has.
const LONG: usize = 20;

fn number(value: &str) -> std::borrow::Cow<'_, str> {
    match value {
        "NaN" => "nan".into(),
        _ if value.starts_with('"') => value.into(),
        _ if value.len() > LONG => value.parse::<f64>().map_or(value.into(), |float| format!("{float:e}").into()),
        // An enumeration's number without a name stands behind a second colon.
        _ => value.strip_prefix(": ").unwrap_or(value).into(),
    }
}
