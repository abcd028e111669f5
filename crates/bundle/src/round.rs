//! Rounding of figures that are written down.

/// Three digits behind the point: seconds to the millisecond.
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
