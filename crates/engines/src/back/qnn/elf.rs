//! A look at a library before it is loaded. The loader maps what the header promises; of a file that was cut off it
//! then touches pages that are not there, and the process dies.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Type of a program header whose bytes the loader maps (ELF-64, "Program Header").
const LOAD: u64 = 1;

/// Whether the file is a 64-bit little-endian ELF file that ends before one of its segments does.
pub(crate) fn is_truncated(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0u8; 64];
    if length < header.len() as u64 {
        return Ok(true);
    }
    file.read_exact(&mut header)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    let (table, size, count) = (number(&header[32..40]), number(&header[54..56]), number(&header[56..58]));
    for index in 0..count {
        let mut program = [0u8; 56];
        file.seek(SeekFrom::Start(table.saturating_add(index * size)))?;
        if file.read_exact(&mut program).is_err() {
            return Ok(true);
        }
        let end = number(&program[8..16]).saturating_add(number(&program[32..40]));
        if number(&program[..4]) == LOAD && end > length {
            return Ok(true);
        }
    }
    Ok(false)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
