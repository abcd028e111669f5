//! Files that are taken for safetensors and are something else.

use std::io::Read;
use std::path::Path;

use autoneural_base::text::is_lfs_pointer;

/// Bytes from the beginning of a file that tell its kind.
const LOOKED_AT: usize = 64;

const PYTORCH: (&str, &str) = (
    "a file of PyTorch",
    "convert it to safetensors: in Python, `safetensors.torch.save_file({name: t.clone() for name, t in \
     torch.load(FILE, map_location='cpu', weights_only=True).items()}, 'model.safetensors')`",
);
const GGUF: (&str, &str) =
    ("a GGUF file", "its weights are quantized: give the checkpoint in safetensors format that it was made of");
const HDF5: (&str, &str) = ("an HDF5 file", "save the model in safetensors format");
const PAGE: (&str, &str) = ("a web page", "the download went wrong; download the file again");
const ATTRIBUTES: (&str, &str) =
    ("an AppleDouble file of macOS, not the file itself", "give the file without `._` in its name");

/// The words for a git-lfs pointer: what it is, and what to do about it.
fn pointer() -> (&'static str, &'static str) {
    ("a git-lfs pointer, not the file itself", "fetch the file: `git lfs pull` in the checkpoint's folder")
}

/// What a file is that begins with these bytes and is no safetensors file, and what to do about it.
pub(crate) fn other_kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts = |start: &[u8]| bytes.starts_with(start);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]).to_lowercase();
    let is_page = ["<!doctype", "<html", "<?xml"].iter().any(|start| text.trim_start().starts_with(start));
    Some(match bytes {
        _ if is_lfs_pointer(bytes) => pointer(),
        _ if starts(b"GGUF") => GGUF,
        // A zip file, or a pickle.
        _ if starts(b"PK\x03\x04") || starts(&[0x80, 2]) => PYTORCH,
        _ if starts(b"\x89HDF") => HDF5,
        _ if starts(&[0, 5, 0x16, 7]) => ATTRIBUTES,
        _ if is_page => PAGE,
        _ => return None,
    })
}

/// What a file of weights in another format is, by its ending or by how it begins, and what to do about it.
pub(crate) fn convertible(path: &Path) -> Option<(&'static str, &'static str)> {
    let by_name = match path.extension()?.to_str()? {
        "bin" | "pt" | "pth" | "ckpt" => PYTORCH,
        "gguf" => GGUF,
        "h5" => HDF5,
        _ => return None,
    };
    Some(kind_of_file(path).unwrap_or(by_name))
}

/// What a file is that begins as no safetensors file does, by its first bytes; nothing of what is no plain file, which
/// is not opened.
pub fn kind_of_file(path: &Path) -> Option<(&'static str, &'static str)> {
    let file = path.metadata().ok().filter(|meta| meta.is_file()).and_then(|_| std::fs::File::open(path).ok())?;
    let mut start = Vec::new();
    file.take(LOOKED_AT as u64).read_to_end(&mut start).ok()?;
    other_kind(&start)
}

#[cfg(test)]
mod tests {
    use super::other_kind;

    #[test]
    fn files_are_told_by_how_they_begin() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:3f\nsize 12\n";
        for (bytes, word) in [
            (&pointer[..], "git-lfs pointer"),
            (b"GGUF\x03\0\0\0", "GGUF"),
            (b"PK\x03\x04\0\0", "PyTorch"),
            (b"\x80\x02\x8a\nl\xfc", "PyTorch"),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (&[0, 5, 0x16, 7, 0, 2, 0, 0], "AppleDouble"),
        ] {
            let (what, _) = other_kind(bytes).unwrap_or_else(|| panic!("{word}"));
            assert!(what.contains(word), "{what}");
        }
        assert_eq!(other_kind(b"\x08\0\0\0\0\0\0\0{\"a\":1}"), None);
        assert_eq!(other_kind(b""), None);
    }
}
