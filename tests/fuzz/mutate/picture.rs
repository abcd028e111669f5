//! PNG chunks with right check sums, JPEG segments with right lengths.

use super::{NUMBERS, bytes};
use crate::dice::Dice;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    if dice.one_in(8) {
        return made_up(dice);
    }
    let seed = dice.pick(pool);
    match seed.strip_prefix(PNG).map(chunks) {
        Some(mut list) if !list.is_empty() => {
            for _ in 0..dice.few(4) {
                change_png(dice, &mut list, pool);
            }
            write_png(dice, &list)
        }
        _ if seed.starts_with(&[0xff, 0xd8]) => jpeg(dice, seed),
        _ => bytes::mutate(dice, pool),
    }
}

type Chunk = ([u8; 4], Vec<u8>);

fn chunks(mut bytes: &[u8]) -> Vec<Chunk> {
    let mut made = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else { break };
        let length = (u32::from_be_bytes(*length) as usize).min(rest.len());
        made.push((*kind, rest[..length].to_vec()));
        bytes = rest.get(length + 4..).unwrap_or_default();
    }
    made
}

fn write_png(dice: &mut Dice, chunks: &[Chunk]) -> Vec<u8> {
    let mut made = PNG.to_vec();
    for (kind, data) in chunks {
        let length = if dice.one_in(64) { *dice.pick(&NUMBERS) as u32 } else { data.len() as u32 };
        let sum = if dice.one_in(64) { 0 } else { crc(&[kind.as_slice(), data].concat()) };
        made.extend(length.to_be_bytes());
        made.extend(kind);
        made.extend(data);
        made.extend(sum.to_be_bytes());
    }
    made
}

fn change_png(dice: &mut Dice, list: &mut Vec<Chunk>, pool: &[Vec<u8>]) {
    let at = dice.below(list.len());
    if list.is_empty() {
        return;
    }
    match dice.below(8) {
        0..=1 => list.iter_mut().filter(|(kind, data)| kind == b"IHDR" && data.len() == 13).for_each(|(_, data)| {
            let (depth, colour) =
                *dice.pick(&[(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (4, 3), (8, 3), (16, 4), (16, 6), (3, 7)]);
            match dice.below(4) {
                0 => data[..4].copy_from_slice(&(*dice.pick(&NUMBERS) as u32).to_be_bytes()),
                1 => data[4..8].copy_from_slice(&(*dice.pick(&NUMBERS) as u32).to_be_bytes()),
                2 => data[8..10].copy_from_slice(&[depth, colour]),
                _ => data[12] ^= 1,
            }
        }),
        2 => drop(list.remove(at)),
        3 => {
            let copy = list[at].clone();
            list.insert(dice.below(list.len() + 1), copy);
        }
        4 => {
            let to = dice.below(list.len());
            list.swap(at, to);
        }
        5 => {
            let kind = *dice.pick(&[
                b"PLTE", b"tRNS", b"gAMA", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"sBIT",
                b"cHRM", b"pHYs", b"IEND",
            ]);
            let count = dice.few(1024);
            let data =
                if dice.one_in(2) { dice.bytes(count) } else { [b"a\0\0".to_vec(), stored(&vec![0; count])].concat() };
            list.insert(at, (*kind, data));
        }
        _ => bytes::damage(dice, &mut list[at].1, pool),
    }
}

/// A PNG of any kind whose pixels are fewer, as many, or more than its header says.
fn made_up(dice: &mut Dice) -> Vec<u8> {
    let sizes = [1, 2, 15, 16, 17, 64, 500, 4096, 16384, 16385, 1 << 20, i32::MAX as u32];
    // Large in one way at most, else decoding alone takes the time.
    let (mut width, mut height) = (*dice.pick(&sizes), *dice.pick(&sizes[..6]));
    if dice.one_in(2) {
        std::mem::swap(&mut width, &mut height);
    }
    let (depth, colour) = *dice.pick(&[
        (1u8, 0u8),
        (2, 0),
        (8, 0),
        (16, 0),
        (8, 2),
        (16, 2),
        (1, 3),
        (8, 3),
        (8, 4),
        (16, 4),
        (8, 6),
        (16, 6),
    ]);
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, colour, 0, 0, u8::from(dice.one_in(4))]);
    let channels = [1, 1, 3, 1, 2, 1, 4][colour as usize];
    let needed = (u64::from(width) * channels * u64::from(depth)).div_ceil(8) + 1;
    let total = usize::try_from(needed.saturating_mul(u64::from(height)).min(1 << 18)).unwrap_or(0);
    let count = if dice.one_in(4) { dice.below(2 * total + 1) } else { total };
    let data = if dice.one_in(2) { vec![0; count] } else { dice.bytes(count) };
    let mut list = vec![(*b"IHDR", header)];
    if colour == 3 {
        let entries = dice.few(257);
        list.push((*b"PLTE", dice.bytes(3 * entries)));
    }
    list.push((*b"IDAT", stored(&data)));
    list.push((*b"IEND", vec![]));
    write_png(dice, &list)
}

