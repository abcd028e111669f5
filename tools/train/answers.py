#!/usr/bin/env python3
"""Greedy answers of the checkpoint in PyTorch (timm and transformers), for the tests to compare with.

    python tools/train/answers.py            the first 60 test questions, into tests/fixtures/golden/answers.json
    python tools/train/answers.py --all      all test questions: accuracy only, also with every picture blanked

The checkpoint is read from its files, in float32; pictures are read by Pillow.
"""

import argparse
import json
import tomllib
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer

from data import BOS, END, IMAGE, user
from export import stored_name
from model import Tiny
from root import ROOT

CHECKPOINT = ROOT / "models" / "autoneural-tiny"
SET = ROOT / "calibration" / "demo-eval"
GOLDEN = ROOT / "tests" / "fixtures" / "golden" / "answers.json"
COUNT = 60


def load(config, folder):
    model = Tiny(config)
    stored = load_file(folder / "model.safetensors")
    for name, parameter in model.named_parameters():
        parameter.data.copy_(stored.pop(stored_name(name)).float())
    assert not stored, stored.keys()
    return model.eval()


def prompt(tokenizer, template, question, visual_tokens):
    content = [{"type": "image"} for _ in question["images"]] + [{"type": "text", "text": question["question"]}]
    text = template.render(messages=[{"role": "user", "content": content}], bos_token="<|startoftext|>", add_generation_prompt=True)
    trained = user(question["question"], ["<image>"] * len(question["images"]))
    assert text == "<|startoftext|>" + trained, "the chat template does not write what the model was trained on"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert ids[0] == BOS
    return [copy for token in ids for copy in ([token] * visual_tokens if token == IMAGE else [token])]


@torch.no_grad()
def answer(model, ids, images, most=64):
    """Tokens chosen greedily, without the one that ends the answer."""
    embeds = model.embed(torch.tensor([ids]), images)
    said = model.language.generate(
        inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2]), max_new_tokens=most, do_sample=False,
        eos_token_id=END, pad_token_id=0,
    )[0].tolist()  # fmt: skip
    return said[: said.index(END)] if END in said else said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    arguments = parser.parse_args()
    config = tomllib.loads((ROOT / "graphs" / "autoneural-tiny.toml").read_text())
    visual_tokens = config["vision"]["msfa"]["output_resolution"] ** 2
    tokenizer = Tokenizer.from_file(str(arguments.checkpoint / "tokenizer.json"))
    template = Environment().from_string((arguments.checkpoint / "chat_template.jinja").read_text())
    model = load(config, arguments.checkpoint)
    lines = [json.loads(line) for line in (SET / "questions.jsonl").read_text().splitlines()]
    golden, right, guessed = [], 0, 0
    for question in lines if arguments.all else lines[:COUNT]:
        pictures = [np.asarray(Image.open(SET / path).convert("RGB")).transpose(2, 0, 1) for path in question["images"]]
        images = torch.from_numpy(np.stack(pictures))
        ids = prompt(tokenizer, template, question, visual_tokens)
        tokens = answer(model, ids, images)
        right += tokenizer.decode(tokens) == question["answer"]
        golden.append({"prompt": ids, "answer": tokens})
        if arguments.all:
            blank = torch.full(images.shape, 127.5)
            guessed += tokenizer.decode(answer(model, ids, blank)) == question["answer"]
    print(f"{right} of {len(golden)} right")
    if arguments.all:
        print(f"{guessed} of {len(golden)} right with every picture blanked")
    else:
        GOLDEN.write_text("[\n" + ",\n".join(json.dumps(line) for line in golden) + "\n]\n")


if __name__ == "__main__":
    main()
