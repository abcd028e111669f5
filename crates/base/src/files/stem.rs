//! Names of files that are made of other people's names.

use sha2::{Digest, Sha256};

/// Most letters that are taken over.
const LONGEST: usize = 120;
/// Bytes of a hash that stand for what is not.
const HASH: usize = 8;

/// The beginning of a file's name that says what a tensor's name says: the name itself where it is short and plain,
/// otherwise as much of it as is, with a hash of it behind. It is no hidden file, and in no other folder.
pub fn stem(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.chars().all(plain) && (1..=LONGEST).contains(&name.len()) && !name.starts_with('.') {
        return name.to_string();
    }
    let kept: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).take(LONGEST).collect();
    let hash: String = Sha256::digest(name).iter().take(HASH).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", kept.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_and_no_name_leads_elsewhere() {
        assert_eq!(stem("blocks.0.1.attn-q.weight_2"), "blocks.0.1.attn-q.weight_2");
        let odd = ["", ".", "..", ".hidden", "../../etc/passwd", "a/b", "a\\b", "ü", "a\0b", "a\nb", &"x".repeat(300)];
        let made: Vec<String> = odd.iter().map(|name| stem(name)).collect();
        for (name, stem) in odd.iter().zip(&made) {
            let is_plain = stem.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            assert!(is_plain && !stem.starts_with('.') && stem.len() <= LONGEST + 1 + 2 * HASH, "{name:?}: {stem}");
            assert_eq!(made.iter().filter(|other| *other == stem).count(), 1, "{name:?}");
        }
    }
}
