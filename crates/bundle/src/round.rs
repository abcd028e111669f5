//! Rounding of figures that are written down.

/// Rounds to three digits after the point, which is seconds to the millisecond.
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
