//! What is done to a seed: by bytes, and by what the format is made of.

mod bytes;
mod json;
mod picture;
mod protobuf;
mod safetensors;
mod template;
mod toml;

use crate::dice::Dice;
pub use json::Json;

/// Largest input that is made.
pub const LARGEST: usize = 1 << 20;

/// A format, with what its mutator knows beside it.
#[derive(Clone, Copy)]
pub enum Format {
    /// JSON, with fragments that files of this kind may hold.
    Json(&'static [&'static str]),
    /// One JSON value a line.
    JsonLines,
    Toml,
    Protobuf,
    Safetensors,
    Picture,
    Template,
    /// Nothing but bytes.
    Bytes,
}

/// Sizes and numbers at which programs break.
pub const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    1023,
    32767,
    65535,
    65536,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    1 << 32,
    1 << 48,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 7,
    u64::MAX,
];

/// Texts at which programs break: paths out of a folder (those named `canary` are watched), escape sequences, marks
/// that reorder a line, markup, commands of CI systems, what is no character at all.
pub const TEXTS: [&str; 22] = [
    "",
    " ",
    ".",
    "..",
    "*",
    "a*b*c*",
    "../outside/canary",
    "../../outside/canary",
    "../../../outside/canary",
    "/etc/hostname",
    "/dev/zero",
    "a/b/c",
    "\u{1b}[31m\u{1b}]0;x\u{7}",
    "\u{0}",
    "\n::error::x",
    "\u{202e}\u{2066}",
    "</script><b>&\"'",
    "\u{fffd}\u{10ffff}",
    "é\u{301}ß",
    "layers.0.attention",
    "vision",
    "language.prefill",
];

/// A new input from a pool of others.
pub fn mutate(format: Format, dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    // Formats that hide behind sums and lengths are worth damaging blindly now and then only.
    let mut made = match format {
        Format::Bytes => bytes::mutate(dice, pool),
        _ if dice.one_in(8) => bytes::mutate(dice, pool),
        Format::Json(known) => json::mutate(dice, pool, known),
        Format::JsonLines => json::mutate_lines(dice, pool),
        Format::Toml => toml::mutate(dice, pool),
        Format::Protobuf => protobuf::mutate(dice, pool),
        Format::Safetensors => safetensors::mutate(dice, pool),
        Format::Picture => picture::mutate(dice, pool),
        Format::Template => template::mutate(dice, pool),
    };
    made.truncate(LARGEST);
    made
}

/// A text at which programs break.
fn text(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => pattern(dice).repeat(dice.few(1 << 16)),
        _ => dice.pick(&TEXTS).to_string(),
    }
}

fn pattern(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&["a", "é", "\u{1f600}", "../", " ", "*", "a.", "/"])
}