/// The zlib form of bytes, not packed (RFC 1950 and 1951).
fn stored(data: &[u8]) -> Vec<u8> {
    let mut made = vec![0x78, 0x01];
    let mut blocks = data.chunks(65535).peekable();
    if data.is_empty() {
        made.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        made.push(u8::from(blocks.peek().is_none()));
        made.extend(length.to_le_bytes());
        made.extend((!length).to_le_bytes());
        made.extend(block);
    }
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    made.extend((b << 16 | a).to_be_bytes());
    made
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum: u32, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

fn jpeg(dice: &mut Dice, seed: &[u8]) -> Vec<u8> {
    // Marker and contents; what comes behind the start of a scan is one piece.
    let mut segments: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut rest = &seed[2..];
    while let [0xff, marker, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low])).max(2);
        let end = if marker == 0xda { rest.len() } else { (2 + length).min(rest.len()) };
        segments.push((marker, rest[4..end.max(4)].to_vec()));
        rest = &rest[end.max(4)..];
    }
    for _ in 0..dice.few(4) {
        let at = dice.below(segments.len());
        if segments.is_empty() {
            break;
        }
        match dice.below(6) {
            0 => drop(segments.remove(at)),
            1 => {
                let copy = segments[at].clone();
                segments.insert(dice.below(segments.len() + 1), copy);
            }
            2 => {
                let to = dice.below(segments.len());
                segments.swap(at, to);
            }
            3 => segments
                .iter_mut()
                .filter(|(marker, data)| (0xc0..=0xc2).contains(marker) && data.len() > 8)
                .for_each(|(marker, data)| match dice.below(4) {
                    0 => data[1..3].copy_from_slice(&(*dice.pick(&NUMBERS) as u16).to_be_bytes()),
                    1 => data[3..5].copy_from_slice(&(*dice.pick(&NUMBERS) as u16).to_be_bytes()),
                    2 => data[7] = *dice.pick(&[0x11, 0x22, 0x21, 0x12, 0x41, 0x44, 0x00, 0xff, 0x13]),
                    _ => *marker = 0xc0 + dice.below(16) as u8,
                }),
            4 => segments[at].0 = *dice.pick(&[0xc4, 0xdb, 0xdd, 0xe0, 0xe1, 0xe2, 0xee, 0xfe, 0xd0, 0xd9, 0xd8, 0xcc]),
            _ => bytes::damage(dice, &mut segments[at].1, &[vec![0xff; 8]]),
        }
    }
    let mut made = vec![0xff, 0xd8];
    for (marker, data) in &segments {
        // The entropy-coded data of a scan are not counted by its length.
        let counted =
            if *marker == 0xda { 2 + 1 + 2 * usize::from(*data.first().unwrap_or(&0)) + 3 } else { 2 + data.len() };
        let length = if dice.one_in(32) { *dice.pick(&NUMBERS) as u16 } else { counted as u16 };
        made.extend([0xff, *marker]);
        made.extend(length.to_be_bytes());
        made.extend(data);
    }
    made
}
