//! How likely a token is by its logits.

/// Natural logarithm of a token's probability.
pub(crate) fn log_softmax(logits: &[f32], token: u32) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
    f64::from(logits[token as usize] - most) - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_share_the_probability() {
        assert!((log_softmax(&[3.0; 4], 2) + 4f64.ln()).abs() < 1e-9);
        assert!(log_softmax(&[1000.0, 0.0], 0).abs() < 1e-9);
    }
}
