//! `strftime_now`: the date, written as Python writes it.

use std::ffi::CString;

use minijinja::value::Value;

use super::arguments::{Args, string};
use super::values::{Given, fault, spend};

/// Longest text of a date.
const LONGEST: usize = 4096;

/// The function: a format, as `%d %B %Y`.
pub(crate) fn strftime_now(args: Args) -> Given {
    let [format] = args.bind(["format"])?;
    let format =
        string("strftime_now", format)?.ok_or_else(|| fault("strftime_now is missing the argument 'format'"))?;
    spend(format.len())?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().try_into().map_err(|_| fault("the clock is too far ahead"))?;
    write(&format, seconds, since.subsec_micros()).map(Value::from)
}

/// A moment, in seconds since 1970, in local time. Python hands a format to C, but for microseconds and its own zone,
/// which is none here.
fn write(format: &str, seconds: libc::time_t, micros: u32) -> Given<String> {
    let mut replaced = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '%' { rest.next() } else { None }) {
            ('%', Some('f')) => replaced.push_str(&format!("{micros:06}")),
            ('%', Some('z' | 'Z')) => {}
            ('%', Some(letter)) => replaced.extend(['%', letter]),
            (c, _) => replaced.push(c),
        }
    }
    if replaced.is_empty() {
        return Ok(replaced);
    }
    // A mark at the end tells an empty text from one that did not fit.
    let format = CString::new(replaced + "|").map_err(|_| fault("strftime_now: embedded null character"))?;
    let mut buffer = vec![0u8; LONGEST];
    // SAFETY: `tm` is plain numbers and a pointer that may be null, `localtime_r` fills it; `strftime` writes at most
    // as many bytes as the buffer has and reads a string that ends in a zero byte.
    let written = unsafe {
        let mut moment: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&seconds, &mut moment).is_null() {
            return Err(fault("strftime_now: the time has no date"));
        }
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(), &moment)
    };
    buffer.truncate(written);
    let mut text = String::from_utf8(buffer).map_err(|_| fault("strftime_now: the date is no UTF-8"))?;
    text.pop().map(|_| text).ok_or_else(|| fault(format!("strftime_now: makes more than {LONGEST} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_python_writes_them() {
        // Noon, so that the zone of the machine does not matter much.
        let noon = 1_772_712_000;
        let write = |format| write(format, noon, 7).unwrap();
        let known = ["04 March 2026", "05 March 2026", "06 March 2026"];
        assert!(known.contains(&write("%d %B %Y").as_str()));
        assert_eq!(write("%Y|%m|%y|%%|%f|%b"), "2026|03|26|%|000007|Mar");
        assert_eq!(write("%j").len(), 3);
        assert_eq!(write("[%z%Z]"), "[]");
        assert_eq!(write(""), "");
    }
}
