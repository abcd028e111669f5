//! The two lists of a file, of activations and of params, and what may stand in which.

use autoneural_core::encoding::Encoding;

/// Refuses an entry in the wrong list, and what activations cannot have.
pub fn refuse_misplaced(encoding: &Encoding, as_param: bool, is_constant: bool) -> Result<(), String> {
    match (as_param, is_constant) {
        (true, false) => return Err("is no constant; it belongs to activation_encodings".into()),
        (false, true) => return Err("is a constant; it belongs to param_encodings".into()),
        _ => {}
    }
    if !as_param && (encoding.axis.is_some() || encoding.integer.is_signed()) {
        return Err(format!(
            "{} is no encoding of activations; unsigned integers with one scale are",
            describe(encoding)
        ));
    }
    Ok(())
}

fn describe(encoding: &Encoding) -> String {
    let per = if encoding.axis.is_some() { " per channel" } else { "" };
    format!("{}{per}", encoding.integer.name())
}
