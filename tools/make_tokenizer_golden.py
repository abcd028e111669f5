"""Writes tests/fixtures/golden/tokens.json: what transformers makes of odd tokenizers.

Each case is a change to models/autoneural-tiny/tokenizer.json, or a small tokenizer of its own, with the files that stand
beside it. The test applies the same change and compares: numbers of texts as they are, the text of those numbers, and the
numbers of a conversation. Needs transformers 5.23 (no PyTorch).
"""

import copy
import json
import tempfile
from pathlib import Path

from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/autoneural-tiny"
OUT = ROOT / "tests/fixtures/golden/tokens.json"
# Visual tokens of an image of the model.
VISUAL = 16
IMAGE = 4

TEXTS = [
    "Which warning lamp is lit?",
    "  two  blanks,\ttabs and\nlines  ",
    "Picture 1: <image>\nWhat is it? <|im_end|>\n",
    "Tür \u00fcber Stra\u00dfe, caf\u0065\u0301 \u4eca\u65e5 \U0001f697",
    "LAMP Lamp lamp clamp lamps <|pad|>x<|startoftext|> y",
    "",
]
MESSAGES = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which lamp is lit?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Door."}]},
    {"role": "user", "content": [{"type": "text", "text": " And  now? "}]},
]


def added(content, number=0, **flags):
    token = {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False}
    return token | {"normalized": False, "special": True} | flags


def without_number(token):
    return {key: value for key, value in token.items() if key != "id"}


def bytes_and(more):
    """A vocabulary of the special tokens, the 256 byte tokens, and more."""
    names = [token["content"] for token in BASE["added_tokens"]]
    return names + ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)] + more


BASE = json.loads((MODEL / "tokenizer.json").read_text())
FLAGS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
PIECES = ["\u2581", "\u2581W", "hich", "\u2581l", "amp", "\u2581is", "a", "l", "m", "p", "i", "s", "t", "w", "W", "?"]
LLAMA = bytes_and(PIECES)


def own(number):
    """The tokenizer's own added token, by number."""
    return copy.deepcopy(next(token for token in BASE["added_tokens"] if token["id"] == number))


def changed(number, **flags):
    return {"added_tokens": [token | flags if token["id"] == number else token for token in copy.deepcopy(BASE["added_tokens"])]}


def decoder(*tokens):
    return {"added_tokens_decoder": {str(token["id"]): without_number(token) for token in tokens}}


