#!/usr/bin/env python3
"""Makes the golden of samples: the tokens that transformers makes of recipes, in tests/fixtures/golden/samples.json.

Run it from anywhere, after `pip install -r tools/requirements.txt`:

    python tools/make_sample_golden.py

A conversation goes through `apply_chat_template(..., add_generation_prompt=True)` of the demonstration model's tokenizer and
template; its answer follows. The image token stands once for an image.
"""

import json
import tomllib
from pathlib import Path

from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/autoneural-tiny"
TO = ROOT / "tests/fixtures/golden/samples.json"
RECIPES = ["calibration/demo.toml", "tests/fixtures/golden/samples.toml"]

tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(MODEL / "tokenizer.json"), bos_token="<|startoftext|>", eos_token="<|im_end|>", clean_up_tokenization_spaces=False
)
tokenizer.chat_template = (MODEL / "chat_template.jinja").read_text()


def images(holder):
    image = holder.get("image", [])
    return image if isinstance(image, list) else [image]


def message(role, shown, text):
    return {"role": role, "content": [{"type": "image"}] * len(shown) + [{"type": "text", "text": text}]}


def encode(text):
    return tokenizer.encode(text, add_special_tokens=False)


def tokens(sample):
    if "text" in sample:
        text = sample["text"]
        before = "" if "<image>" in text else "<image>" * len(images(sample))
        return encode(tokenizer.bos_token + before + text)
    messages = [message(m["role"], images(m), m["content"]) for m in sample.get("messages", [])]
    if "prompt" in sample:
        messages = [message("user", images(sample), sample["prompt"])]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return encode(prompt) + encode(sample.get("answer", ""))


def main():
    made = {}
    for path in RECIPES:
        recipe = tomllib.loads((ROOT / path).read_text())
        made[path] = {kind: [tokens(sample) for sample in recipe[kind]] for kind in ("calibration", "verification")}
    # A line for a sample.
    text = json.dumps(made, separators=(",", ":")).replace("],[", "],\n[").replace("[[", "[\n[").replace("]]", "]\n]")
    TO.write_text(text + "\n")


if __name__ == "__main__":
    main()
