//! SHA-256 of files, bytes and texts, in hexadecimal.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use autoneural_base::error::{IoContext, Result};

/// Digits of a hash that tell files apart.
const DIGITS: usize = 16;

/// The beginning of a SHA-256 in hexadecimal, for people and baselines.
pub fn short(sha256: &str) -> String {
    sha256.chars().take(DIGITS).collect()
}

/// SHA-256 of an open file, all of it, in hexadecimal; `path` is only for messages.
///
/// # Errors
/// The file cannot be read.
pub fn hash_of(file: &File, path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut buffer, at).at(path)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        at += read as u64;
    }
    Ok(hexadecimal(hasher))
}

/// SHA-256 of bytes in hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// SHA-256 of texts in hexadecimal.
pub fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    // The ends count: "ab", "c" is not "a", "bc".
    texts.for_each(|text| hasher.update([text.as_bytes(), &[0]].concat()));
    hexadecimal(hasher)
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
