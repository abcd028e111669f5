//! A tokenizer for a model that was never taught a language: byte-level BPE without merges, so a byte is a token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use autoneural_base::error::{Error, Result};
use autoneural_front::Definition;

/// A chat template in the way of ChatML, with the special tokens of [`tokenizer`].
pub(crate) const CHAT_TEMPLATE: &str = r#"{{- bos_token -}}
{%- for message in messages -%}
{{- "<|im_start|>" + message.role + "\n" -}}
{%- if message.content is string -%}
{{- message.content -}}
{%- else -%}
{%- for part in message.content -%}
{{- "<image>" if part.type == "image" else part.text -}}
{%- endfor -%}
{%- endif -%}
{{- "<|im_end|>\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- "<|im_start|>assistant\n" -}}
{%- endif -%}
"#;

/// The contents of `tokenizer.json`: special tokens at the numbers that the definition gives them, the 256 bytes and
/// the other special tokens at the lowest numbers that are left.
///
/// # Errors
/// A vocabulary without room for them, or special tokens that share a number.
pub(crate) fn tokenizer(definition: &Definition) -> Result<Value> {
    let (tokens, size) = (&definition.language.tokens, definition.language.vocabulary);
    let mut vocabulary: BTreeMap<u32, String> = BTreeMap::new();
    let named =
        [(tokens.bos, "<|startoftext|>"), (Some(tokens.eos), "<|im_end|>"), (tokens.image, "<image>")].into_iter();
    for (token, text) in named.filter_map(|(token, text)| Some((token?, text))) {
        if let Some(other) = vocabulary.insert(token, text.into()) {
            let message = format!("{token} is both `{other}` and `{text}`");
            return Err(Error::input("language.tokens", message).help("give each special token a number of its own"));
        }
    }
    let others = ["<|pad|>", "<|im_start|>"].map(String::from);
    let mut special: Vec<String> = vocabulary.values().chain(&others).cloned().collect();
    let mut free = (0..).filter(|number| ![tokens.bos, Some(tokens.eos), tokens.image].contains(&Some(*number)));
    vocabulary.extend(free.by_ref().zip(others));
    vocabulary.extend(free.zip(byte_texts()));
    if vocabulary.last_key_value().is_none_or(|(&last, _)| last as usize >= size) {
        let message = format!("{size} is too small for 256 bytes and {} special tokens", special.len());
        return Err(Error::input("language.vocabulary", message).help("a byte-level tokenizer needs a number for each"));
    }
    let numbers: BTreeMap<&String, u32> = vocabulary.iter().map(|(&number, text)| (text, number)).collect();
    special.sort_by_key(|text| numbers[text]);
    let added = special.iter().map(|text| {
        json!({ "id": numbers[text], "content": text, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    });
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": numbers, "merges": [] },
    }))
}

/// The 256 bytes as the characters that byte-level BPE writes for them: printable ones stand for themselves, the others
/// are counted from U+0100 on.
fn byte_texts() -> impl Iterator<Item = String> {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 0x100..;
    (0..256).filter_map(move |byte| {
        let character = if printable(byte) { Some(byte) } else { others.next() };
        character.and_then(char::from_u32).map(String::from)
    })
}
