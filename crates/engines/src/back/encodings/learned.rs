//! Encodings that were learned elsewhere, from a file of any format that is read.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::entry::Lists;
use super::lists::refuse_misplaced;
use super::{v0_6_1, v1_0_0, v2_0_0};
use autoneural_base::error::{Error, Result};
use autoneural_core::quantize::Given;

/// Adds what a file says to what is given; `path` is only for messages.
///
/// # Errors
/// Malformed JSON, another version, an entry that is impossible or stands twice, one that contradicts a file before,
/// no entry at all.
pub fn add(given: &mut Given, path: &Path, bytes: &[u8]) -> Result<()> {
    let Lists { activations, params, either } = parse(bytes, path)?;
    let place = path.display().to_string();
    if activations.is_empty() && params.is_empty() && either.is_empty() {
        return Err(Error::input(place, "holds no encoding").help("leave the file out, and all ranges are calibrated"));
    }
    for (entries, are_params) in [(activations, false), (params, true)] {
        let mut names = BTreeSet::new();
        for (name, entry) in entries {
            let fail = |message: String| Error::input(format!("{place}: `{name}`"), message);
            if !names.insert(name.clone()) {
                return Err(fail("stands twice".into()));
            }
            let entry = entry.map_err(fail)?;
            let encoding = if are_params { entry.param() } else { entry.activation() }.map_err(fail)?;
            refuse_misplaced(&encoding, are_params, are_params).map_err(fail)?;
            given.add(are_params, &name, &place, encoding, entry.axis)?;
        }
    }
    let mut names = BTreeSet::new();
    for (name, entry) in either {
        let fail = |message: String| Error::input(format!("{place}: `{name}`"), message);
        if !names.insert(name.clone()) {
            return Err(fail("stands twice".into()));
        }
        let entry = entry.map_err(fail)?;
        let activation = entry.activation().and_then(|made| refuse_misplaced(&made, false, false).map(|()| made));
        given.add_either(&name, &place, activation, entry.param(), entry.axis)?;
    }
    Ok(())
}

/// Reads a file of whichever version it says.
fn parse(bytes: &[u8], path: &Path) -> Result<Lists> {
    #[derive(Deserialize)]
    struct Outline {
        version: String,
    }
    let Outline { version } = autoneural_base::text::json(path, bytes)?;
    match version.as_str() {
        "0.6.1" => v0_6_1::read(path, bytes),
        v1_0_0::VERSION => v1_0_0::read(path, bytes),
        "2.0.0" => v2_0_0::read(path, bytes),
        _ => {
            let message = format!("encodings of version {version} are not read; 0.6.1, 1.0.0 and 2.0.0 are");
            Err(Error::input(path.display(), message))
        }
    }
}