# Name: keys that are replaced in tokenizer.json, files beside it.
CASES = {
    "as it is": ({}, {}),
    "truncation": ({"truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}}, {}),
    "truncation from the left": ({"truncation": {"direction": "Left", "max_length": 5, "strategy": "OnlyFirst", "stride": 2}}, {}),
    "padding": ({"padding": {"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|pad|>"}}, {}),
    "padding to a multiple": ({"padding": {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 32, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|pad|>"}}, {}),
    "a post-processor that begins": ({"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|startoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<|startoftext|>": {"id": "<|startoftext|>", "ids": [1], "tokens": ["<|startoftext|>"]}}}}, {}),
    "not special": ({"added_tokens": [token | {"special": False} for token in BASE["added_tokens"]]}, {}),
    "an image token that takes blanks": (changed(IMAGE, lstrip=True, rstrip=True), {}),
    "an end token that takes lines": (changed(2, rstrip=True), {}),
    "NFC": ({"normalizer": {"type": "NFC"}}, {}),
    "small letters": ({"normalizer": {"type": "Lowercase"}}, {}),
    "small letters in added tokens": ({"normalizer": {"type": "Lowercase"}, "added_tokens": [token | {"normalized": True} for token in BASE["added_tokens"]] + [added("Which", BASE["model"]["vocab"]["Which"], normalized=True)]}, {}),
    "a blank before the text": ({"pre_tokenizer": FLAGS | {"add_prefix_space": True}}, {}),
    "listed beside it": ({}, {"tokenizer_config.json": decoder(own(0), own(1), own(2) | {"rstrip": True}, own(3), own(IMAGE) | {"lstrip": True})}),
    "one listed, others not": ({}, {"tokenizer_config.json": decoder(own(IMAGE) | {"rstrip": True, "special": False})}),
    "listed in place of none": ({"added_tokens": [own(1)]}, {"tokenizer_config.json": decoder(own(IMAGE), own(2), own(0), own(3))}),
    "named in place of none": ({"added_tokens": [own(3)]}, {"tokenizer_config.json": {"bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>", "image_token": "<image>"}}),
    "extra ones": ({"added_tokens": [own(1), own(2)]}, {"tokenizer_config.json": {"additional_special_tokens": ["<image>", "<|im_start|>"]}}),
    "extra ones by name": ({"added_tokens": [own(1), own(2)]}, {"tokenizer_config.json": {"extra_special_tokens": {"image_token": "<image>", "start": "<|im_start|>"}}}),
    "extra ones with flags": ({"added_tokens": [own(1), own(2)]}, {"tokenizer_config.json": {"extra_special_tokens": ["<|im_start|>", {"__type": "AddedToken", "content": "<image>", "lstrip": True, "rstrip": True, "normalized": False, "single_word": False, "special": True}]}}),
    "the older map": ({"added_tokens": [own(3)]}, {"special_tokens_map.json": {"bos_token": {"content": "<|startoftext|>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False}, "eos_token": "<|im_end|>", "image_token": "<image>", "additional_special_tokens": ["Which"]}}),
    "the older map beside a list": ({}, {"tokenizer_config.json": decoder(own(IMAGE)), "special_tokens_map.json": {"unk_token": {"content": "Wh", "lstrip": True, "normalized": False, "rstrip": True, "single_word": False}}}),
    "the older list": ({"added_tokens": [own(1), own(2)]}, {"added_tokens.json": {"<image>": 4, "<|im_start|>": 3, "<|im_end|>": 2}, "special_tokens_map.json": {"image_token": "<image>"}}),
    "an unknown one named": ({}, {"tokenizer_config.json": {"pad_token": "<none>"}}),
    "SentencePiece with bytes": (
        {
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
            "pre_tokenizer": None,
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "vocab": {text: number for number, text in enumerate(LLAMA)}, "merges": []},
        },
        {},
    ),
    "Unigram": (
        {
            "normalizer": None,
            "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
            "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
            "model": {"type": "Unigram", "unk_id": 5, "byte_fallback": True, "vocab": [[text, -float(9 - len(text) % 7)] for text in LLAMA]},
        },
        {},
    ),
}


def main():
    cases = []
    for name, (keys, files) in CASES.items():
        tokenizer = BASE | copy.deepcopy(keys)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
            for file, value in files.items():
                (folder / file).write_text(json.dumps(value))
            read = PreTrainedTokenizerFast.from_pretrained(folder)
            known = len(BASE["model"]["vocab"])
            ids = [read(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
            assert all(number < known for numbers in ids for number in numbers), name
            template = (MODEL / "chat_template.jinja").read_text()
            talk = read.apply_chat_template(
                MESSAGES, chat_template=template, add_generation_prompt=True, tokenize=True, return_dict=False, bos_token="<|startoftext|>"
            )
        cases.append({
            "name": name,
            "tokenizer": keys,
            "files": files,
            "ids": ids,
            "texts": [read.decode(numbers, skip_special_tokens=True) for numbers in ids],
            "conversation": [number for token in talk for number in [token] * (VISUAL if token == IMAGE else 1)],
        })
    lines = ",\n".join(json.dumps(case) for case in cases)
    OUT.write_text('{"texts": ' + json.dumps(TEXTS) + ',\n"cases": [\n' + lines + "\n]}\n")
    print(f"{OUT}: {len(cases)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
