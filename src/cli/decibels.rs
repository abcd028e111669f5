//! A difference in dB, as an argument.

/// A difference in dB; NaN would pass every comparison.
pub fn decibels(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 => Ok(value),
        _ => Err("a number of at least 0 is wanted".into()),
    }
}
